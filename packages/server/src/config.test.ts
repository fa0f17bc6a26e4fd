/** Settings: sources in order, one error for everything that is wrong, no secrets in it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { commandOf, helpText, SETTINGS, type Settings } from "./config.ts";
import { PresenceError } from "./errors.ts";

type Sources = Partial<Parameters<typeof commandOf>[0]>;

function settings(sources: Sources): Settings {
  const command = commandOf({ argv: [], env: {}, dotEnv: {}, ...sources });
  return command.kind === "run" ? command.settings : assert.fail(command.kind);
}

function problems(sources: Sources): string {
  try {
    settings(sources);
  } catch (error) {
    assert(error instanceof PresenceError);
    assert.equal(error.code, "BAD_SETTINGS");
    return error.message;
  }
  assert.fail("nothing was wrong");
}

test("bare defaults", () => {
  assert.deepEqual(settings({}), {
    port: 3001,
    host: undefined,
    logLevel: "info",
    logFormat: "auto",
    redisUrl: "redis://localhost:6379",
    redisPrefix: "presence",
    demo: true,
    trustedProxies: [],
  });
});

test("trusted proxies are a list of addresses and ranges, or refused", () => {
  assert.deepEqual(settings({ env: { TRUSTED_PROXIES: "10.0.0.0/8, ::1,192.0.2.7" } }).trustedProxies, ["10.0.0.0/8", "::1", "192.0.2.7"]);
  for (const wrong of ["proxy.example.com", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/-1", "*"]) {
    assert.match(problems({ env: { TRUSTED_PROXIES: wrong } }), /TRUSTED_PROXIES is .*IP addresses/);
  }
});

test("flags win over the environment, it over .env, that over defaults", () => {
  const dotEnv = { WS_PORT: "1", LOG_LEVEL: "debug", REDIS_PREFIX: "from-file" };
  const env = { WS_PORT: "2", LOG_LEVEL: "warn" };
  const { port, logLevel, redisPrefix } = settings({ argv: ["--ws-port=3"], env, dotEnv });
  assert.deepEqual({ port, logLevel, redisPrefix }, { port: 3, logLevel: "warn", redisPrefix: "from-file" });
  assert.equal(settings({ argv: ["--ws-port", "4"], env }).port, 4);
});

test("an empty variable is not set, and unknown variables are nobody's business", () => {
  const found = settings({ env: { WS_PORT: "", REDIS_URL: "", PATH: "/bin", WS_PROT: "1" }, dotEnv: { WS_PORT: "7" } });
  assert.equal(found.port, 7);
  assert.equal(found.redisUrl, "redis://localhost:6379");
});

test("the demo page is off in production, unless asked for", () => {
  assert.equal(settings({ env: { NODE_ENV: "production" } }).demo, false);
  assert.equal(settings({ env: { NODE_ENV: "production", DEMO: "on" } }).demo, true);
  assert.equal(settings({ env: { DEMO: "off" } }).demo, false);
});

test("all that is wrong comes in one error, each with name, value, origin and what is allowed", () => {
  const text = problems({
    argv: ["--log-level", "loud", "--redis-password=hunter2", "--ws-host", "extra"],
    env: { WS_PORT: "70000", REDIS_PREFIX: "My:Prefix", DEMO: "maybe" },
    dotEnv: { REDIS_URL: "http://user:hunter2@cache:6379" },
  });
  for (const name of ["LOG_LEVEL", "WS_PORT", "REDIS_PREFIX", "DEMO", "REDIS_URL"]) assert.match(text, new RegExp(`- ${name} is ".*" \\(`));
  assert.match(text, /"70000" \(environment\); allowed: a port number from 0 to 65535/);
  assert.match(text, /--redis-password is unknown/);
  assert.match(text, /"http:\/\/\*\*\*@cache:6379" \(\.env\)/);
  assert.doesNotMatch(text, /hunter2/);
});

test("a flag without a value and a stray word are named", () => {
  const text = problems({ argv: ["start", "--ws-port"] });
  assert.match(text, /"start" is no flag/);
  assert.match(text, /--ws-port needs a value/);
});

test("ports", () => {
  for (const good of ["0", "1", "65535"]) assert.equal(settings({ env: { WS_PORT: good } }).port, Number(good));
  for (const bad of ["65536", "-1", "3001.5", "0x10", " 3001", "3e3", "1e5"]) assert.match(problems({ env: { WS_PORT: bad } }), /WS_PORT/);
});

test("Redis URLs", () => {
  for (const good of [
    "redis://h",
    "redis://:pw@h:1",
    "rediss://user:p%40w@h.example:6380/0",
    "redis://[::1]:6379",
    "redis://h/3",
    "memory:",
  ]) {
    assert.equal(settings({ env: { REDIS_URL: good } }).redisUrl, good);
  }
  for (const bad of [
    "localhost:6379",
    "redis://",
    "redis:",
    "redis://h:port",
    "redis://h:0",
    "redis://s:26379/mymaster",
    "redis://h1,h2",
    "redis-cluster://h",
    "memory:x",
    "ftp://h",
  ]) {
    assert.match(problems({ env: { REDIS_URL: bad } }), /REDIS_URL is/, bad);
  }
  assert.doesNotMatch(problems({ env: { REDIS_URL: "redis://:se/cret@h:x" } }), /se\/cret|cret/);
});

test("control characters of a bad value do not reach the terminal", () => {
  assert.doesNotMatch(problems({ env: { DEMO: "\u001b[2Jon\r\n", LOG_LEVEL: "\u009b2J" } }).replaceAll("\n", ""), /\p{Cc}/u);
});

test("help names every setting; help and version ask for nothing else to be right", () => {
  for (const name of Object.keys(SETTINGS)) assert.match(helpText(), new RegExp(name));
  assert.deepEqual(commandOf({ argv: ["--help"], env: { WS_PORT: "x" }, dotEnv: {} }), { kind: "help" });
  assert.deepEqual(commandOf({ argv: ["-v", "--nonsense"], env: {}, dotEnv: {} }), { kind: "version" });
});
