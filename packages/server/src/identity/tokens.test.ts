/** Tokens against real keys, and a real server of keys: which are believed, which are refused, and when nobody can know. */

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { exportJWK, type JWTPayload, SignJWT } from "jose";
import { PresenceError } from "../errors.ts";
import { type Logger, SILENT } from "../telemetry/log.ts";
import { readGrants } from "./rights.ts";
import { type TokenOptions, tokenRights } from "./tokens.ts";

const SECRET = "a secret of these tests, of more than 32 bytes";
const OTHER = "another secret of these tests, of as many bytes";
const REQUEST = {} as IncomingMessage;
const NOW_S = Math.floor(Date.now() / 1000);
const ANA = { sub: "ana", name: "Ana", exp: NOW_S + 3600, boards: { "doc-*": ["write"], "doc-42": ["event"] } };

const bytes = (text: string) => new TextEncoder().encode(text);
const pem = ({ publicKey }: { publicKey: KeyObject }) => publicKey.export({ type: "spki", format: "pem" }).toString();
const RSA = generateKeyPairSync("rsa", { modulusLength: 2048 });
const EC = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ED = generateKeyPairSync("ed25519");

function signed(claims: JWTPayload, key: KeyObject | Uint8Array = bytes(SECRET), alg = "HS256", kid?: string): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) }).sign(key);
}

function rights(options: Partial<TokenOptions> = {}) {
  return tokenRights({
    secrets: [SECRET],
    publicKeys: "",
    jwksUrl: undefined,
    issuer: undefined,
    audience: undefined,
    lifeMaxS: 86_400,
    anonymous: [],
    log: SILENT,
    ...options,
  });
}

const who = async (token: string | undefined, options: Partial<TokenOptions> = {}) =>
  (await rights(options).authenticate(token, REQUEST))?.userId;

test("a token says who somebody is, until when, and what they may do on which boards", async () => {
  const { authenticate, authorize } = rights();
  const user = await authenticate(await signed({ ...ANA, color: "#aa0000", picture: "https://x.test/a.png", kind: "agent" }), REQUEST);
  assert(user !== undefined);
  const { userId, username, color, avatar, kind, expiresAt } = user;
  assert.deepEqual([userId, username, color, avatar, kind], ["ana", "Ana", "#aa0000", "https://x.test/a.png", "agent"]);
  assert.equal(expiresAt, ANA.exp * 1000);
  const enter = { observe: false, watch: false };
  const observe = { observe: true, watch: false };
  assert.deepEqual(authorize(user, "doc-1", enter), { broadcast: false });
  assert.equal(authorize(user, "doc-42", enter), true);
  assert.equal(authorize(user, "other", enter), false);
  assert.equal(authorize(user, "other", observe), false);
  const reader = await authenticate(await signed({ ...ANA, boards: { "*": ["read"] } }), REQUEST);
  assert(reader !== undefined);
  assert.equal(authorize(reader, "doc-1", enter), false);
  assert.deepEqual(authorize(reader, "doc-1", observe), { broadcast: false });
});

const KEYS: readonly (readonly [alg: string, pair: { publicKey: KeyObject; privateKey: KeyObject }])[] = [
  ["RS256", RSA],
  ["PS256", RSA],
  ["ES256", EC],
  ["EdDSA", ED],
];

for (const [alg, pair] of KEYS) {
  test(`${alg} is believed by a public key in PEM form, and by a set of keys`, async () => {
    const token = await signed(ANA, pair.privateKey, alg, "key-1");
    assert.equal(await who(token, { secrets: [], publicKeys: KEYS.map(([, one]) => pem(one)).join("\n") }), "ana");
    const set = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: "key-1" }] });
    assert.equal(await who(token, { secrets: [], publicKeys: set }), "ana");
    assert.equal(
      await who(await signed(ANA, pair.privateKey, alg, "key-2"), { secrets: [], publicKeys: set }),
      undefined,
      "another key's name",
    );
  });
}

