/** The service attached to an app's own HTTP server: it takes the upgrades on its path and leaves everything else to the app. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { createPresence } from "@presence-service/client";
import { createPresenceServer } from "../src/server.ts";
import { ClassicClient, eventually, FaultProxy, freePort, Instance, RawSocket, RedisProcess, SessionClient } from "./harness/index.ts";

test("attached to a host's server", { timeout: 60_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const alone = await Instance.start(t, { redisUrl: redis.url });

  await t.test("it shares a board with other instances, and the host keeps its routes, upgrades and life", async (t) => {
    const { host, port } = await startHost(t);
    const presence = await createPresenceServer({ server: host, redisUrl: redis.url });
    let isClosed = false;
    t.after(() => (isClosed ? undefined : presence.close()));

    const page = await fetch(`http://localhost:${port}/health`);
    assert.equal(await page.text(), "the host's own /health", "requests are the host's");
    const other = await RawSocket.request(t, { port, path: "/other" });
    assert.equal(other.headers.get("x-by"), "host", "so are other upgrades");

    const ana = await SessionClient.connect(t, `ws://localhost:${port}/presence`);
    const ben = await ClassicClient.connect(t, alone.wsUrl);
    await ana.join("1", "ana");
    ben.join(1, "ben");
    await eventually(() => ana.names("1").includes("ben") && ben.names(1).includes("ana"), { what: "they see each other" });
    ben.move(1, 3, 4);
    await eventually(() => ana.cursorOf("1", "ben")?.y === 4, { what: "cursors cross" });

    const listeners = process.listenerCount("SIGTERM") + process.listenerCount("uncaughtException");
    await presence.close();
    isClosed = true;
    await eventually(() => ana.ended !== undefined, { what: "its sockets are closed" });
    await eventually(() => ben.names(1).length === 0, { what: "its people are gone", withinMs: 10_000 });
    assert.equal(await (await fetch(`http://localhost:${port}/still`)).text(), "the host's own /still");
    assert.equal((await RawSocket.request(t, { port, path: "/other" })).headers.get("x-by"), "host");
    assert.equal(process.listenerCount("SIGTERM") + process.listenerCount("uncaughtException"), listeners, "no handler on the process");
  });

  await t.test("two in one process are two instances; each on its path", async (t) => {
    const { host, port } = await startHost(t);
    const first = await createPresenceServer({ server: host, redisUrl: redis.url, path: "/first" });
    t.after(() => first.close());
    const second = await createPresenceServer({ server: host, redisUrl: redis.url, path: "/second" });
    t.after(() => second.close());
    assert.notEqual(first.instanceId, second.instanceId);
    const boards = ["first", "second"].map((path) => {
      const presence = createPresence({ url: `ws://localhost:${port}/${path}` });
      t.after(() => presence.close());
      return presence.board("doc-2", { username: path });
    });
    await eventually(() => boards.every((board) => board.others.length === 1), { what: "they see each other" });
    assert.deepEqual(
      boards.map(({ instanceId }) => instanceId),
      [first.instanceId, second.instanceId],
    );
  });

  await t.test("the host authenticates clients and authorizes their boards", async (t) => {
    const { host, port } = await startHost(t);
    const presence = await createPresenceServer({
      server: host,
      redisUrl: redis.url,
      authenticate: (token) => (token === "ana's" ? { userId: "u-1", username: "Ana of the host" } : undefined),
      authorize: (_user, boardId) => boardId !== "secret",
    });
    t.after(() => presence.close());
    const url = `ws://localhost:${port}/presence`;
    const ana = createPresence({ url, token: "ana's" });
    t.after(() => ana.close());
    const board = ana.board("doc-3", { username: "whoever" });
    await eventually(() => board.self !== null, { what: "ana is there" });
    assert.deepEqual([board.self?.userId, board.self?.username], ["u-1", "Ana of the host"]);
    const secret = ana.board("secret", { username: "whoever" });
    const codes: string[] = [];
    secret.on("error", ({ code }) => codes.push(code));
    await eventually(() => codes.length > 0, { what: "the other board is refused" });
    assert.deepEqual(codes, ["bad_board"]);

    const eve = createPresence({ url, token: "eve's" });
    t.after(() => eve.close());
    const refused = eve.board("doc-3", { username: "eve" });
    refused.on("error", ({ code }) => codes.push(code));
    await eventually(() => refused.status === "closed", { what: "a wrong token is refused for good" });
    assert.equal(codes.at(-1), "unauthorized");
    assert.equal(board.others.length, 0);
  });
});

test("rights are taken back", { timeout: 90_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  let isAllowed = true;
  let lookUp: () => boolean = () => true;
  let lifeMs = 3_600_000;
  const options = {
    port: 0,
    host: "127.0.0.1",
    redisUrl: redis.url,
    authenticate: (token: string | undefined) =>
      token === undefined ? undefined : { userId: token.split("#")[0] ?? "", expiresAt: Date.now() + lifeMs },
    authorize: (user: { readonly userId: string }, boardId: string) =>
      user.userId === "eve" && boardId === "doc" ? isAllowed && lookUp() : true,
  };
  const [here, there] = await Promise.all([createPresenceServer(options), createPresenceServer(options)]);
  t.after(() => Promise.all([here.close(), there.close()]));
  const connect = (at: typeof here, user: string, token: string | (() => string) = user) => {
    const presence = createPresence({ url: `ws://127.0.0.1:${at.port}`, token });
    t.after(() => presence.close());
    return presence;
  };
  const ana = connect(here, "ana");
  const doc = ana.board("doc", { username: "ana" });
  const seen: string[] = [];
  doc.on("user_left", ({ member, reason }) => seen.push(`${member.username} ${reason}`));
  const sees = (name: string) => doc.others.some(({ username }) => username === name);

  await t.test("[R16.5] a kick at one instance closes the person's connections at another", async () => {
    const eve = connect(there, "eve");
    const board = eve.board("doc", { username: "eve" });
    const codes: string[] = [];
    board.on("error", ({ code, message }) => codes.push(`${code}: ${message}`));
    await eventually(() => sees("eve") && board.others.length === 1, { what: "they see each other" });
    await here.kick({ userId: "eve", reason: "spam" });
    await eventually(() => eve.status === "closed" && !sees("eve"), { what: "eve is out", withinMs: 2000 });
    assert.deepEqual([codes, seen.splice(0)], [["kicked: spam"], ["eve kicked"]]);
  });

  await t.test("[R16.4] a kick off one board leaves the others, and the host decides about coming back", async () => {
    const eve = connect(there, "eve");
    const [board, other] = ["doc", "other"].map((id) => eve.board(id, { username: "eve" }));
    assert.ok(board !== undefined && other !== undefined);
    await eventually(() => sees("eve") && other.status === "connected", { what: "eve is back" });
    await here.kick({ userId: "eve", boardId: "doc" });
    await eventually(() => board.status === "closed" && !sees("eve"), { what: "eve is off the board", withinMs: 2000 });
    assert.deepEqual([eve.status, other.status, seen.splice(0)], ["connected", "connected", ["eve kicked"]]);
    board.leave();
    isAllowed = false;
    const again = eve.board("doc", { username: "eve" });
    await eventually(() => again.status === "closed", { what: "the host refuses" });
    isAllowed = true;
    eve.close();
  });

  await t.test("a join again that is refused ends the board; one that cannot be decided is tried again", async () => {
    const eve = connect(there, "eve");
    const board = eve.board("doc", { username: "eve" });
    const codes: string[] = [];
    board.on("error", ({ code }) => codes.push(code));
    await eventually(() => sees("eve"), { what: "eve is there" });
    lookUp = () => assert.fail("no database");
    board.rename("Eve");
    await eventually(() => codes.includes("unavailable"), { what: "eve is told" });
    assert.deepEqual([eve.status, board.status, seen], ["connected", "connected", []]);
    lookUp = () => true;
    await eventually(() => sees("Eve"), { what: "the SDK has asked again", withinMs: 5000 });
    isAllowed = false;
    board.rename("Evelyn");
    await eventually(() => board.status === "closed" && !sees("Eve"), { what: "eve is off the board" });
    assert.deepEqual([eve.status, codes.at(-1), seen.splice(0)], ["connected", "bad_board", ["Eve left"]]);
    isAllowed = true;
  });

  await t.test("when a token expires, a client with a fresh token stays connected, and one without is closed", async () => {
    lifeMs = 8_000;
    let tokens = 0;
    const ben = connect(there, "ben", () => `ben#${++tokens}`);
    const cleo = connect(there, "cleo", "cleo");
    for (const presence of [ben, cleo]) presence.board("doc", { username: presence === ben ? "ben" : "cleo" });
    await eventually(() => sees("ben") && sees("cleo"), { what: "both are there" });
    await eventually(() => !sees("cleo") || seen.length > 0, { what: "cleo's token has run out", withinMs: 12_000 });
    assert.ok(sees("ben") && tokens >= 2, `${tokens} tokens`);
    assert.equal(seen.includes("ben left"), false);
    lifeMs = 3_600_000;
  });

  await t.test("[R17.1] an announcement reaches clients at every instance", async () => {
    const ben = connect(there, "ben").board("doc", { username: "ben again" });
    const heard: string[] = [];
    for (const board of [doc, ben]) board.on("announcement", ({ text }) => heard.push(text));
    await eventually(() => sees("ben again") && ben.status === "connected", { what: "ben is there" });
    await there.announce("Back at noon");
    await there.announce("nobody is there", { boardId: "empty" });
    await eventually(() => heard.length === 2, { what: "both have heard it" });
    assert.deepEqual(heard, ["Back at noon", "Back at noon"]);
  });

  await t.test("an invalid kick or announcement is refused, and the host learns when the bus does not take one", async () => {
    await assert.rejects(here.kick({} as never), TypeError);
    await assert.rejects(here.announce(""), TypeError);
    await redis.kill();
    await eventually(
      async () =>
        here.kick({ userId: "nobody" }).then(
          () => false,
          ({ code }) => code === "BUS_DOWN",
        ),
      { what: "the host is told" },
    );
  });
});

/** A server with routes and upgrades of its own, as an app has them. */
async function startHost(t: TestContext): Promise<{ host: Server; port: number }> {
  const host = createServer((request, response) => response.end(`the host's own ${request.url}`));
  host.on("upgrade", (request, socket) => {
    if (request.url === "/other")
      socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\nX-By: host\r\n\r\n");
  });
  const port = await freePort();
  host.listen(port);
  await once(host, "listening");
  t.after(() => {
    host.closeAllConnections();
    host.close();
  });
  return { host, port };
}

