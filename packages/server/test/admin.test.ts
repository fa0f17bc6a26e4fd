/** The admin API of the command, as an operator uses it: two instances, one Redis, clients with tokens. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import { type JWTPayload, SignJWT } from "jose";
import * as forms from "../src/admin/forms.ts";
import { eventually, freePort, Instance, RedisProcess, SessionClient } from "./harness/index.ts";

const SECRET = "a-secret-of-these-tests-of-more-than-32-bytes";
const TOKEN = "an-admin-token-of-these-tests-of-32-bytes";
const BOARD = "team/doc-42";
const AT = `/boards/${encodeURIComponent(BOARD)}`;

function token(claims: JWTPayload): Promise<string> {
  const all = { exp: Math.floor(Date.now() / 1000) + 3600, boards: { "team/*": ["write", "event"] }, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: "HS256" }).setIssuedAt().sign(new TextEncoder().encode(SECRET));
}

type Ask = {
  readonly method?: string;
  readonly body?: unknown;
  readonly bearer?: string | null;
  readonly headers?: Record<string, string>;
};

/** An instance with an admin port of its own. */
class Administered {
  readonly instance: Instance;
  readonly base: string;

  constructor(instance: Instance, adminPort: number) {
    this.instance = instance;
    this.base = `http://127.0.0.1:${adminPort}`;
  }

