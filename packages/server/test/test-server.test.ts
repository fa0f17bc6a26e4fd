/** The test server, as the test of an app uses it: SDK clients, several pages, and time that passes at once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Board, createPresence, type Driver, type JsonObject, type Presence, type PresenceOptions } from "@presence-service/client";
import { createTestServer, type TestDriver, type TestServer, type TestServerOptions } from "../src/test-server/index.ts";

type Page = { readonly driver: TestDriver; readonly presence: Presence; readonly board: Board; readonly log: string[] };

function open(server: TestServer, username: string, driver = server.driver(), options: Partial<PresenceOptions> = {}): Page {
  const presence = createPresence({ url: "ws://test", driver, ...options });
  const board = presence.board("doc", { username });
  return { driver, presence, board, log: logOf(board) };
}

function logOf(board: Board): string[] {
  const log: string[] = [];
  board.on("user_joined", ({ member }) => log.push(`+${member.username}`));
  board.on("user_updated", ({ member }) => log.push(`~${member.username} ${member.status}`));
  board.on("user_left", ({ member, reason }) => log.push(`-${member.username} ${reason}`));
  board.on("announcement", ({ text }) => log.push(`"${text}"`));
  board.on("error", ({ code }) => log.push(`!${code}`));
  return log;
}

async function two(options?: TestServerOptions) {
  const server = await createTestServer(options);
  const [ana, ben] = [open(server, "Ana"), open(server, "Ben")];
  await server.advance(1_000);
  ana.log.length = ben.log.length = 0;
  return { server, ana, ben };
}

const names = (board: Board) => board.others.map(({ username, status }) => `${username} ${status}`);

test("people see each other within a second, move, change their state and broadcast", async () => {
  const { server, ana, ben } = await two();
  assert.deepEqual([names(ana.board), names(ben.board)], [["Ben active"], ["Ana active"]]);
  assert.deepEqual(
    server
      .members("doc")
      .map(({ username }) => username)
      .sort(),
    ["Ana", "Ben"],
  );
  const places: [number, number][] = [];
  ben.board.cursors.subscribe((moved) => places.push(...moved.map(({ x, y }) => [x, y] as [number, number])));
  ben.board.on("wave", ({ data }) => ben.log.push(`wave ${(data as JsonObject).at}`));
  ana.board.moveCursor(0.25, 0.5);
  ana.board.update({ tool: "pen" });
  assert.ok(ana.board.broadcast("wave", { at: 1 }));
  await server.advance(500);
  assert.deepEqual(
    places.at(-1)?.map((share) => share.toFixed(3)),
    ["0.250", "0.500"],
  );
  assert.deepEqual(ben.board.others[0]?.state, { tool: "pen" });
  assert.deepEqual(ben.log, ["~Ana active", "wave 1"]);
  ana.board.leave();
  await server.advance(1_500);
  assert.deepEqual([ben.log.at(-1), names(ben.board)], ["-Ana left", []]);
});

test("[C2] a page whose network breaks is shown reconnecting, and leaves after the grace of 15 s, if it does not come back", async () => {
  const { server, ana, ben } = await two();
  ana.driver.disconnect();
  await server.advance(1_000);
  assert.equal(ana.board.status, "reconnecting");
  assert.deepEqual(names(ben.board), ["Ana reconnecting"]);
  await server.advance(5_000);
  ana.driver.reconnect();
  await server.advance(1_000);
  assert.equal(ana.board.status, "connected");
  assert.deepEqual(ben.log, ["~Ana reconnecting", "~Ana active"]);
  ana.board.on("lost", ({ isOffline }) => ana.log.push(`lost, ${isOffline ? "offline" : "online"}`));
  ana.driver.disconnect();
  await server.advance(14_000);
  assert.ok(ana.log.includes("lost, offline"));
  assert.deepEqual(names(ben.board), ["Ana reconnecting"]);
  await server.advance(2_000);
  assert.deepEqual(ben.log.slice(2), ["~Ana reconnecting", "-Ana timeout"]);
});

test("[C3] nobody is told of a network that falls silent: the service notices, and so does the client", async () => {
  const { server, ana, ben } = await two();
  ana.driver.disconnect({ silently: true });
  await server.advance(1_000);
  assert.deepEqual([ana.board.status, names(ben.board)], ["connected", ["Ana active"]]);
  await server.advance(8_000);
  assert.deepEqual(names(ben.board), ["Ana reconnecting"]);
  await server.advance(32_000);
  assert.deepEqual([ana.board.status, names(ben.board)], ["reconnecting", []]);
  ana.driver.reconnect();
  await server.advance(5_000);
  assert.deepEqual([ana.board.status, names(ben.board)], ["connected", ["Ana active"]]);
});

test("a user who does nothing for five minutes is idle, as is one whose page is hidden", async () => {
  const { server, ana, ben } = await two();
  for (let minute = 0; minute < 6; minute++) {
    ben.driver.use();
    await server.advance(60_000);
  }
  assert.deepEqual([names(ben.board), names(ana.board)], [["Ana idle"], ["Ben active"]]);
  ana.driver.use();
  ben.driver.hide();
  await server.advance(1_000);
  assert.deepEqual([names(ben.board), names(ana.board)], [["Ana active"], ["Ben idle"]]);
  ben.driver.show();
  await server.advance(1_000);
  assert.deepEqual(names(ana.board), ["Ben active"]);
});

test("a page that is reloaded goes on with its sessions, and nobody sees a leave; a tab that is closed is gone after 3 s", async () => {
  const { server, ana, ben } = await two();
  const { memberId } = ana.board.self ?? assert.fail();
  ana.driver.unload();
  await server.advance(500);
  const again = open(server, "Ana", ana.driver);
  await server.advance(1_000);
  assert.equal(again.board.self?.memberId, memberId);
  assert.deepEqual(ben.log, ["~Ana reconnecting", "~Ana active"]);
  ana.driver.unload();
  await server.advance(4_000);
  assert.deepEqual(names(ben.board), []);
  // A client that noticed the silence would connect again.
  await server.advance(300_000);
  assert.deepEqual(names(ben.board), []);
});

test("a page may be hidden, or without a network, before its client is made", async () => {
  const { server, ana } = await two();
  const [covered, offline, lost] = [server.driver(), server.driver(), server.driver()];
  covered.hide();
  offline.disconnect();
  lost.disconnect({ silently: true });
  const [, cleo, dai] = [open(server, "Bo", covered), open(server, "Cleo", offline), open(server, "Dai", lost)];
  await server.advance(8_000);
  assert.deepEqual(names(ana.board), ["Ben active", "Bo idle"]);
  assert.deepEqual([cleo.board.status, dai.board.status], ["connecting", "connecting"]);
  assert.deepEqual([cleo.log, dai.log], [["!unreachable"], []]);
  for (const driver of [offline, lost]) driver.reconnect();
  await server.advance(5_000);
  assert.deepEqual([cleo.board.status, dai.board.status], ["connected", "connected"]);
});

test("the host's functions are asked as by the real server, with the headers of the page", async () => {
  const asked: unknown[] = [];
  const server = await createTestServer({
    authenticate(token, request) {
      asked.push([token, request.url, request.headers.cookie, request.headers.host]);
      return token === "good" ? { userId: "u-1", username: "Ana Lima" } : undefined;
    },
    authorize: async (user, boardId) => user.userId === "u-1" && boardId === "doc",
  });
  const driver = server.driver({ headers: { Cookie: "a=1" } });
  const ana = open(server, "Ana", driver, { url: "wss://app.example.com/presence?x=1", token: async () => "good" });
  const secret = ana.presence.board("secret", { username: "Ana" });
  const log = logOf(secret);
  const stranger = open(server, "Stranger", server.driver(), { token: "bad" });
  await server.advance(1_000);
  assert.deepEqual(asked[0], ["good", "/presence?x=1", "a=1", "app.example.com"]);
  assert.equal(ana.board.self?.username, "Ana Lima");
  assert.deepEqual(log, ["!bad_board"]);
  await server.advance(20_000);
  assert.deepEqual(stranger.log, ["!unauthorized"]);

  await server.announce("soon");
  await server.advance(100);
  await server.revoke("u-1");
  await server.advance(1_000);
  assert.deepEqual(ana.log, ['"soon"', "!kicked"]);
  assert.deepEqual(server.members("doc"), []);
});

test("tokens end by the service's own time, which begins with the real one", async () => {
  let tokens = 0;
  const server: TestServer = await createTestServer({ authenticate: () => ({ userId: "u-1", expiresAt: server.now + 120_000 }) });
  assert.ok(Math.abs(server.now - Date.now()) < 10_000);
  const ana = open(server, "Ana", server.driver(), { token: () => (tokens++ < 2 ? "good" : Promise.reject(new Error("no more"))) });
  await server.advance(50_000);
  assert.equal(tokens, 1);
  await server.advance(20_000);
  assert.equal(tokens, 2);
  await server.advance(200_000);
  assert.notEqual(ana.board.status, "connected");
});

test("a kick is as that of the real server, and a wrong one rejects", async () => {
  const { server, ana, ben } = await two();
  await server.kick({ memberId: ana.board.self?.memberId ?? "", boardId: "doc" });
  await server.advance(100);
  assert.deepEqual(ben.log, ["-Ana kicked"]);
  await assert.rejects(server.kick({ memberId: "Ana" }), /a memberId must be 32/);
});

test("two instances: people on both see each other; one dies and its people move over; one stops and nobody leaves", async () => {
  const { server, ana, ben } = await two({ instances: 2 });
  assert.deepEqual([names(ana.board), names(ben.board)], [["Ben active"], ["Ana active"]]);
  server.kill(0);
  await server.advance(5_000);
  assert.deepEqual([ana.board.status, names(ben.board), names(ana.board)], ["connected", ["Ana active"], ["Ben active"]]);
  assert.deepEqual(
    ana.log.concat(ben.log).filter((line) => line.startsWith("-")),
    [],
  );
  assert.equal(server.start(), 2);
  await server.advance(5_000);
  await server.stop(1);
  await server.advance(5_000);
  assert.deepEqual([names(ana.board), names(ben.board)], [["Ben active"], ["Ana active"]]);
  assert.deepEqual(
    ana.log.concat(ben.log).filter((line) => line.startsWith("-")),
    [],
  );
  await server.stop();
  await server.advance(1_000);
  assert.equal(ana.board.status, "reconnecting");
  assert.throws(() => server.members("doc"), /no instance serves/);
});

test("[R9] without a bus clients are told that people may be missing, and see all again when it is back", async () => {
  const { server, ana, ben } = await two({ instances: 2 });
  const cleo = open(server, "Cleo", server.driver({ instance: 0 }));
  await server.advance(1_000);
  server.disconnectBus();
  await server.advance(10_000);
  assert.deepEqual([ana.board.status, ben.board.status], ["degraded", "degraded"]);
  ana.board.update({ tool: "pen" });
  await server.advance(1_000);
  const toolOfAna = ({ board }: Page) => board.others.find(({ username }) => username === "Ana")?.state["tool"];
  assert.deepEqual([toolOfAna(cleo), toolOfAna(ben)], ["pen", undefined]);
  server.reconnectBus();
  await server.advance(10_000);
  assert.deepEqual([ana.board.status, ben.board.status], ["connected", "connected"]);
  assert.deepEqual([toolOfAna(cleo), toolOfAna(ben)], ["pen", "pen"]);
});

test("each run gives the same; mistakes are told", async () => {
  const [one, other] = [await two(), await two()];
  const idOf = ({ ana }: typeof one) => ana.board.self?.memberId;
  assert.equal(idOf(one), idOf(other));
  await assert.rejects(createTestServer({ instances: 0 }), /instances is 0/);
  assert.throws(() => one.server.driver({ instance: 1 }), /there is no instance 1; there are 1/);
  assert.throws(() => one.server.members("a b"), /is no board id/);
  const driver: Required<Pick<Driver, "watchPage" | "isOnline">> & Driver = one.server.driver();
  assert.ok(driver.now() > 0);
});