test("a host without upgrades of its own answers requests that offer one, before, while and after presence is attached", async (t) => {
  const host = createServer((_request, response) => response.end("host"));
  const port = await freePort();
  host.listen(port, "127.0.0.1");
  await once(host, "listening");
  t.after(() => {
    host.close();
    host.closeAllConnections();
  });
  // curl --http2 and Java's client offer this upgrade by default.
  const offered = () =>
    fetchRaw(
      port,
      "GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    );
  assert.match(await offered(), /\r\n\r\nhost$/);
  const presence = await createPresenceServer({ server: host, redisUrl: "memory:" });
  assert.match(await offered(), /\r\n\r\nhost$/);
  await presence.close();
  assert.match(await offered(), /\r\n\r\nhost$/);
});

test("an upgrade on another path is answered if no other listener takes upgrades", async (t) => {
  const host = createServer((_request, response) => response.end("the host's own page"));
  const port = await freePort();
  host.listen(port, "127.0.0.1");
  await once(host, "listening");
  t.after(() => {
    host.close();
    host.closeAllConnections();
  });
  const presence = await createPresenceServer({ server: host, redisUrl: "memory:" });
  t.after(() => presence.close());
  const answer = () => fetchRaw(port, UPGRADE.replace("Upgrade\r", "Upgrade, close\r"));
  assert.match(await answer(), /\r\n\r\nthe host's own page$/);
  // Older versions of Node have no such callback, and treat every offer as an upgrade.
  Object.assign(host, { shouldUpgradeCallback: () => true });
  assert.match(await answer(), /^HTTP\/1\.1 404 /);
  host.once("upgrade", (_request, socket) => socket.end("HTTP/1.1 418 By Somebody Else\r\n\r\n", () => socket.destroy()));
  assert.match(await answer(), /^HTTP\/1\.1 418 /);
});

test("a refused upgrade holds no socket, although the client closes nothing", async (t) => {
  const presence = await createPresenceServer({ port: 0, redisUrl: "memory:" });
  t.after(() => presence.close());
  assert.match(await fetchRaw(presence.port, UPGRADE), /^HTTP\/1\.1 404 /);
});

const UPGRADE =
  "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

test("pages of other origins may not connect where the host authenticates, and any may where it does not", async (t) => {
  const authenticate = () => ({ userId: "ana" });
  const open = async (options: { authenticate?: typeof authenticate; allowedOrigins?: readonly string[] }) => {
    const presence = await createPresenceServer({ port: 0, host: "127.0.0.1", redisUrl: "memory:", ...options });
    t.after(() => presence.close());
    return async (origin: string | undefined, host = "app.example") => {
      const headers = { Host: host, ...(origin === undefined ? {} : { Origin: origin }) };
      return (await RawSocket.request(t, { port: presence.port, headers })).status;
    };
  };

  const byHost = await open({ authenticate });
  const matrix: [origin: string | undefined, status: number, host?: string][] = [
    ["https://app.example", 101],
    ["http://app.example", 101],
    ["https://app.example", 101, "App.Example"],
    ["http://app.example:3001", 101, "app.example:3001"],
    [undefined, 101],
    ["https://evil.example", 403],
    ["https://app.example.evil.example", 403],
    ["https://evil-app.example", 403],
    ["https://sub.app.example", 403],
    ["https://app.example:8443", 403],
    ["https://app.example", 403, "app.example:3001"],
    ["https://app.example/", 403],
    ["https://app.example@evil.example", 403],
    ["https://app.example, https://evil.example", 403],
    ["chrome-extension://app.example", 403],
    ["app.example", 403],
    ["null", 403],
    ["", 403],
  ];
  for (const [origin, status, host] of matrix) assert.equal(await byHost(origin, host), status, `${origin} at ${host}`);

  const listed = await open({ authenticate, allowedOrigins: ["https://app.example:8443", "null"] });
  for (const [origin, status] of [
    ["https://app.example:8443", 101],
    ["null", 101],
    [undefined, 101],
    ["http://app.example:8443", 403],
    ["https://app.example:84430", 403],
    ["https://app.example:844", 403],
    ["https://app.example", 403],
  ] as const)
    assert.equal(await listed(origin), status, origin);

  assert.equal(await (await open({ authenticate, allowedOrigins: ["*"] }))("https://evil.example"), 101);
  assert.equal(await (await open({ allowedOrigins: [] }))("https://app.example"), 403);
  const anybody = await open({});
  for (const origin of ["https://evil.example", "null", undefined]) assert.equal(await anybody(origin), 101, origin);
});

test("invalid settings are refused, and the host's server stays as before", async () => {
  const host = createServer();
  for (const options of [
    { redisPrefix: "My:Prefix" },
    { redisPrefix: "" },
    { redisPrefix: "x".repeat(33) },
    { redisUrl: "http://localhost" },
  ])
    await assert.rejects(createPresenceServer({ server: host, redisUrl: "memory:", ...options }), { code: "BAD_SETTINGS" });
  assert.equal(host.listenerCount("upgrade"), 0);
});

test("while presence closes, upgrades are answered with a time to come back", { timeout: 30_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const proxy = await FaultProxy.start(t, { target: redis.port });
  const { host, port } = await startHost(t);
  const presence = await createPresenceServer({ server: host, redisUrl: `redis://127.0.0.1:${proxy.port}` });
  proxy.toClient.stall(); // closing waits a while for Redis to take the goodbye
  const closed = presence.close();
  assert.equal((await RawSocket.request(t, { port, path: "/presence" })).status, 503);
  await closed;
});

/** Returns the whole answer once the server has closed the connection; this side never closes it. */
async function fetchRaw(port: number, request: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let answer = "";
  let isClosed = false;
  socket.setEncoding("latin1").on("data", (text) => {
    answer += text;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    isClosed = true;
  });
  socket.write(request);
  try {
    // If the server has closed its socket, a write is answered by a reset. If it is only half closed, it accepts the write.
    await eventually(() => isClosed || (socket.readableEnded && socket.write("\r\n") && false), {
      what: () => `the server closes; it said ${answer}`,
    });
  } finally {
    socket.destroy();
  }
  return answer;
}
