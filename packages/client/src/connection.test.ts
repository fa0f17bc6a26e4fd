import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver, FakeSessions } from "./testing/fake-driver.ts";
import { atDesk, type Desk, greet, joined, logOf, memberOf, names } from "./testing/service.ts";
import type { PresenceError } from "./types.ts";

/** The first retry, with the jitter of the fake driver. */
const FIRST_RETRY_MS = 1_000;

async function back({ driver }: Desk, others: readonly string[], options: Parameters<typeof joined>[2] = {}) {
  const socket = await greet(driver);
  socket.serve(joined("desk", others, options));
  return socket;
}

test("[C5] a lost connection comes back with the same session, a higher attempt and the full state", async () => {
  const desk = await atDesk(["ana", "ben"], { tool: "pen" });
  const { board, socket, driver, log } = desk;
  await driver.advance(5_000);
  board.moveCursor(0.5, 0.5);
  socket.drop(1006);
  assert.deepEqual([board.status, names(board)], ["reconnecting", ["ana reconnecting", "ben reconnecting"]]);
  board.update({ tool: "ink" });
  assert.equal(board.broadcast("x", 1), false);
  await driver.advance(FIRST_RETRY_MS);
  const next = await back(desk, ["ana", "ben"], { board: 2, firstActor: 30 });
  assert.notEqual(next, socket);
  assert.equal(next.sent("hello")[0]?.resumeToken, socket.sent("hello")[0]?.resumeToken);
  assert.deepEqual(
    next.sent("join").map(({ attempt, state }) => [attempt, state]),
    [[2, { tool: "ink" }]],
  );
  assert.deepEqual(next.sent("cursor"), [{ kind: "cursor", board: 2, at: { x: 32768, y: 32768 } }]);
  assert.equal(next.sent("update").length, 0);
  assert.deepEqual([board.status, names(board)], ["connected", ["ana active", "ben active"]]);
  assert.deepEqual(log, ["~ana reconnecting", "~ben reconnecting", "~ana active", "~ben active"]);
});

test("[C6] after a reconnect to a settling service the missing stay for the grace", async () => {
  const desk = await atDesk(["ana", "ben", "cleo"]);
  desk.socket.drop(1006);
  await desk.driver.advance(FIRST_RETRY_MS);
  const next = await back(desk, ["ana"], { settling: true });
  next.serve({ kind: "user_joined", board: 7, actor: 5, member: memberOf("ben") });
  assert.deepEqual(names(desk.board), ["ana active", "ben active", "cleo reconnecting"]);
  desk.log.length = 0;
  for (let s = 0; s < 15; s++) {
    next.serve({ kind: "heartbeat" });
    await desk.driver.advance(1_000);
  }
  assert.deepEqual(desk.log, ["-cleo timeout"]);
});

test("late messages of a socket that was given up are ignored", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, socket, board } = desk;
  await driver.advance(25_000);
  assert.equal(socket.closedWith, CLOSE.unresponsive.code);
  socket.serve({ kind: "user_left", board: 7, actor: 1, reason: "left" });
  socket.drop(1000);
  assert.deepEqual([board.status, names(board)], ["reconnecting", ["ana reconnecting"]]);
});

test("[C3] a heartbeat is answered from the message handler", async () => {
  const { socket } = await atDesk();
  socket.serve({ kind: "heartbeat" });
  assert.equal(socket.kinds.at(-1), "heartbeat");
});

test("[C3] after 22.5 s without a message the server counts as dead; any message keeps it alive", async () => {
  const { socket, driver, board } = await atDesk();
  for (let beat = 0; beat < 5; beat++) {
    await driver.advance(22_499);
    socket.serve({ kind: "heartbeat" });
  }
  assert.equal(board.status, "connected");
  await driver.advance(22_500);
  assert.equal(board.status, "reconnecting");
});

test("[C3] in a hidden page only 2.5 times heartbeatMs without a message are the death of the service, and nobody asks", async () => {
  const { socket, driver, board } = await atDesk();
  driver.page?.hidden(true);
  await driver.advance(24_999);
  assert.deepEqual([board.status, socket.sent("heartbeat").length], ["connected", 0]);
  await driver.advance(1);
  assert.equal(board.status, "reconnecting");
  while (driver.sockets.length === 1) await driver.advance(100);
  const next = await greet(driver);
  next.serve(joined("desk", ["ana"]));
  await driver.advance(24_000);
  assert.deepEqual([board.status, next.sent("heartbeat").length], ["connected", 0]);
});

