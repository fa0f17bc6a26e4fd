/**
 * Attacks against a real process that no other test makes: false addresses, secrets in whatever can be read, names made for logs, metrics and
 * channels, and answers that tell more than they should. `npm run attacks` has the list of all.
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type BoardId, encodeJson } from "@presence-service/protocol";
import { SignJWT } from "jose";
import { eventually, Instance, OPCODE, RawSocket, RedisProcess, type Scope, SessionClient } from "../harness/index.ts";
import { DECODERS, fuzz } from "./fuzz.ts";

const CANARY = "canary";
const secret = (what: string) => `${CANARY}-${what}-of-more-than-thirty-two-bytes`;
const FORGED_NAMES = ["a\r\nb", "a\u001b[31mb", 'a","level":"fatal', "a\u2028b", "%0d%0a", "${jndi:x}"];

const cleanUps: (() => void | Promise<void>)[] = [];
const scope: Scope = { after: (cleanUp) => void cleanUps.push(cleanUp) };
let redis: RedisProcess;
/** With all secrets that there are, and every line of the log. */
let guarded: Instance;
/** Open, behind one trusted proxy, two connections for each address. */
let narrow: Instance;

before(async () => {
  redis = await RedisProcess.start(scope);
  const rights = "resetkeys resetchannels &presence:* -@all +subscribe +unsubscribe +publish +ping +hello".split(" ");
  await redis.cli("ACL", "SETUSER", "presence", "on", `>${secret("redis")}`, ...rights);
  const folder = mkdtempSync(join(tmpdir(), "presence-attacks-"));
  scope.after(() => rmSync(folder, { recursive: true }));
  const redisUrl = redis.url.replace("redis://", `redis://presence:${secret("redis")}@`);
  writeFileSync(join(folder, "bus-secret"), secret("bus"));
  const log = { LOG_LEVEL: "trace", LOG_FORMAT: "json" };
  const env = {
    ...log,
    AUTH_SECRET: secret("auth"),
    ADMIN_TOKEN: secret("admin"),
    BUS_SECRET_FILE: join(folder, "bus-secret"),
    TOKEN_IN_URL: "on",
  };
  const narrowEnv = { TRUSTED_PROXIES: "127.0.0.1,::1", CONNECTIONS_PER_ADDRESS: "2", ...log };
  // A flag is the worst place for a secret: every user of the machine can read it until the process has started.
  [guarded, narrow] = await Promise.all([
    Instance.start(scope, { env, args: ["--redis-url", redisUrl] }),
    Instance.start(scope, { env: narrowEnv, redisUrl }),
  ]);
});
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

function token(sub: string, boards: object): Promise<string> {
  const signed = new SignJWT({ sub, name: CANARY, exp: Math.floor(Date.now() / 1000) + 60, boards: boards as never });
  return signed.setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret("auth")));
}

