/** Settings by which people are known, and secrets that come from files: all mistakes at once, and none of them shows a secret. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { commandOf, possibleSecrets } from "../config.ts";
import { PresenceError } from "../errors.ts";

const SECRET = "a-secret-of-these-tests-of-more-than-32-bytes";

function settings(env: Record<string, string>) {
  const command = commandOf({ argv: [], env, dotEnv: {} });
  return command.kind === "run" ? command.settings : assert.fail(command.kind);
}

function problems(env: Record<string, string>): string[] {
  try {
    settings(env);
  } catch (error) {
    assert(error instanceof PresenceError);
    return error.message.split("\n").slice(1);
  }
  return [];
}

test("a key has clients show a token, and the demo page is not served then unless it is asked for", () => {
  const { auth, demo } = settings({ AUTH_SECRET: `${SECRET},${SECRET}-too`, AUTH_ISSUER: "https://id.test", AUTH_ANONYMOUS: "lobby=read" });
  assert.deepEqual(auth, {
    secrets: [SECRET, `${SECRET}-too`],
    publicKeys: "",
    jwksUrl: undefined,
    issuer: "https://id.test",
    audience: undefined,
    anonymous: [{ boards: "lobby", rights: ["read"] }],
  });
  assert.equal(demo, false);
  assert.equal(settings({ AUTH_SECRET: SECRET, DEMO: "on" }).demo, true);
});

test("origins and tokens in URLs are taken over", () => {
  const { allowedOrigins, tokenInUrl } = settings({ ALLOWED_ORIGINS: "https://a.test, https://b.test", TOKEN_IN_URL: "on" });
  assert.deepEqual([allowedOrigins, tokenInUrl], [["https://a.test", "https://b.test"], true]);
});

const WRONG: readonly (readonly [what: string, env: Record<string, string>, said: RegExp])[] = [
  ["a short secret", { AUTH_SECRET: "too short" }, /^ {2}- AUTH_SECRET is "\*\*\*".*32 bytes/],
  ["one short secret of two", { AUTH_SECRET: `${SECRET},short` }, /AUTH_SECRET is "\*\*\*"/],
  ["no key where one is required", { AUTH: "required" }, /AUTH is required, and there is no key/],
  ["an empty variable where a key is required", { AUTH: "required", AUTH_SECRET: "" }, /AUTH is required/],
  ["keys of nobody in particular", { AUTH_JWKS_URL: "https://id.test/keys" }, /AUTH_JWKS_URL is set without AUTH_ISSUER/],
  ["keys over a line that others may change", { AUTH_JWKS_URL: "http://id.test/keys", AUTH_ISSUER: "i" }, /AUTH_JWKS_URL is .*https/],
  ["a file that is not there", { AUTH_PUBLIC_KEYS: "/no/such/file" }, /AUTH_PUBLIC_KEYS names cannot be read \(ENOENT\)/],
  ["boards for everybody where everybody may do everything", { AUTH_ANONYMOUS: "lobby=read" }, /AUTH_ANONYMOUS is of no use/],
  ["rights that there are not", { AUTH_SECRET: SECRET, AUTH_ANONYMOUS: "lobby=admin" }, /AUTH_ANONYMOUS is/],
  ["an origin that no page has", { ALLOWED_ORIGINS: "app.example.com" }, /ALLOWED_ORIGINS has entries.*names no scheme/],
  ["a secret twice", { BUS_SECRET: SECRET, BUS_SECRET_FILE: "/run/secret" }, /BUS_SECRET and BUS_SECRET_FILE are both set/],
  ["a secret's file that is not there", { AUTH_SECRET_FILE: "/no/such/file" }, /AUTH_SECRET_FILE names cannot be read \(ENOENT\)/],
];

for (const [what, env, said] of WRONG) {
  test(`${what}: one problem, which says what to do and shows no secret`, () => {
    const lines = problems(env);
    assert.deepEqual([lines.length, lines.filter((line) => said.test(line)).length], [1, 1], lines.join("\n"));
    for (const shown of [SECRET, "too short", "/no/such/file", "/run/secret"]) assert(!lines.join().includes(shown), shown);
  });
}

test("wrong ones are told all at once", () => {
  const lines = problems({ AUTH: "required", AUTH_ANONYMOUS: "lobby", ALLOWED_ORIGINS: "app", TOKEN_IN_URL: "perhaps", WS_PORT: "x" });
  assert.equal(lines.length, 5, lines.join("\n"));
});

test("secrets come from files, without the line end that editors add, and are secrets", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence-secrets-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const { redisUrl, busSecret, auth } = settings({
    REDIS_URL_FILE: file("url", "redis://:pass-word@r.test:6379\n"),
    BUS_SECRET_FILE: file("bus", `${SECRET}\r\n`),
    AUTH_SECRET_FILE: file("auth", `${SECRET}-for-tokens`),
  });
  assert.deepEqual([redisUrl, busSecret, auth?.secrets], ["redis://:pass-word@r.test:6379", SECRET, [`${SECRET}-for-tokens`]]);
  for (const secret of ["pass-word", SECRET, `${SECRET}-for-tokens`]) assert(possibleSecrets([]).includes(secret), secret);
  assert.match(problems({ REDIS_URL_FILE: file("empty", " \n") }).join(), /REDIS_URL_FILE names is empty/);
  assert.match(problems({ REDIS_URL_FILE: file("wrong", "htp://x") }).join(), /REDIS_URL is .* \(the file of REDIS_URL_FILE\)/);
});
