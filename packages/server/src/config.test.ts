/** Settings: their sources have an order, and all mistakes come in one error, without secrets. */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { boundsOf } from "./bounds.ts";
import { commandOf, helpText, possibleSecrets, SETTINGS, type Settings } from "./config.ts";
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
    redisSharded: false,
    redisTls: {},
    redisSentinel: {},
    busSecret: "",
    demo: true,
    inspector: true,
    recorder: { bytes: 16 * 2 ** 20, content: false },
    auth: undefined,
    tokenLifeMaxS: 86_400,
    webhooks: undefined,
    admin: undefined,
    allowedOrigins: undefined,
    tokenInUrl: false,
    trustedProxies: [],
    limits: boundsOf(),
  });
});

test("limits are whole numbers within their range, or refused by name", () => {
  const env = { CONNECTIONS_PER_USER: "5", HELLO_MS: "2000" };
  assert.deepEqual(settings({ env }).limits, boundsOf({ connectionsPerUser: 5, helloMs: 2000 }));
  for (const wrong of ["0", "-1", "1.5", "many", "99999999"]) {
    assert.match(problems({ env: { CONNECTIONS_PER_ADDRESS: wrong } }), /CONNECTIONS_PER_ADDRESS is .*allowed: 1 to 1000000/);
  }
});

