import assert from "node:assert/strict";
import { test } from "node:test";
import { hostRule } from "./hosts.ts";

test("addresses, names that nobody has on the internet and listed names are ours; the name of a page that was given our address is not", () => {
  const isOwn = hostRule(["https://presence.example.com:8443", "*", "board.example.org"]);
  for (const host of [
    "localhost:3001",
    "127.0.0.1:3001",
    "10.1.2.3",
    "[::1]:3001",
    "presence-1:9464",
    "presence.default.svc.cluster.local",
    "presence.localhost",
    "PRESENCE.example.com.",
    "presence.example.com:3001",
    "board.example.org",
  ])
    assert.equal(isOwn(host), true, host);
  for (const host of [undefined, "", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:3001", "a b", "x/y"])
    assert.equal(isOwn(host), false, host);
});
