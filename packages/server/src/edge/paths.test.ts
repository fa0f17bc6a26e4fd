/** One form for the paths of requests. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isAt, pathOf, queryOf } from "./paths.ts";

test("query, one slash at the end, scheme and host make no difference; everything else does", () => {
  const cases: Record<string, string> = {
    "/": "/",
    "": "/",
    "/ws": "/ws",
    "/ws/": "/ws",
    "/ws?token=x": "/ws",
    "/ws/?token=/x/": "/ws",
    "/ws#x": "/ws",
    "http://example.com/ws/": "/ws",
    "HTTPS://example.com:443/ws?x": "/ws",
    "http://example.com": "/",
    "http://example.com?x": "/",
    "//": "//",
    "//ws": "//ws",
    "/ws//": "/ws//",
    "/a/../ws": "/a/../ws",
    "/%77s": "/%77s",
    "*": "*",
  };
  for (const [target, path] of Object.entries(cases)) assert.equal(pathOf(target), path, target);
  assert.equal(pathOf(undefined), "/");
  assert.equal(queryOf("http://h/ws?token=a&encoding=b").get("encoding"), "b");
  assert.equal(queryOf("/ws").get("encoding"), null);
});

test("a prefix ends with a slash", () => {
  assert.deepEqual(
    ["/ws", "/app/ws", "/a/b/ws", "/xws", "/ws/x", "/"].map((path) => isAt(path, "/ws")),
    [true, true, true, false, false, false],
  );
  assert.deepEqual([isAt("/", "/"), isAt("/x/", "/")], [true, false]);
});