test("[C3] page timers do not matter: silence is noticed on waking, and a hidden tab that receives messages stays connected", async () => {
  const { socket, driver, board } = await atDesk();
  driver.timersSleepUntil = driver.now() + 100_000;
  for (let beat = 0; beat < 6; beat++) {
    await driver.advance(10_000);
    socket.serve({ kind: "heartbeat" });
  }
  assert.equal(board.status, "connected");
  await driver.advance(25_000);
  assert.equal(board.status, "connected");
  driver.page?.awake(false);
  assert.equal(board.status, "reconnecting");
});

test("attempts to connect time out after 10 s, back off, and a connection that lived resets the backoff", async () => {
  const { driver, socket } = await atDesk();
  await driver.advance(5_000);
  socket.drop(1006);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    const { length } = driver.sockets;
    const since = driver.now();
    while (driver.sockets.length === length) await driver.advance(100);
    delays.push(driver.now() - since);
    if (attempt === 1) {
      await driver.advance(9_999);
      assert.equal(driver.socket.closedWith, undefined);
      await driver.advance(1);
      assert.equal(driver.socket.closedWith, CLOSE.unresponsive.code);
    } else driver.socket.drop(1006);
  }
  assert.deepEqual(delays, [1_000, 2_000, 2_500, 2_500, 2_500]);
  await driver.advance(15_000);
  await greet(driver);
  await driver.advance(5_000);
  driver.socket.drop(1006);
  const { length } = driver.sockets;
  await driver.advance(FIRST_RETRY_MS);
  assert.equal(driver.sockets.length, length + 1);
});

test("when the network is back the client connects without waiting, unless the service asked it to wait", async () => {
  const { driver, socket } = await atDesk();
  socket.drop(1006);
  driver.page?.awake(true);
  await driver.advance(250);
  assert.equal(driver.sockets.length, 2);
  await greet(driver);
  driver.socket.serve({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 3_000 });
  driver.socket.drop(1006);
  driver.page?.awake(true);
  await driver.advance(2_999);
  assert.equal(driver.sockets.length, 2);
  await driver.advance(60_000);
  assert.ok(driver.sockets.length > 2);
});

test("a service that cannot be reached is reported after the third failure, once, without the query", async () => {
  const driver = new FakeDriver();
  createPresence({ url: "ws://nobody/presence?token=secret", driver }).board("desk");
  const fail = async () => {
    const { length } = driver.sockets;
    while (driver.sockets.length === length) await driver.advance(100);
    driver.socket.drop(1006);
  };
  await fail();
  await fail();
  assert.deepEqual(driver.reports, []);
  for (let more = 0; more < 8; more++) await fail();
  assert.equal(driver.reports.length, 1);
  assert.match(driver.reports[0] ?? "", /^unreachable: cannot reach ws:\/\/nobody\/presence, trying again\. .*Content-Security-Policy/);
  const { length } = driver.sockets;
  while (driver.sockets.length === length) await driver.advance(100);
  await greet(driver);
  driver.socket.drop(1006);
  for (let more = 0; more < 3; more++) await fail();
  assert.equal(driver.reports.length, 2);
});

test("a user who touches the page brings a pending reconnect forward; constant pointer moves make no hot loop", async () => {
  const { driver, socket } = await atDesk();
  await driver.advance(5_000);
  socket.drop(1006);
  // After two minutes without a service the client's own retries are far apart.
  const until = driver.now() + 120_000;
  while (driver.now() < until) {
    const { length } = driver.sockets;
    while (driver.sockets.length === length) await driver.advance(100);
    driver.socket.drop(1006);
  }
  const { length } = driver.sockets;
  await driver.advance(1_900);
  driver.page?.active();
  await driver.advance(99);
  assert.equal(driver.sockets.length, length);
  await driver.advance(1);
  assert.equal(driver.sockets.length, length + 1);
  for (let ms = 0; ms < 10_000; ms += 10) {
    driver.socket.drop(1006);
    driver.page?.active();
    await driver.advance(10);
  }
  assert.equal(driver.sockets.length, length + 6);
});

test("[R12] sent elsewhere: back within half a second", async () => {
  const desk = await atDesk(["ana"]);
  desk.socket.serve({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 0 });
  desk.socket.drop(CLOSE.draining.code);
  await desk.driver.advance(250);
  assert.equal(desk.driver.sockets.length, 2);
});

