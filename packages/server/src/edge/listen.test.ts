/** The error when the port cannot be opened. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { PresenceError } from "../errors.ts";
import { listen } from "./listen.ts";

test("port 0 is any free one; a taken one is named, with the setting to change", async (t) => {
  const first = createServer();
  t.after(() => first.close());
  const port = await listen(first, { port: 0, host: "127.0.0.1" });
  assert(port > 0);
  await assert.rejects(listen(createServer(), { port, host: "127.0.0.1" }), (error) => {
    assert(error instanceof PresenceError);
    assert.equal(error.code, "LISTEN_FAILED");
    assert.match(error.message, new RegExp(`Port ${port} is taken .* WS_PORT`));
    return true;
  });
});

test("an address of somebody else is named, with the setting to change", async () => {
  await assert.rejects(listen(createServer(), { port: 0, host: "192.0.2.1" }), /192\.0\.2\.1 is no address of this machine.*WS_HOST/);
});
