/** Tokens with the command, as an operator sets it up: who gets in, what each may do, and how a right ends. Two instances, one Redis. */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { BoardId } from "@presence-service/protocol";
import { type JWTPayload, SignJWT } from "jose";
import { eventually, Instance, RedisProcess, SessionClient, throughout } from "./harness/index.ts";

const SECRET = "a-secret-of-these-tests-of-more-than-32-bytes";
const BOARD = "doc-42";
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

function token(claims: JWTPayload, lifeS = 3600): Promise<string> {
  const all = { exp: Math.floor(Date.now() / 1000) + lifeS, boards: { [BOARD]: ["write", "event"] }, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET));
}

test("with AUTH_SECRET each client may do what its token says, on both instances", { timeout: 120_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const folder = mkdtempSync(join(tmpdir(), "presence-keys-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const keys = join(folder, "keys.pem");
  writeFileSync(keys, publicKey.export({ type: "spki", format: "pem" }));
  const env = { AUTH_SECRET: SECRET, AUTH_PUBLIC_KEYS: keys, AUTH_ANONYMOUS: `${BOARD}=read`, LOG_LEVEL: "debug", LOG_FORMAT: "json" };
  const [one, two] = await Promise.all([0, 1].map(() => Instance.start(t, { redisUrl: redis.url, env })));
  assert(one !== undefined && two !== undefined);
  const connect = async (claims: JWTPayload, instance = one) =>
    SessionClient.connect(t, instance.wsUrl, { token: await token(claims), encoding: "binary" });

  const ana = await connect({ sub: "ana", name: "Ana" });
  await ana.join(BOARD, "a name that the client gives");

  await t.test("the name is the token's; the token may come with the upgrade, and by a public key", async () => {
    const signed = new SignJWT({ sub: "ben", name: "Ben", exp: Math.floor(Date.now() / 1000) + 60, boards: { [BOARD]: ["write"] } });
    const offeredToken = await signed.setProtectedHeader({ alg: "ES256" }).sign(privateKey);
    const ben = await SessionClient.connect(t, two.wsUrl, { offeredToken });
    await ben.join(BOARD, "ben");
    await eventually(() => ben.names(BOARD).join() === "Ana" && ana.names(BOARD).join() === "Ben", { what: "they see each other" });
    assert.equal(ana.memberOf(BOARD, "Ben")?.userId, "ben");

    ben.broadcast(BOARD, "wave", 1);
    await eventually(() => ben.has("error", { code: "not_allowed" }), { what: "ben may not broadcast" });
    ana.broadcast(BOARD, "wave", 2);
    await eventually(() => ben.has("event"), { what: "ana may" });
    assert.equal(ana.count("event"), 0);
    ben.leave(BOARD);
  });

  await t.test("another board is refused as one that does not exist, and nothing else", async () => {
    ana.joinAs("doc-43", 9, "ana");
    await eventually(() => ana.has("error", { code: "bad_board", ref: "doc-43" }), { what: "ana is refused" });
    assert.equal(ana.ended, undefined);
  });

  await t.test("without a token one may watch what is open to all, and is shown nowhere", async () => {
    const nobody = await SessionClient.connect(t, two.wsUrl);
    nobody.joinAs(BOARD, 1, "nobody");
    await eventually(() => nobody.has("error", { code: "bad_board" }), { what: "nobody is not shown" });
    nobody.send({ kind: "join", boardId: BOARD as BoardId, attempt: 2, username: "nobody", status: "active", state: {}, observe: true });
    await eventually(() => nobody.names(BOARD).join() === "Ana", { what: "nobody sees ana" });
    await throughout(() => ana.names(BOARD).length === 0, { what: "ana sees nobody", forMs: 300 });
  });

  await t.test("a wrong token is refused, also where some boards are open to all", async () => {
    const forged = `${(await token({ sub: "root" })).slice(0, -8)}AAAAAAAA`;
    const eve = await SessionClient.knock(t, one.wsUrl, { token: forged });
    assert.equal(eve.ended?.code, 4401);
  });

  await t.test("a token that runs out is asked for anew, and without one the client is closed", async () => {
    const eve = await SessionClient.connect(t, one.wsUrl, { token: await token({ sub: "eve" }, 8) });
    await eve.join(BOARD, "eve");
    await eventually(() => eve.has("token_expiring"), { what: "eve is asked", withinMs: 9000 });
    // The fresh one gives fewer rights: they hold at once, also for the board that she is on.
    eve.send({ kind: "auth", token: await token({ sub: "eve", boards: { [BOARD]: ["read"] } }, 5) });
    await eventually(() => eve.has("error", { code: "bad_board", ref: BOARD }), { what: "eve is off the board" });
    await eventually(() => !ana.names(BOARD).includes("eve"), { what: "ana sees her leave" });
    await eventually(() => eve.ended?.code === 4401, { what: "eve is closed", withinMs: 9000 });
  });

  await t.test("no token, no part of one and no secret is in the logs", async () => {
    const said = [...one.lines, ...two.lines].join("\n");
    for (const part of [SECRET, "eyJ"]) assert(!said.includes(part), part);
    assert(said.includes("a token was refused"), "but that one was refused is");
  });
});

test("AUTH=required without a key does not start, and tells all problems at once", async (t) => {
  const env = { AUTH: "required", AUTH_ANONYMOUS: "lobby", ALLOWED_ORIGINS: "app.example.com" };
  const instance = await Instance.launch(t, { redisUrl: "memory:", env });
  assert.deepEqual(await instance.exited, { code: 78, signal: null });
  for (const name of ["AUTH is required", "AUTH_ANONYMOUS", "ALLOWED_ORIGINS"]) assert(instance.lines.join("\n").includes(name), name);
});
