/** `npm start` as people use it: a signal to npm stops the service, and no instance is left behind. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, freePort } from "./harness/index.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

test("SIGTERM to npm start ends the instance as well", { timeout: 60_000 }, async (t) => {
  const port = await freePort();
  const npm = spawn("npm", ["start"], {
    cwd: ROOT,
    // npm sets these for this very test, and an outer npm must not be taken for ours.
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], REDIS_URL: "memory:", WS_PORT: String(port) },
    stdio: "ignore",
    detached: true,
  });
  t.after(() => {
    try {
      process.kill(-(npm.pid ?? assert.fail()), "SIGKILL");
    } catch {} // all have ended
  });
  const answers = () =>
    fetch(`http://localhost:${port}/livez`, { headers: { connection: "close" } }).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually(answers, { what: "it answers", withinMs: 30_000 });
  npm.kill("SIGTERM");
  await once(npm, "exit");
  await eventually(async () => !(await answers()), { what: "nobody answers any more", withinMs: 5000 });
});