test("an address is that of the socket, or what a trusted proxy wrote last: nothing else a client sends makes it another one", async (t) => {
  const ask = async (from: string, forwarded: string | undefined) => {
    const headers = forwarded === undefined ? {} : { "X-Forwarded-For": forwarded };
    return (await RawSocket.request(t, { port: narrow.port, from, headers })).status;
  };
  const statuses = async (from: string, claims: (string | undefined)[]) => {
    const found: number[] = [];
    for (const claim of claims) found.push(await ask(from, claim));
    return found;
  };
  // A stranger is counted as itself, whatever it claims.
  assert.deepEqual(await statuses("127.0.0.2", ["203.0.113.1", "127.0.0.1", "203.0.113.2, 127.0.0.1", undefined]), [101, 101, 503, 503]);
  // Behind the proxy the last entry counts, and what a client wrote before it does not.
  assert.deepEqual(
    await statuses("127.0.0.1", ["198.51.100.7", "1.1.1.1, 198.51.100.7", "2.2.2.2, 127.0.0.1, 198.51.100.7"]),
    [101, 101, 503],
  );
  // An owner of a /64 has all of it.
  assert.deepEqual(
    await statuses("127.0.0.1", ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2:a:b:c:d", "2001:db8:1:3::1"]),
    [101, 101, 503, 101],
  );
  // Others were not affected, and no stranger's claim was charged to the one who was named.
  assert.deepEqual(await statuses("127.0.0.3", [undefined]), [101]);
  assert.deepEqual(await statuses("127.0.0.1", ["203.0.113.1", "203.0.113.1"]), [101, 101]);
  assert.ok((await narrow.metric('presence_upgrades_refused_total{reason="address"}')) >= 4);
});

test("no token, secret or password is in the log, on a page, or in the list of processes", async (t) => {
  const good = await token(`user-${CANARY}`, { "*": ["write", "event"] });
  const ana = await SessionClient.connect(t, guarded.wsUrl, { token: good });
  await ana.join("b", CANARY, { note: secret("state") });
  ana.update("b", { state: { note: secret("patch") } });
  ana.broadcast("b", "wave", secret("event"));
  const offered = await SessionClient.connect(t, guarded.wsUrl, { offeredToken: good, encoding: "binary" });
  await offered.join("b", CANARY);
  await SessionClient.knock(t, guarded.wsUrl, { token: `${good.slice(0, -4)}AAAA` });
  for (const path of [`/?token=${good}`, `/nowhere?token=${good}`, `/?token=${secret("query")}`, `/ws?encoding=x&token=${good}`])
    await RawSocket.request(t, { port: guarded.port, path });
  for (const protocol of [`graphql, presence.token.${good}`, `presence.token.${secret("offered")}`])
    await RawSocket.request(t, { port: guarded.port, protocol });
  await RawSocket.request(t, {
    port: guarded.port,
    headers: { Cookie: `s=${secret("cookie")}`, Authorization: `Bearer ${good}`, "Sec-WebSocket-Version": "99" },
  });
  await fetch(`${guarded.url}/health?token=${good}`);
  ana.sendRaw(`{"kind":"hello","token":"${secret("second")}"}`);
  ana.sendRaw(secret("junk"));
  await eventually(() => ana.errors.length >= 2, { what: "both are refused" });
  await eventually(async () => (await guarded.metric('presence_upgrades_refused_total{reason="encoding"}')) > 0, {
    what: "refusals are counted",
  });

  const pages = await Promise.all(["/health", "/metrics", "/", "/readyz"].map(async (path) => (await guarded.get(path)).text()));
  const processes = readFileSync(`/proc/${guarded.pid}/cmdline`, "latin1");
  const signature = good.split(".")[2] ?? "";
  for (const [where, said] of [
    ["log", guarded.lines.join("\n")],
    ["pages", pages.join("\n")],
    ["process list", processes],
  ] as const) {
    for (const part of ["thirty-two-bytes", "eyJ", signature, ana.resumeToken])
      assert.ok(!said.includes(part), `${part} is in the ${where}`);
  }
  // At the level trace names of boards and users are there: it is that log.
  assert.match(guarded.lines.join("\n"), /"board":"b"/);
});

test("the answer about a board that is forbidden is that about one that does not exist", async (t) => {
  const owner = await SessionClient.connect(t, guarded.wsUrl, { token: await token("owner", { "*": ["write"] }) });
  await owner.join("private", "Owner");
  const stranger = await SessionClient.connect(t, guarded.wsUrl, { token: await token("stranger", { open: ["write"] }) });
  const answersAbout = async (board: string) => {
    const before = stranger.received.length;
    stranger.joinAs(board, 1, "S");
    stranger.send({ kind: "watch", boards: [board as BoardId] });
    stranger.update(board, { state: { a: 1 } });
    stranger.leave(board);
    await eventually(() => stranger.received.length >= before + 4, { what: `four answers about ${board}` });
    return stranger.received.slice(before).map((message) => JSON.stringify(message).replaceAll(board, "*"));
  };
  assert.deepEqual(await answersAbout("private"), await answersAbout("nothing"));
});

test("ids made for Redis: no channel is subscribed that is not one board's, and no pattern ever", async (t) => {
  const socket = await RawSocket.connect(t, {
    port: narrow.port,
    protocol: "presence.v2.json",
    headers: { "X-Forwarded-For": "203.0.113.50" },
  });
  let answers = 0;
  socket.onMessage = () => answers++;
  socket.send(encodeJson({ kind: "hello" }));
  const ids = [
    "*",
    "a*",
    "a?b",
    "{a}",
    "[a]",
    "a\r\nSUBSCRIBE x",
    "a b",
    "a\u0000",
    "é",
    "a\u001b[2J",
    "",
    "x".repeat(129),
    "global*",
    "../global",
  ];
  for (const board of ids)
    for (const kind of ["join", "watch"])
      socket.send(
        JSON.stringify(
          kind === "join" ? { kind, board, attempt: 1, username: "E", status: "active", state: {} } : { kind, boards: [board] },
        ),
      );
  await eventually(() => answers >= ids.length, { what: () => `answers, not ${answers}` });
  for (const channel of await redis.channels()) assert.match(channel, /^presence:(?:[a-z]+:)?[A-Za-z0-9._~:@/-]+$/);
  assert.equal(await redis.cli("PUBSUB", "NUMPAT"), 0);
});

test("two thousand boards and names made for logs: no series of metrics more, and each line of the log is one line of JSON", async (t) => {
  const series = async () => (await (await narrow.get("/metrics")).text()).split("\n").length;
  const before = await series();
  const socket = await RawSocket.connect(t, {
    port: narrow.port,
    protocol: "presence.v2.json",
    headers: { "X-Forwarded-For": "203.0.113.60" },
  });
  let answers = 0;
  socket.onMessage = () => answers++;
  socket.send(encodeJson({ kind: "hello" }));
  for (let nth = 0; nth < 2000; nth += 500)
    socket.send(encodeJson({ kind: "watch", boards: Array.from({ length: 250 }, (_, at) => `many-${nth + at}` as BoardId) }));
  for (const name of FORGED_NAMES) {
    socket.send(
      encodeJson({ kind: "join", boardId: "log" as BoardId, attempt: 1, username: name, status: "active", state: { [name]: name } }),
    );
    socket.send(encodeJson({ kind: "broadcast", board: "log" as BoardId, name, data: name }));
    socket.send(JSON.stringify({ kind: name, board: name, token: name }));
    await RawSocket.request(t, {
      port: narrow.port,
      path: `/nowhere/${encodeURIComponent(name)}`,
      headers: { Origin: `https://${encodeURIComponent(name)}`, "X-Forwarded-For": `${encodeURIComponent(name)}, 203.0.113.61` },
    });
  }
  await eventually(() => answers >= FORGED_NAMES.length, { what: "answers" });
  await eventually(async () => (await narrow.metric("presence_watched_boards")) >= 1000, { what: "the boards are there", withinMs: 5000 });
  assert.equal(await series(), before);
  for (const line of narrow.lines) {
    assert.ok(![...line].some((character) => character < " " || character === "\u2028"), line);
    assert.ok(["trace", "debug", "info", "warn", "error"].includes(JSON.parse(line).level), line);
  }
});

test("compression is not agreed on, and a bomb is a violation of the protocol like any other", async (t) => {
  const headers = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits", "X-Forwarded-For": "203.0.113.70" };
  const socket = await RawSocket.connect(t, { port: narrow.port, protocol: "presence.v2.json", headers });
  assert.equal(socket.headers.has("sec-websocket-extensions"), false);
  const memory = await narrow.residentBytes();
  // A megabyte of zeros, deflated a thousandfold, ten times in one frame's payload.
  socket.sendFrame({ opcode: OPCODE.text, payload: Buffer.alloc(16_000, 0xec), flags: 0xc0 });
  await eventually(() => socket.hasEnded, { what: "the connection ends" });
  assert.equal(socket.closeCode, 1002);
  assert.ok((await narrow.residentBytes()) - memory < 50e6);
});

for (const name of Object.keys(DECODERS))
  test(`fuzz: ${name}`, () => {
    assert.equal(fuzz(name, 3000, 11), undefined);
  });