test("both secrets are believed while one replaces the other", async () => {
  const secrets = [OTHER, SECRET];
  assert.equal(await who(await signed(ANA, bytes(SECRET)), { secrets }), "ana");
  assert.equal(await who(await signed(ANA, bytes(OTHER)), { secrets }), "ana");
});

const REFUSED: Readonly<Record<string, () => Promise<string> | string>> = {
  "signed by another secret": () => signed(ANA, bytes(OTHER)),
  "not signed (alg none)": () => `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify(ANA))}.`.replaceAll("=", ""),
  "signed by the public key, taken for a secret": () => signed(ANA, bytes(pem(RSA))),
  "of an algorithm for which there is no key": () => signed(ANA, RSA.privateKey, "RS384"),
  "of HS512": () => signed(ANA, bytes(SECRET + SECRET), "HS512"),
  "run out": () => signed({ ...ANA, exp: NOW_S - 60 }),
  "not valid yet": () => signed({ ...ANA, nbf: NOW_S + 60 }),
  "without an end": () => signed({ sub: "ana", boards: ANA.boards }),
  "without a subject": () => signed({ exp: ANA.exp, boards: ANA.boards }),
  "of another issuer": () => signed({ ...ANA, iss: "https://evil.test" }),
  "for another audience": () => signed({ ...ANA, iss: "https://id.test", aud: "billing" }),
  "changed after it was signed": async () => {
    const [head, , signature] = (await signed(ANA)).split(".");
    return [head, btoa(JSON.stringify({ ...ANA, sub: "root" })).replaceAll("=", ""), signature].join(".");
  },
  "no token at all": () => "doc-42",
  "of empty parts": () => "..",
};

for (const [name, make] of Object.entries(REFUSED)) {
  test(`a token is refused that is ${name}`, async () => {
    const isAboutIssuer = /issuer|audience/.test(name);
    const options = {
      publicKeys: name.includes("no key") ? "" : pem(RSA),
      ...(isAboutIssuer ? { issuer: "https://id.test", audience: "presence" } : {}),
    };
    const token = await make();
    const lines: string[] = [];
    const log = { ...SILENT, warn: (...args: unknown[]) => void lines.push(JSON.stringify(args)) } as Logger;
    assert.equal(await who(token, { ...options, log }), undefined);
    assert.equal(lines.length, 1, "the operator is told why");
    assert(token.length < 3 || !lines.join().includes(token), "and is not shown the token");
  });
}

test("a token whose claim boards is wrong or absent gives no right to any board", async () => {
  for (const boards of [undefined, "doc-42", { "doc-42": "write" }]) {
    const { authenticate, authorize } = rights();
    const { boards: _, ...claims } = ANA;
    const user = await authenticate(await signed(boards === undefined ? claims : { ...claims, boards }), REQUEST);
    assert(user !== undefined);
    assert.equal(authorize(user, "doc-42", { observe: true, watch: false }), false);
  }
});

test("without a token everybody may do what is open to all, and nothing if nothing is", async () => {
  assert.equal(await rights().authenticate(undefined, REQUEST), undefined);
  const { authenticate, authorize } = rights({ anonymous: readGrants("public/*=read") ?? [] });
  const user = await authenticate(undefined, REQUEST);
  assert(user?.anonymous === true);
  assert.deepEqual(authorize(user, "public/a", { observe: true, watch: false }), { broadcast: false });
  assert.equal(authorize(user, "public/a", { observe: false, watch: false }), false);
  assert.equal(authorize(user, "doc-42", { observe: true, watch: false }), false);
  assert.equal(await authenticate(await signed(ANA, bytes(OTHER)), REQUEST), undefined, "a wrong token is no missing token");
});

/** A server that publishes keys, as an identity provider does. */
async function publishing(t: { after(fn: () => unknown): void }, keys: () => { readonly status: number; readonly body: unknown }) {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    const { status, body } = keys();
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const options = { secrets: [], jwksUrl: `http://127.0.0.1:${port}/keys`, issuer: "https://id.test" };
  return { options, asked: () => asked };
}