test("[R12.4] an orderly goodbye is no failure: the client comes back when the service says, unless it gets goodbyes only", async () => {
  const desk = await atDesk(["ana"]);
  const { driver } = desk;
  for (let restart = 0; restart < 10; restart++) {
    await driver.advance(500);
    driver.socket.serve({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 40 });
    driver.socket.drop(CLOSE.draining.code);
    const { length } = driver.sockets;
    await driver.advance(39);
    assert.equal(driver.sockets.length, length);
    await driver.advance(1);
    assert.equal(driver.sockets.length, length + 1, `restart ${restart}`);
    await back(desk, ["ana"]);
  }
  let { length } = driver.sockets;
  const since = driver.now();
  while (driver.now() < since + 60_000) {
    if (driver.sockets.length > length) {
      length = driver.sockets.length;
      await greet(driver);
      driver.socket.serve({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 0 });
      driver.socket.drop(CLOSE.draining.code);
    } else driver.socket.drop(CLOSE.draining.code);
    await driver.advance(10);
  }
  assert.ok(length < 11 + 45, `${length - 11} connections in a minute to a service that only says goodbye`);
});

test("[R12] after a goodbye while greeting, and while no instance answers yet, retries stay quick as long as our members are kept", async () => {
  const { driver, socket } = await atDesk();
  socket.serve({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 100 });
  socket.drop(CLOSE.draining.code);
  await driver.advance(100);
  driver.socket.accept();
  driver.socket.serve({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 100 });
  driver.socket.drop(CLOSE.draining.code);
  await driver.advance(100);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    driver.socket.drop(1006);
    const { length } = driver.sockets;
    const since = driver.now();
    while (driver.sockets.length === length) await driver.advance(50);
    delays.push(driver.now() - since);
  }
  assert.deepEqual(delays, [250, 500, 1_000, 1_000, 1_000, 1_000]);
});

test("[R12] sent elsewhere without a goodbye: back within half a second, and no failure either", async () => {
  const desk = await atDesk(["ana"]);
  for (let restart = 0; restart < 3; restart++) {
    desk.driver.socket.drop(CLOSE.draining.code);
    const { length } = desk.driver.sockets;
    await desk.driver.advance(250);
    assert.equal(desk.driver.sockets.length, length + 1);
    await back(desk, ["ana"]);
  }
});

test("close codes with retry `never` end the client with an error", async () => {
  for (const [code, error] of [
    [CLOSE.unauthorized.code, "!unauthorized"],
    [CLOSE.kicked.code, "!kicked"],
    [CLOSE.abuse.code, "!abuse"],
  ] as const) {
    const { driver, socket, board, presence, log } = await atDesk(["ana"]);
    socket.drop(code);
    assert.deepEqual(log, [error]);
    assert.deepEqual([presence.status, board.status, board.others, driver.timers], ["closed", "closed", [], 0]);
  }
});

test("the app is told the words of the service: an operator's reason for a kick, for one", async () => {
  for (const [reason, told] of [
    ["please read the rules", "please read the rules"],
    ["", "closed with 4403"],
  ] as const) {
    const { board, socket } = await atDesk(["ana"]);
    const errors: PresenceError[] = [];
    board.on("error", (error) => errors.push(error));
    socket.drop(CLOSE.kicked.code, reason);
    assert.deepEqual(errors, [{ code: "kicked", message: told }]);
  }
});

test("a close with 1000 that is not the client's own, as a proxy sends it, is a lost connection", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, socket, presence, log } = desk;
  socket.drop(CLOSE.normal.code);
  assert.deepEqual([presence.status, log], ["reconnecting", ["~ana reconnecting"]]);
  await driver.advance(FIRST_RETRY_MS);
  const next = await back(desk, ["ana"]);
  assert.deepEqual([presence.status, log.at(-1)], ["connected", "~ana active"]);
  assert.equal(next.sent("hello")[0]?.resumeToken, socket.sent("hello")[0]?.resumeToken);
  presence.close();
  next.drop(CLOSE.normal.code);
  await driver.advance(60_000);
  assert.deepEqual([presence.status, driver.sockets.length, next.closedWith], ["closed", 2, CLOSE.normal.code]);
});

test("a proxy that closes every connection with 1000 meets a client that slows down and says so", async () => {
  const driver = new FakeDriver();
  const log = logOf(createPresence({ url: "ws://test", driver }).board("desk"));
  for (let attempt = 0; attempt < 3; attempt++) {
    await driver.advance(5_000);
    driver.socket.accept();
    driver.socket.drop(CLOSE.normal.code);
  }
  assert.deepEqual([driver.sockets.length, log], [3, ["!unreachable"]]);
});

test("[C5] a join refused as superseded starts a new session at once", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, socket, log } = desk;
  socket.serve({ kind: "error", code: "superseded", message: "attempt 1 is taken", ref: "desk" });
  assert.equal(socket.closedWith, 1000);
  await driver.advance();
  const next = await back(desk, ["ana"], { me: memberOf("me-again") });
  assert.notEqual(next.sent("hello")[0]?.resumeToken, socket.sent("hello")[0]?.resumeToken);
  assert.equal(next.sent("join")[0]?.attempt, 1);
  assert.equal(desk.board.self?.username, "me-again");
  assert.deepEqual(log, ["~ana reconnecting", "~ana active"]);
});