  async ask(path: string, { method = "GET", body, bearer = TOKEN, headers = {} }: Ask = {}) {
    const response = await fetch(`${this.base}/admin/v1${path}`, {
      method,
      headers: {
        connection: "close",
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
  }
}

test("an operator sees why, puts people out, tells them something, and no stranger does", { timeout: 120_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const start = async () => {
    const adminPort = await freePort();
    const env = { AUTH_SECRET: SECRET, ADMIN_TOKEN: `ops:${TOKEN}`, ADMIN_PORT: String(adminPort), LOG_FORMAT: "json" };
    return new Administered(await Instance.start(t, { redisUrl: redis.url, env }), adminPort);
  };
  const [one, two] = await Promise.all([start(), start()]);
  const connect = async (claims: JWTPayload, { instance }: Administered) =>
    SessionClient.connect(t, instance.wsUrl, { token: await token(claims) });
  const ana = await connect({ sub: "ana", name: "Ana" }, one);
  const ben = await connect({ sub: "ben", name: "Ben" }, two);
  await ana.join(BOARD, "");
  await ben.join(BOARD, "");
  await eventually(() => ana.names(BOARD).includes("Ben"), { what: "ana sees ben" });
  const knowEachOther = async () =>
    (await Promise.all([one, two].map(async (each) => (await each.ask("/instances")).body.peers.length))).join() === "1,1";
  await eventually(knowEachOther, { what: "each lists the other" });

  await t.test("strangers see that, not whom; the inside is on the admin port", async () => {
    const health = await one.instance.get("/health");
    assert.deepEqual(await health.json(), { status: "ok", ready: true, degraded: false });
    assert.equal((await one.instance.get("/metrics")).status, 401);
    assert.equal((await one.instance.get("/metrics", { headers: { authorization: `Bearer ${TOKEN}` } })).status, 401, "not on this port");
    assert.equal((await one.instance.get("/admin/v1/boards")).status, 404);
    const inside = (await (await fetch(`${one.base}/health`)).json()) as { peers: unknown[] };
    assert.equal(inside.peers.length, 1);
    assert.match(await (await fetch(`${one.base}/metrics`)).text(), /^presence_members/m);
  });

  await t.test("no token, a wrong one, a page and a user without the right are refused; the log has no token", async () => {
    const answers = [
      await one.ask("/boards", { bearer: null }),
      await one.ask("/boards", { bearer: `${TOKEN}x` }),
      await one.ask("/boards", { headers: { origin: "http://localhost" } }),
      await one.ask(AT, { bearer: await token({ sub: "ana" }) }),
      await one.ask("/nothing"),
      await one.ask("/boards", { method: "POST", body: {} }),
      await one.ask("/kick", { method: "POST", body: { userId: "ana", memberId: ana.memberId } }),
      await one.ask("/kick", { method: "POST", body: { userId: 7 } }),
      await one.ask("/kick", { method: "POST", body: "x".repeat(20_000) }),
      await one.ask("/kick", { method: "POST", headers: { "content-type": "text/plain" }, body: {} }),
      await one.ask("/boards?limit=0"),
      await one.ask("/boards/no%20board"),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401, 403, 403, 404, 405, 400, 400, 413, 415, 400, 400],
    );
    for (const { status, headers, body } of answers) {
      assert.equal(headers.get("content-type"), "application/problem+json; charset=utf-8");
      assert.equal(headers.get("access-control-allow-origin"), null);
      assert.equal(forms.problem.parse(body).status, status);
    }
  });

  await t.test("of pages only those of the service itself may call, and they need a token as well", async () => {
    const statusOf = async (headers: Record<string, string>, bearer: string | null = TOKEN) =>
      (await one.ask("/announcements", { method: "POST", body: {}, bearer, headers })).status;
    // 400: the call is looked at, and an announcement has a text.
    const [own, neighbour] = [one.base, one.base.replace(/\d+$/, "1")];
    assert.equal(await statusOf({ origin: own }), 400);
    assert.equal(await statusOf({ origin: own, "sec-fetch-site": "same-origin" }), 400);
    assert.equal(await statusOf({ origin: "https://presence.example", "sec-fetch-site": "same-origin" }), 400, "a proxy has changed Host");
    assert.equal(await statusOf({ origin: own }, null), 401);
    for (const origin of [neighbour, one.instance.url, "https://evil.example", "null"]) {
      assert.equal(await statusOf({ origin }), 403, origin);
      for (const site of ["same-site", "cross-site", "none"]) assert.equal(await statusOf({ origin, "sec-fetch-site": site }), 403, origin);
    }
    const answer = await one.ask("/instances");
    assert.equal(answer.headers.get("x-presence-instance"), answer.body.self);
    assert.equal((await one.ask("/instances", { bearer: null })).headers.get("x-presence-instance"), null);
  });

  await t.test("boards, rosters, and why a member is shown", async () => {
    const { boards } = (await one.ask("/boards")).body;
    assert.deepEqual(boards.map(forms.board.parse.bind(forms.board)), [
      { boardId: BOARD, own: 1, members: 2, users: 2, observers: 0, degraded: false },
    ]);
    const found = async (query: string) => (await one.ask(`/boards?${query}`)).body.boards?.length;
    assert.deepEqual(await Promise.all(["holds=doc-4", "holds=doc-5", "by=members", `by=members&after=${BOARD}`].map(found)), [
      1,
      0,
      1,
      undefined,
    ]);
    const board = (await one.ask(AT)).body;
    assert.deepEqual(
      board.slices.map(({ members }: { members: number }) => members),
      [1, 1],
    );
    const { members } = (await one.ask(`${AT}/members`)).body;
    assert.deepEqual(members.map(({ username }: { username: string }) => username).sort(), ["Ana", "Ben"]);
    const first = (await one.ask(`${AT}/members?limit=1`)).body;
    const second = (await one.ask(`${AT}/members?limit=1&after=${first.members[0].memberId}`)).body;
    assert.deepEqual([first.more, second.more, second.members[0].memberId], [true, false, members[1].memberId]);

    const { self, peers } = forms.instances.parse((await one.ask("/instances")).body);
    const why = forms.reasons.parse((await one.ask(`${AT}/members/${ben.memberId}`)).body);
    const [claim] = why.claims;
    assert.deepEqual(
      [why.shown?.owner, claim?.owner, claim?.attempt, claim?.standing],
      [peers[0]?.instanceId, peers[0]?.instanceId, 1, "live"],
    );
    assert((claim?.heartbeatMs ?? 9999) < 3000);
    const own = forms.reasons.parse((await one.ask(`${AT}/members/${ana.memberId}`)).body);
    assert.deepEqual([own.shown?.owner, own.claims[0]?.graceMs], [self, null]);
    const owners = new Map(
      members
        .map((member: unknown) => forms.memberShown.parse(member))
        .map(({ memberId, owner }: { memberId: string; owner: string | null }) => [memberId, owner]),
    );
    assert.deepEqual([owners.get(ana.memberId), owners.get(ben.memberId)], [self, peers[0]?.instanceId]);
    assert.equal((await one.ask(`${AT}/members/${"0".repeat(32)}`)).status, 404);
    await eventually(async () => forms.instances.parse((await one.ask("/instances")).body).hears.length === 2, {
      what: "each hears the other",
    });
  });

  await t.test("what is held of an instance is asked for anew, and nobody is shown leaving", async () => {
    const { peers } = (await one.ask("/instances")).body;
    const resyncs = async () => Number(/^presence_slice_resyncs_total (\d+)/m.exec(await (await fetch(`${one.base}/metrics`)).text())?.[1]);
    const before = await resyncs();
    assert.equal((await one.ask(`/instances/${peers[0].instanceId}/resync`, { method: "POST", body: {} })).status, 202);
    await eventually(async () => (await resyncs()) > before, { what: "a snapshot has come", withinMs: 5000 });
    assert.equal(ana.has("user_left"), false);
    assert.equal((await one.ask(`/instances/${crypto.randomUUID()}/resync`, { method: "POST", body: {} })).status, 404);
  });

  await t.test("announcements, to all and to a board; a user with the right admin may do it there and nowhere else", async () => {
    await one.ask("/announcements", { method: "POST", body: { text: "Back at noon" } });
    await eventually(() => ana.has("announcement") && ben.has("announcement"), { what: "both are told" });
    const bearer = await token({ sub: "lead", boards: { "team/*": ["admin"] } });
    const answers = [
      await two.ask("/announcements", { method: "POST", bearer, body: { text: "Hello", boardId: BOARD } }),
      await two.ask("/announcements", { method: "POST", bearer, body: { text: "Hello", boardId: "other" } }),
      await two.ask("/announcements", { method: "POST", bearer, body: { text: "Hello" } }),
      await two.ask(AT, { bearer }),
      await two.ask("/boards", { bearer }),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 403, 403, 200, 403],
    );
    await eventually(() => ana.count("announcement") === 2, { what: "ana is told the second" });
  });

  await t.test("a member is put off a board by its session, and a person out of the service, at whatever instance", async () => {
    assert.equal((await one.ask(`${AT}/members/${ben.memberId}?reason=rude`, { method: "DELETE" })).status, 204);
    await eventually(() => !ana.names(BOARD).includes("Ben"), { what: "ben is off the board" });
    assert.equal(ben.ended, undefined);
    assert.equal((await one.ask("/kick", { method: "POST", body: { userId: "ben", reason: "rude" } })).status, 204);
    await eventually(() => ben.ended?.code === 4403, { what: "ben is out" });
  });

  await t.test(
    "a program is a member by HTTP: it comes, changes, moves, speaks, goes elsewhere, expires, and is put out by one call",
    async () => {
      const agent = `${AT}/members/summarizer`;
      const leaves = ana.count("user_left");
      const body = { username: "Summarizer", onBehalfOf: "ana", ttlS: 60, color: "#336699" };
      assert.equal((await two.ask(agent, { method: "PUT", body })).status, 201);
      await eventually(() => ana.memberOf(BOARD, "Summarizer")?.kind === "agent", { what: "ana sees it" });
      assert.deepEqual(ana.memberOf(BOARD, "Summarizer")?.state, { onBehalfOf: "ana" });
      const at = { method: "POST", body: { x: 11, y: 22 } };
      assert.equal((await two.ask(`${agent}/cursor`, at)).status, 204);
      assert.equal((await two.ask(`${agent}/events`, { method: "POST", body: { name: "note", data: { text: "done" } } })).status, 204);
      assert.equal((await two.ask(agent, { method: "PATCH", body: { state: { step: 2 }, status: "idle" } })).status, 204);
      await eventually(() => ana.has("event") && ana.memberOf(BOARD, "Summarizer")?.state["step"] === 2, { what: "ana is told" });
      await eventually(() => [...ana.board(BOARD).cursors.values()].some(({ x, y }) => x === 11 && y === 22), {
        what: "and sees it point",
      });
      assert.equal((await one.ask(`${agent}/cursor`, at)).status, 409, "it is at the other instance");
      assert.equal((await one.ask(agent, { method: "PUT", body })).status, 201);
      await eventually(async () => (await two.ask(`${agent}/cursor`, at)).status === 409, { what: "it has moved" });
      assert.equal(ana.count("user_left"), leaves);
      assert.equal((await two.ask(agent, { method: "DELETE" })).status, 204, "at whatever instance");
      await eventually(() => !ana.names(BOARD).includes("Summarizer"), { what: "it is out" });
      const refused = [
        await one.ask(agent, { method: "PUT", body: { ...body, ttlS: 4 } }),
        await one.ask(agent, { method: "PUT", body: { ...body, username: "\u202e" } }),
        await one.ask(agent, { method: "PUT", body: { ...body, state: { a: "x".repeat(5000) } } }),
        await one.ask(agent, { method: "PUT", body, bearer: await token({ sub: "ana" }) }),
      ];
      assert.deepEqual(
        refused.map(({ status }) => status),
        [400, 400, 400, 403],
      );
    },
  );

  await t.test("the lines of docs/ADMIN.md do what it says", async () => {
    const document = readFileSync(new URL("../../../docs/ADMIN.md", import.meta.url), "utf8");
    const lines = Array.from(document.matchAll(/^```sh\n([\s\S]*?)^```/gm), ([, block = ""]) => block.trim().split("\n")).flat();
    assert.equal(lines.length, 13);
    const env = { ...process.env, ADMIN_TOKEN: TOKEN, ADMIN: one.base, BOARD: encodeURIComponent(BOARD) };
    for (const line of lines) {
      const { stdout } = await promisify(execFile)("sh", ["-ec", line.replace("curl ", "curl --fail-with-body ")], { env });
      if (line.includes("/recordings")) assert.match(stdout, /"path":/);
    }
    await eventually(() => ana.received.some((message) => message.kind === "event" && message.name === "note"), {
      what: "the agent has spoken",
    });
  });

  await t.test("a revoked user is out, with every token that was issued until then, also at an instance that comes later", async () => {
    const eve = await connect({ sub: "eve" }, two);
    const old = await token({ sub: "eve", boards: { "team/*": ["admin"] } });
    assert.equal((await two.ask(AT, { bearer: old })).status, 200);
    assert.equal((await one.ask("/revocations", { method: "POST", body: { userId: "eve", reason: "stolen" } })).status, 204);
    await eventually(() => eve.ended?.code === 4403, { what: "eve is out" });
    const late = await start();
    await eventually(async () => (await late.ask("/revocations")).body.revocations.length === 2, {
      what: "the newcomer knows",
      withinMs: 5000,
    });
    for (const { instance } of [one, two, late])
      assert.equal((await SessionClient.knock(t, instance.wsUrl, { token: old })).ended?.code, 4401);
    assert.equal((await late.ask(AT, { bearer: old })).status, 401, "nor may eve act as an operator");
    const since = new Date(Date.now() + 2000);
    const fresh = new SignJWT({ sub: "eve", boards: { "*": ["write"] } })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuedAt(since)
      .setExpirationTime("1h");
    await SessionClient.connect(t, one.instance.wsUrl, { token: await fresh.sign(new TextEncoder().encode(SECRET)) });
  });

  await t.test("the end of an instance, in order", async () => {
    assert.equal((await two.ask("/drain", { method: "POST" })).status, 202);
    assert.deepEqual(await two.instance.exited, { code: 0, signal: null });
  });

  const said = [...one.instance.lines, ...two.instance.lines].join("\n");
  assert(!said.includes(TOKEN) && !said.includes("eyJ"));
  for (const word of ['"by":"ops"', '"by":"user lead"', '"call":"kick"']) assert(said.includes(word), word);
  assert(!said.includes("Back at noon"));
});