test("trusted proxies are a list of addresses and ranges, or refused", () => {
  assert.deepEqual(settings({ env: { TRUSTED_PROXIES: "10.0.0.0/8, ::1,192.0.2.7" } }).trustedProxies, ["10.0.0.0/8", "::1", "192.0.2.7"]);
  for (const wrong of ["proxy.example.com", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/-1", "*"]) {
    assert.match(problems({ env: { TRUSTED_PROXIES: wrong } }), /TRUSTED_PROXIES is .*IP addresses/);
  }
});

test("the recorder has memory, or none, and an absolute path", () => {
  const env = { RECORDER_BYTES: "0", RECORDER_DIR: "/var/lib/presence", RECORDER_CONTENT: "on" };
  assert.deepEqual(settings({ env }).recorder, { bytes: 0, dir: "/var/lib/presence", content: true });
  for (const RECORDER_BYTES of ["1000", "-1", "16M", "9999999999"])
    assert.match(problems({ env: { RECORDER_BYTES } }), /RECORDER_BYTES is/);
  assert.match(problems({ env: { RECORDER_DIR: "recordings" } }), /RECORDER_DIR is .*absolute path/);
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

test("a variable with nearly the name of a setting is told, without its value, and those of others are not", () => {
  const warningsOf = (env: Record<string, string>) => {
    const command = commandOf({ argv: [], env, dotEnv: {} });
    return command.kind === "run" ? command.warnings : assert.fail(command.kind);
  };
  assert.deepEqual(warningsOf({ AUTH_SECERT: "canary" }), [
    "The environment has a name like AUTH_SECRET that nothing reads. If AUTH_SECRET is meant, rename it.",
  ]);
  const others = { PATH: "/bin", HOME: "/", PORT: "80", HOSTNAME: "h", REDIS_PORT: "tcp://10.0.0.1:6379", REDIS_SERVICE_HOST: "10.0.0.1" };
  assert.deepEqual(warningsOf({ ...others, NODE_ENV: "production", NO_COLOR: "1", AUTH_SECERT: "" }), []);
});

test("the Inspector is where the admin API is, and in a trial, unless it is switched off", () => {
  const has = (env: Record<string, string>) => settings({ env }).inspector;
  assert.deepEqual([has({}), has({ NODE_ENV: "production" }), has({ INSPECTOR: "off" })], [true, false, false]);
  for (const admin of [{ ADMIN_PORT: "9000" }, { ADMIN_TOKEN: "x".repeat(32) }]) {
    assert.equal(has({ NODE_ENV: "production", ...admin }), true);
    assert.equal(has({ NODE_ENV: "production", INSPECTOR: "off", ...admin }), false);
  }
  assert.equal(has({ NODE_ENV: "production", INSPECTOR: "on" }), true);
});

test("the demo page is off in production, unless asked for", () => {
  assert.equal(settings({ env: { NODE_ENV: "production" } }).demo, false);
  assert.equal(settings({ env: { NODE_ENV: "production", DEMO: "on" } }).demo, true);
  assert.equal(settings({ env: { DEMO: "off" } }).demo, false);
});

test("a wrong value is shown unless it may be a secret", () => {
  for (const [name, value] of [
    ["DEMO", "maybe"],
    ["LOG_LEVEL", "verbose"],
    ["WS_PORT", "eighty"],
    ["TRUSTED_PROXIES", "10.0.0.0/33"],
  ] as const)
    assert.ok(problems({ env: { [name]: value } }).includes(`${name} is "${value}" (environment)`), value);
  for (const value of ["hunter2hunter2", "c4nary-P4ssw0rd", "correcthorsebattery", "redis://:p@h"])
    for (const name of ["DEMO", "LOG_LEVEL", "WS_PORT"])
      assert.ok(problems({ env: { [name]: value } }).includes(`${name} is "***"`), `${name}: ${value}`);
});

test("a REDIS_URL of several servers that lacks something is refused with what it lacks", () => {
  for (const [url, words] of [
    ["redis-sentinel://h1", /needs a slash and the name of the master/],
    ["redis-sentinel://h1,h2/", /needs a slash and the name of the master/],
    ["redis://a,b", /Several hosts are Sentinels, with the name of their master, redis-sentinel:.* or nodes of a Cluster, redis-cluster:/],
    ["redis-cluster://a,b/c", /A Cluster has no name/],
  ] as const)
    assert.match(problems({ env: { REDIS_URL: url } }), words, url);
  assert.doesNotMatch(problems({ env: { REDIS_URL: "redis://h:x" } }), /needs a slash|Several|no name/);
});

test("a REDIS_URL that is nearly right is refused with what is to be mended", () => {
  for (const [url, words] of [
    ["localhost:6379", /Is redis:\/\/localhost:6379 meant\? Allowed: /],
    ["10.0.0.5:6379", /Is redis:\/\/10\.0\.0\.5:6379 meant\? Allowed: /],
    ["memory", /Is memory: meant\? Allowed: /],
    ["memory://", /Is memory: meant\? Allowed: /],
    ['"redis://localhost:6379"', /quotation marks/],
    ["redis://localhost:6379 ", /a space or the end of a line/],
    ["redis://localhost:6379\r", /a space or the end of a line/],
    ["redis://localhost:6379?db=1", /a \? or # in it/],
    ...["localhost", "http://localhost:6379", "redis:localhost", "redis:/localhost", "tcp://h:6379", "valkey://h", "user:pass@h:1"].map(
      (url) => [url, /It must begin with redis:\/\/, or with rediss:\/\/ for TLS\./] as const,
    ),
    ...["redis://h:", "redis://h:x", "redis://h:0", "redis://h:99999", "redis://user:pass"].map(
      (url) => [url, /After the colon of a host comes its port, from 1 to 65535/] as const,
    ),
  ] as const)
    assert.match(problems({ env: { REDIS_URL: url } }), words, url);
});

test("all that is wrong comes in one error, each with name, value, origin and what is allowed", () => {
  const text = problems({
    argv: ["--log-level", "loud", "--redis-password=hunter2", "--ws-host", "extra"],
    env: { WS_PORT: "70000", REDIS_PREFIX: "My:Prefix", DEMO: "maybe" },
    dotEnv: { REDIS_URL: "http://user:hunter2@cache:6379" },
  });
  for (const name of ["LOG_LEVEL", "WS_PORT", "REDIS_PREFIX", "DEMO", "REDIS_URL"]) assert.match(text, new RegExp(`- ${name} is ".*" \\(`));
  assert.match(text, /"70000" \(environment\); allowed: a port number from 0 to 65535/);
  assert.match(text, /Argument 3 is no flag of this command\. It is not shown/);
  assert.match(text, /"http:\/\/\*\*\*@cache:6379" \(\.env\)/);
  assert.doesNotMatch(text, /hunter2/);
});

test("a flag without a value is named; what is no flag is told by its place, with the flag that may be meant", () => {
  const text = problems({ argv: ["start", "--redis_url=x", "-p", "--ws-port"] });
  for (const place of [1, 2, 3]) assert.match(text, new RegExp(`Argument ${place} is no flag of this command`));
  assert.match(text, /Argument 2 .* Is --redis-url meant\?/);
  assert.match(text, /--ws-port needs a value/);
  for (const [argv, meant] of [
    ["--redis-ulr=x", "--redis-url"],
    ["--port=80", "--ws-port"],
    ["--redis=x", "--redis-url"],
    ["help", "--help"],
    ["version", "--version"],
  ] as const)
    assert.ok(problems({ argv: [argv] }).includes(`Is ${meant} meant?`), argv);
  assert.doesNotMatch(problems({ argv: ["--token=x"] }), /meant/);
});

test("Sentinels have a user and a password of their own, and nobody else has", () => {
  const env = { REDIS_URL: "redis://s:26379/mymaster", REDIS_SENTINEL_USERNAME: "u", REDIS_SENTINEL_PASSWORD: "canary/@" };
  assert.deepEqual(settings({ env }).redisSentinel, { username: "u", password: "canary/@" });
  assert.match(problems({ env: { ...env, REDIS_SENTINEL_PASSWORD: "" } }), /USERNAME is set without REDIS_SENTINEL_PASSWORD/);
  for (const url of ["redis://s:26379", "redis-cluster://a,b"]) {
    assert.match(problems({ env: { ...env, REDIS_URL: url } }), /REDIS_SENTINEL_PASSWORD is of no use.*(?!canary)$/);
  }
});

const CANARY = "canary";

test("a password is not shown, wherever somebody may have put it by mistake", () => {
  const url = `redis://user:${CANARY}@h:6379`;
  const lines = [
    [CANARY],
    [url],
    [`-${CANARY}`],
    [`-p${CANARY}`],
    ["-p", CANARY],
    [`--${CANARY}`],
    [`--redis-password=${CANARY}`],
    ["--redis-password", CANARY],
    [`--redis_url=${url}`],
    ["--redis_url", url],
    [`--redis-url${url}`],
    [`--redis-url:${CANARY}`],
    [`--redis-url ${url}`],
    [`REDIS_URL=${url}`],
    ["--", CANARY],
  ];
  for (const argv of lines) assert.doesNotMatch(problems({ argv }), /canary/i, argv.join(" "));
  const urls = [
    `redis://user:${CANARY}@h:x`,
    `redis://${CANARY}@h:x`,
    `redis://:${CANARY}`,
    `redis://user:${CANARY}`,
    `redis://:a/${CANARY}@h`,
    `redis://:a#${CANARY}@h`,
    `redis://:a?${CANARY}@h`,
    `redis://:a b${CANARY}@h`,
    `redis://h/my/${CANARY}`,
    `redis://h/0?password=${CANARY}`,
    `redis://h#${CANARY}`,
    `redis:${CANARY}`,
    `http://a:${CANARY}@h`,
    `user:${CANARY}@h:6379`,
    `"redis://:${CANARY}@h"`,
    CANARY,
  ];
  for (const REDIS_URL of urls) {
    for (const sources of [{ env: { REDIS_URL } }, { dotEnv: { REDIS_URL } }, { argv: ["--redis-url", REDIS_URL] }])
      assert.doesNotMatch(problems(sources), /canary/i, REDIS_URL);
  }
  // Any text is right for some; of a wrong origin only a password is hidden, as a list without names is hard to mend.
  assert.doesNotMatch(problems({ env: { ALLOWED_ORIGINS: url } }), /canary/i);
  const others = ["REDIS_URL", "REDIS_PREFIX", "WS_HOST", "AUTH_ISSUER", "AUTH_AUDIENCE", "ALLOWED_ORIGINS"];
  for (const name of Object.keys(SETTINGS).filter((name) => !others.includes(name))) {
    for (const value of [`${CANARY}:${CANARY}`, url]) assert.doesNotMatch(problems({ env: { [name]: value } }), /canary/i, name);
  }
  for (const name of ["WS_HOST", "REDIS_PREFIX"]) assert.doesNotMatch(problems({ env: { [name]: url } }), /canary/i, name);
});

test("an error of which nothing is known is shown without what the command was given", () => {
  const secrets = possibleSecrets([`--redis_url=redis://us%65r-name:p%40ssword@h/pathname?a=b-secret#hash-secret`, "positional"]);
  for (const secret of ["p%40ssword", "p@ssword", "user-name", "pathname", "a=b-secret", "hash-secret", "positional"])
    assert.ok(secrets.includes(secret), secret);
  const several = possibleSecrets(["redis-sentinel://user-name:pass,word@a:1,b:2/mymaster", "redis-cluster://:p,assword@a,b"]);
  for (const secret of ["user-name", "pass,word", "p,assword"]) assert.ok(several.includes(secret), secret);
  assert.ok(!secrets.includes("presence"), "words of our own are no secrets");
});

test("BUS_SECRET is a list of long secrets, and neither it nor a part of it is shown", () => {
  const BUS_SECRET = `${"a".repeat(32)}, ${"b".repeat(32)},none`;
  assert.equal(settings({ env: { BUS_SECRET } }).busSecret, BUS_SECRET);
  for (const wrong of ["1234", `${"c4nary".repeat(9)},`, `none,${"c4nary".repeat(9)}`]) {
    const text = problems({ env: { BUS_SECRET: wrong } });
    assert.match(text, /BUS_SECRET is "\*\*\*".*32 to 256/);
    assert.doesNotMatch(text, /c4nary|1234/);
  }
  const secrets = possibleSecrets([`--bus-secret=${BUS_SECRET}`]);
  for (const secret of [BUS_SECRET, "a".repeat(32), "b".repeat(32)]) assert.ok(secrets.includes(secret), secret);
});

test("TLS files: each problem is told, and neither a path nor what stands in the file", () => {
  const folder = mkdtempSync(join(tmpdir(), "presence-tls-"));
  try {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = file("canary-key.pem", String(privateKey.export({ type: "pkcs8", format: "pem" })));
    const locked = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: CANARY });
    const REDIS_URL = "rediss://h";
    const cases: [Record<string, string>, RegExp][] = [
      [{ REDIS_TLS_CA: join(folder, CANARY) }, /file that REDIS_TLS_CA names cannot be read \(ENOENT\)/],
      [{ REDIS_TLS_CA: folder }, /file that REDIS_TLS_CA names cannot be read \(EISDIR\)/],
      [{ REDIS_TLS_CA: key }, /file that REDIS_TLS_CA names holds no certificate/],
      [{ REDIS_TLS_CERT: key }, /REDIS_TLS_CERT is set without REDIS_TLS_KEY/],
      [{ REDIS_TLS_KEY: key }, /REDIS_TLS_KEY is set without REDIS_TLS_CERT/],
      [{ REDIS_TLS_KEY: file("canary-locked.pem", String(locked)) }, /holds a key with a passphrase/],
      [{ REDIS_TLS_KEY: file("canary-text", CANARY) }, /holds no private key/],
      [{ REDIS_TLS_KEY: `-----BEGIN PRIVATE KEY-----\n${CANARY}` }, /REDIS_TLS_KEY holds PEM text. Write that text to a file/],
      [{ REDIS_TLS_CA: key, REDIS_URL: "redis://h" }, /REDIS_TLS_CA is of no use without TLS: REDIS_URL must begin with rediss/],
      [{ REDIS_TLS_NAME: "redis.example", REDIS_URL: "redis://h" }, /REDIS_TLS_NAME is of no use without TLS/],
    ];
    for (const [env, expected] of cases) {
      const text = problems({ env: { REDIS_URL, ...env } });
      assert.match(text, expected);
      assert.doesNotMatch(text, /canary|presence-tls/i);
    }
    const all = problems({ env: { REDIS_URL, REDIS_TLS_CA: key, REDIS_TLS_CERT: folder, WS_PORT: "x" } });
    for (const name of ["REDIS_TLS_CA", "REDIS_TLS_CERT is set without", "REDIS_TLS_CERT names", "WS_PORT"])
      assert.match(all, new RegExp(name));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("boards are spread over a Cluster, and over nothing else", () => {
  const on = { REDIS_SHARDED: "on" };
  for (const REDIS_URL of ["redis-cluster://a,b", "rediss-cluster://a"])
    assert.equal(settings({ env: { ...on, REDIS_URL } }).redisSharded, true);
  for (const REDIS_URL of ["redis://a", "redis-sentinel://a/m", "memory:"])
    assert.match(problems({ env: { ...on, REDIS_URL } }), /REDIS_SHARDED=on needs a Cluster/);
  assert.doesNotMatch(problems({ env: { ...on, REDIS_URL: "nonsense" } }), /REDIS_SHARDED/);
  const named = { REDIS_URL: "rediss://10.0.0.1", REDIS_TLS_NAME: "redis.example" };
  assert.deepEqual(settings({ env: named }).redisTls, { name: "redis.example" });
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
    "redis://s:26379/mymaster",
    "rediss-sentinel://:pw@s1,s2:1/mymaster",
    "redis-cluster://h1:7000,h2",
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
    "redis-sentinel://s",
    "redis://h1,h2",
    "redis-cluster://h/m",
    "memory:x",
    "ftp://h",
    "redis://h?db=1",
    "redis://h#1",
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
  assert.deepEqual(commandOf({ argv: ["--help"], env: { WS_PORT: "x" }, dotEnv: {} }), { kind: "help", of: undefined });
  assert.deepEqual(commandOf({ argv: ["-v", "--nonsense"], env: {}, dotEnv: {} }), { kind: "version" });
});

test("an admin port is on loopback, or asks for a token; a token is never shown", () => {
  const token = "t".repeat(32);
  const read = (env: Record<string, string>) => {
    const command = commandOf({ argv: [], env, dotEnv: {} });
    return command.kind === "run" ? command.settings.admin : assert.fail(command.kind);
  };
  assert.equal(read({}), undefined);
  assert.deepEqual(read({ ADMIN_PORT: "9464" }), { port: 9464, host: "127.0.0.1", token: "" });
  assert.deepEqual(read({ ADMIN_PORT: "9464", ADMIN_HOST: "0.0.0.0", ADMIN_TOKEN: token }), { port: 9464, host: "0.0.0.0", token });
  assert.deepEqual(read({ ADMIN_TOKEN: `ops:${token}` }), { port: undefined, host: "127.0.0.1", token: `ops:${token}` });
  assert.throws(() => read({ ADMIN_PORT: "9464", ADMIN_HOST: "0.0.0.0" }), /there is no ADMIN_TOKEN/);
  assert.throws(() => read({ ADMIN_PORT: "3001" }), /the same as WS_PORT/);
  assert.throws(() => read({ ADMIN_HOST: "::1" }), /of no use without ADMIN_PORT/);
  assert.throws(
    () => read({ ADMIN_TOKEN: "hunter2" }),
    (error: Error) => /ADMIN_TOKEN is "\*\*\*"/.test(error.message) && !error.message.includes("hunter2"),
  );
});
