/** Origins: they are compared in one form, and an entry that can never match is refused with the reason. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { originRule } from "./origins.ts";

test("by default a page may connect to its own host, however host and port are written", () => {
  const isAllowed = originRule(undefined);
  const right: [origin: string | undefined, host: string][] = [
    ["https://example.com", "example.com"],
    ["http://example.com", "example.com"],
    ["https://example.com", "example.com:443"],
    ["https://example.com", "example.com:80"],
    ["http://example.com", "example.com:80"],
    ["https://example.com", "EXAMPLE.com"],
    ["https://example.com.", "example.com."],
    ["https://example.com.", "example.com"],
    ["https://example.com", "example.com.:443"],
    ["https://example.com:443", "example.com"],
    ["http://example.com:3001", "example.com:3001"],
    ["http://[::1]:3001", "[::1]:3001"],
    ["http://[::1]", "[::1]:80"],
    ["https://xn--mnchen-3ya.example", "xn--mnchen-3ya.example"],
    [undefined, "example.com"],
  ];
  for (const [origin, host] of right) assert.equal(isAllowed(headers(origin, host)), true, `${origin} at ${host}`);
  const wrong: [origin: string, host: string][] = [
    ["https://evil.example", "example.com"],
    ["https://example.com:8443", "example.com"],
    ["https://example.com:8443", "example.com:443"],
    ["https://example.com", "example.com:8443"],
    ["http://example.com:443", "example.com:80"],
    ["https://example.com..", "example.com"],
    ["https://example.com.evil.example", "example.com"],
    ["https://example.com/", "example.com"],
    ["https://a@example.com", "example.com"],
    ["https://example.com, https://evil.example", "example.com"],
    ["chrome-extension://example.com", "example.com"],
    ["null", "null"],
    ["null", "example.com"],
    ["", ""],
    ["https://", ""],
    ["https://example.com", ""],
    ["https://example.com", "example.com, evil.example"],
  ];
  for (const [origin, host] of wrong) assert.equal(isAllowed(headers(origin, host)), false, `${origin} at ${host}`);
});

test("listed origins match in any way of writing them", () => {
  const isAllowed = originRule([
    "HTTPS://App.Example:443/",
    " http://app.example. ",
    "https://app.example:8443",
    "capacitor://localhost",
    "null",
  ]);
  for (const origin of [
    "https://app.example",
    "https://APP.example",
    "https://app.example:443",
    "http://app.example",
    "https://app.example:8443",
    "capacitor://localhost",
    "null",
  ])
    assert.equal(isAllowed(headers(origin, "elsewhere")), true, origin);
  for (const origin of ["https://elsewhere", "https://app.example:8444", "http://app.example:443", "https://app.example/x", "", "*"])
    assert.equal(isAllowed(headers(origin, "elsewhere")), false, origin);
  assert.equal(originRule([])(headers("https://elsewhere", "elsewhere")), false);
  assert.equal(originRule(["*"])(headers("whatever", "elsewhere")), true);
});

test("an entry that can never match is refused, with what is wrong about it", () => {
  const cases: [entry: unknown, said: RegExp][] = [
    ["app.example", /names no scheme: write https:\/\/app\.example/],
    ["app.example/path", /write https:\/\/app\.example$/],
    ["https://app.example/path", /more than scheme, host and port/],
    ["https://app.example?x", /more than scheme, host and port/],
    ["https://app.example:port", /more than scheme, host and port/],
    ["https://*.example", /wildcard/],
    ["https://user@app.example", /has a user in it/],
    ["wss://app.example", /not of a page: write https:\/\//],
    ["ws://app.example", /not of a page: write http:\/\//],
    ["file://x", /pages from files have "null"/],
    ["", /is empty/],
    [undefined, /is empty/],
    [7, /is empty/],
  ];
  for (const [entry, said] of cases) assert.throws(() => originRule([entry as string]), { code: "BAD_SETTINGS", message: said });
  assert.throws(
    () => originRule(["https://user:canary@app.example"]),
    (error: Error) => !/canary/.test(error.message),
  );
  assert.throws(() => originRule("https://app.example" as unknown as string[]), { message: /must be a list/ });
  assert.throws(
    () => originRule(["https://ok.example", "bad1", "bad2"]),
    (error: Error) => /bad1.*bad2/.test(error.message) && !/ok/.test(error.message),
  );
});

function headers(origin: string | undefined, host: string): { host: string; origin?: string } {
  return origin === undefined ? { host } : { host, origin };
}