test("keys that an issuer publishes are fetched once, and again for a key that is new", async (t) => {
  const published = [{ ...(await exportJWK(EC.publicKey)), kid: "old", alg: "ES256" }];
  const { options, asked } = await publishing(t, () => ({ status: 200, body: { keys: published } }));
  const claims = { ...ANA, iss: "https://id.test" };
  const { authenticate } = rights(options);
  const user = async (token: Promise<string>) => (await authenticate(await token, REQUEST))?.userId;
  assert.equal(await user(signed(claims, EC.privateKey, "ES256", "old")), "ana");
  assert.equal(await user(signed(claims, EC.privateKey, "ES256", "old")), "ana");
  assert.equal(asked(), 1);
  published.push({ ...(await exportJWK(RSA.publicKey)), kid: "new", alg: "RS256" });
  // Within the half minute a stranger's unknown key has nothing fetched: another verifier stands for the time after it.
  assert.equal(await user(signed(claims, RSA.privateKey, "RS256", "new")), undefined);
  assert.equal(asked(), 1);
  const later = rights(options).authenticate;
  assert.equal((await later(await signed(claims, RSA.privateKey, "RS256", "new"), REQUEST))?.userId, "ana");
  assert.equal(await user(signed({ ...ANA, iss: "https://evil.test" }, EC.privateKey, "ES256", "old")), undefined, "of another issuer");
});

for (const [name, keys] of [
  ["fail", () => ({ status: 503, body: {} })],
  ["are nonsense", () => ({ status: 200, body: { keys: "none" } })],
] as const) {
  test(`if the issuer's keys ${name}, a token is neither believed nor refused: that is a failure, and the client comes back`, async (t) => {
    const { options } = await publishing(t, keys);
    await assert.rejects(who(await signed({ ...ANA, iss: "https://id.test" }, EC.privateKey, "ES256", "old"), options), /issuer's keys/);
  });
}

test("an issuer that cannot be reached is a failure, and refuses nobody", async () => {
  const options = { secrets: [], jwksUrl: "http://127.0.0.1:1/keys", issuer: "https://id.test" };
  await assert.rejects(who(await signed({ ...ANA, iss: "https://id.test" }, EC.privateKey, "ES256", "old"), options), /issuer's keys/);
});

test("a text without a public key is a wrong setting, and a private key is none", () => {
  const privatePem = RSA.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  for (const publicKeys of ["none", "{}", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}', "{", privatePem])
    assert.throws(
      () => rights({ publicKeys }),
      (error) => error instanceof PresenceError && error.code === "BAD_SETTINGS" && /AUTH_PUBLIC_KEYS/.test(error.message),
      publicKeys,
    );
});

test("a token that lives longer than allowed is refused, from its iat or from now; when it was issued is told", async () => {
  const day = 86_400;
  assert.equal(await who(await signed({ ...ANA, exp: NOW_S + 3600, iat: NOW_S - day })), undefined);
  assert.equal(await who(await signed({ ...ANA, exp: NOW_S + day + 60 })), undefined);
  assert.equal(await who(await signed({ ...ANA, exp: NOW_S + day + 60 }), { lifeMaxS: 2 * day }), "ana");
  const user = await rights().authenticate(await signed({ ...ANA, iat: NOW_S - 60 }), REQUEST);
  assert.equal(user?.issuedAt, (NOW_S - 60) * 1000);
});

test("the right admin is for calls of the admin API, and lets nobody onto a board", async () => {
  const { administer, authenticate, authorize } = rights();
  const token = await signed({ ...ANA, iat: NOW_S, boards: { "team/*": ["admin"] } });
  const lead = await administer(token);
  assert.deepEqual(
    [lead?.userId, lead?.issuedAt, lead?.mayAdminister("team/1"), lead?.mayAdminister("doc-1")],
    ["ana", NOW_S * 1000, true, false],
  );
  const user = await authenticate(token, REQUEST);
  assert(user !== undefined);
  assert.equal(authorize(user, "team/1", { observe: true, watch: false }), false);
  assert.equal(await administer(await signed({ ...ANA, exp: NOW_S - 60 })), undefined);
  assert.equal(await administer("nonsense"), undefined);
});
