/** REDIS_URL: its forms, and what is refused. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords, redisUrlOf } from "./url.ts";

const h = (port: number, host = "h") => ({ host, port });

test("each form of REDIS_URL names its servers and how they stand together", () => {
  const none = { isTls: false, username: undefined, password: undefined };
  const forms: [url: string, parsed: ReturnType<typeof redisUrlOf>][] = [
    ["redis://h", { ...none, mode: "standalone", place: h(6379) }],
    ["redis://h/", { ...none, mode: "standalone", place: h(6379) }],
    ["redis://h:1/3", { ...none, mode: "standalone", place: h(1) }],
    ["REDISS://H", { ...none, isTls: true, mode: "standalone", place: h(6379) }],
    ["redis://u@h", { ...none, username: "u", mode: "standalone", place: h(6379) }],
    ["redis://:p%40%2F@h", { ...none, password: "p@/", mode: "standalone", place: h(6379) }],
    ["redis://u:p:q@h", { ...none, username: "u", password: "p:q", mode: "standalone", place: h(6379) }],
    ["redis://u:p@q@h", { ...none, username: "u", password: "p@q", mode: "standalone", place: h(6379) }],
    ["redis://[::1]:7", { ...none, mode: "standalone", place: h(7, "::1") }],
    ["redis://sentinel-host:26379/mymaster", { ...none, mode: "sentinel", places: [h(26379, "sentinel-host")], master: "mymaster" }],
    ["redis://a/m.1", { ...none, mode: "sentinel", places: [h(26379, "a")], master: "m.1" }],
    ["redis-sentinel://a,b:1,[::1]/7", { ...none, mode: "sentinel", places: [h(26379, "a"), h(1, "b"), h(26379, "::1")], master: "7" }],
    [
      "rediss-sentinel://:p@a/m",
      { isTls: true, username: undefined, password: "p", mode: "sentinel", places: [h(26379, "a")], master: "m" },
    ],
    ["redis-cluster://a:7000,b", { ...none, mode: "cluster", places: [h(7000, "a"), h(6379, "b")] }],
    ["rediss-cluster://u:p@a/0", { isTls: true, username: "u", password: "p", mode: "cluster", places: [h(6379, "a")] }],
  ];
  for (const [url, parsed] of forms) assert.deepEqual(redisUrlOf(url), parsed, url);
});

test("other texts are no REDIS_URL", () => {
  const wrong = [
    "h",
    "http://h",
    "redis:h",
    "redis://",
    "redis://:p",
    "redis://u:p",
    "redis://@",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:x",
  ];
  const hosts = [
    "redis://a,b",
    "redis://a,/m",
    "redis://h i",
    "redis://h%zz",
    "redis://%@h",
    "redis://h\\i",
    "redis://[::1",
    "redis://::1",
    "redis://,",
  ];
  const more = [
    "redis://h?x",
    "redis://h#x",
    "redis://h/a/b",
    "redis://h/a b",
    "redis://h/p@h",
    "redis-sentinel://a",
    "redis-sentinel://a/",
    "redis-cluster://a/m",
  ];
  const secrets = ["redis://:a/b@h", "redis://u:1/b@h", "redis://u:1?b@h", "redis://u:1#b@h"];
  for (const url of [...wrong, ...hosts, ...more, ...secrets]) assert.equal(redisUrlOf(url), undefined, url);
});

test("a server is shown as a URL writes it", () => {
  assert.deepEqual([inWords(h(1)), inWords(h(2, "::1"))], ["h:1", "[::1]:2"]);
});