test("[C5] closed as superseded: the other tab keeps the session and we take another; repeated refusals slow the client down", async () => {
  const { driver, socket } = await atDesk();
  socket.drop(CLOSE.superseded.code);
  for (let renewal = 0; renewal < 10; renewal++) {
    await driver.advance();
    if (driver.socket.closedWith === undefined && driver.sockets.length === renewal + 2) driver.socket.drop(CLOSE.superseded.code);
  }
  assert.equal(driver.sockets.length, 4);
  await driver.advance(FIRST_RETRY_MS);
  assert.equal(driver.sockets.length, 5);
});

test("a token that fails is an error, and tried again", async () => {
  const driver = new FakeDriver();
  let calls = 0;
  const token = () => (++calls === 1 ? Promise.reject(new Error("offline")) : Promise.resolve(`token ${calls}`));
  const presence = createPresence({ url: "ws://test", driver, token });
  const log = logOf(presence.board("desk"));
  await driver.advance();
  assert.deepEqual(log, ["!token_failed"]);
  await driver.advance(FIRST_RETRY_MS);
  driver.socket.accept();
  assert.equal(driver.socket.sent("hello")[0]?.token, "token 2");
});

test("a token that the service could not read, or would read as another one, is an error", async () => {
  for (const token of ["t".repeat(8193), "\ud800"]) {
    const driver = new FakeDriver();
    const log = logOf(createPresence({ url: "ws://test", driver, token }).board("desk"));
    await driver.advance();
    assert.deepEqual([log, driver.sockets.length], [["!token_failed"], 0]);
  }
});

test("a token() that never resolves does not stop the client for ever", async () => {
  const driver = new FakeDriver();
  let calls = 0;
  createPresence({ url: "ws://test", driver, token: () => (++calls === 1 ? new Promise(() => {}) : "late") }).board("desk");
  await driver.advance(10_000 + FIRST_RETRY_MS);
  assert.equal(driver.sockets.length, 1);
});

test("a bad url ends the client", async () => {
  const driver = new FakeDriver();
  driver.connectError = new SyntaxError("not a url");
  const presence = createPresence({ url: "::", driver });
  const log = logOf(presence.board("desk"));
  await driver.advance();
  assert.deepEqual([log, presence.status], [["!bad_url"], "closed"]);
});

test("without boards a lost connection is not made again, until a board is entered", async () => {
  const { driver, socket, board, presence } = await atDesk();
  board.leave();
  socket.drop(1006);
  await driver.advance(60_000);
  assert.equal(driver.sockets.length, 1);
  presence.board("b2");
  await driver.advance();
  assert.equal(driver.sockets.length, 2);
});

test("[C1] a reloaded page is the same session with a higher attempt; a duplicated tab is another", async () => {
  const sessions = new FakeSessions();
  const enter = async (driver: FakeDriver) => {
    createPresence({ url: "ws://test", driver }).board("desk");
    await driver.advance();
    driver.socket.accept();
    const [hello] = driver.socket.sent("hello");
    const [join] = driver.socket.sent("join");
    return { token: hello?.resumeToken, attempt: join?.attempt };
  };
  const first = await enter(new FakeDriver(sessions));
  const duplicate = await enter(new FakeDriver(sessions.copy()));
  assert.notEqual(duplicate.token, first.token);
  assert.equal(duplicate.attempt, 1);
  sessions.unload();
  const reloaded = await enter(new FakeDriver(sessions));
  assert.deepEqual(reloaded, { token: first.token, attempt: 2 });
});

test("closed and created anew in the same page: the same session", async () => {
  const sessions = new FakeSessions();
  const driver = new FakeDriver(sessions);
  const presence = createPresence({ url: "ws://test", driver });
  presence.board("desk");
  await greet(driver);
  presence.close();
  await driver.advance();
  createPresence({ url: "ws://test", driver }).board("desk");
  const next = await greet(driver);
  assert.equal(next.sent("hello")[0]?.resumeToken, driver.sockets[0]?.sent("hello")[0]?.resumeToken);
  assert.equal(next.sent("join")[0]?.attempt, 2);
});

test("a storage that throws costs only the reload", async () => {
  const sessions = new FakeSessions();
  sessions.save = () => {
    throw new Error("quota");
  };
  const driver = new FakeDriver(sessions);
  createPresence({ url: "ws://test", driver }).board("desk");
  const socket = await greet(driver);
  assert.equal(socket.sent("join").length, 1);
  assert.equal(driver.reports.length, 1);
});
