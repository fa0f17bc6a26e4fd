/** Areas of one board on two instances: clients of all encodings are sent the cursors of the areas at which they look, and nothing else. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Board, createPresence, type Followed } from "@presence-service/client";
import type { BoardId } from "@presence-service/protocol";
import { ClassicClient, eventually, type Instance, SessionClient, startCluster } from "./harness/index.ts";

const BOARD = "7";

test("[R20] two instances, four kinds of clients, two areas", { timeout: 120_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const ana = await sdkOn(t, one, "ana", "a");
  const ben = await sessionOn(t, two, "binary", "ben", "a");
  const cleo = await sessionOn(t, one, "json", "cleo", "b");
  const dan = await sessionOn(t, two, "json", "dan");
  const eve = await ClassicClient.connect(t, two.wsUrl);
  eve.join(7, "eve");
  const watcher = await sdkOn(t, two, undefined);
  const sessions = { ben, cleo, dan };
  const everybody = ["ana a", "ben a", "cleo b", "dan ", "eve "];
  const placesOf = ({ board }: { board: Board }) => [...board.others].map(({ username, area = "" }) => `${username} ${area}`).sort();
  await eventually(() => String(placesOf(watcher)) === String(everybody), { what: () => `all are where they are: ${placesOf(watcher)}` });

  const points: Record<string, (x: number) => void> = {
    ana: (x) => ana.board.moveCursor(x, 0, { units: "integer" }),
    ben: (x) => ben.move(BOARD, x, 0),
    cleo: (x) => cleo.move(BOARD, x, 0),
    dan: (x) => dan.move(BOARD, x, 0),
    eve: (x) => eve.move(7, x, 0),
  };
  /** The names of those whose place `x` the session was sent. */
  const told = (session: SessionClient, x: number) =>
    session.received.flatMap((message) =>
      message.kind === "cursors"
        ? message.moves.flatMap(({ actor, at }) => (at?.x === x ? [session.board(BOARD).members.get(actor)?.username] : []))
        : [],
    );
  let round = 100;
  /** All point, and once the observer has seen that, and so has each whom that place concerns: who was sent whom. */
  const pointed = async (expected: Readonly<Record<string, readonly string[]>>) => {
    const x = ++round;
    for (const point of Object.values(points)) point(x);
    const seen = (): Record<string, string[]> => ({
      ana: ana.seen(x),
      ...Object.fromEntries(Object.entries(sessions).map(([name, session]) => [name, names(told(session, x), name)])),
      eve: names([...eve.board(7).people].flatMap(([user, { username }]) => (eve.board(7).cursors.get(user)?.x === x ? [username] : []))),
      watcher: watcher.seen(x),
    });
    await eventually(() => String(Object.entries(seen())) === String(Object.entries(expected)), { what: () => JSON.stringify(seen()) });
    assert.deepEqual(seen(), expected);
  };
  const all = Object.keys(points);
  await pointed({ ana: ["ben"], ben: ["ana"], cleo: [], dan: ["eve"], eve: ["dan"], watcher: all });

  // Ben looks at two areas; the last place of Cleo, who is at the other instance, comes at once.
  ben.send({ kind: "look", board: boardOf(ben), areas: ["b", ""] });
  await eventually(() => told(ben, round).includes("cleo") && told(ben, round).includes("dan"), { what: "the last places" });
  // Ana goes where Cleo is: her pointer is nowhere for both, until it moves.
  ana.board.area("b");
  await eventually(() => ana.seen(round).includes("cleo") && !ana.seen(round).includes("ben"), { what: "the cursors of the other page" });
  await eventually(() => cleo.memberOf(BOARD, "ana")?.area === "b", { what: "Cleo is told where Ana is" });
  await pointed({ ana: ["cleo"], ben: ["ana", "cleo", "dan", "eve"], cleo: ["ana"], dan: ["eve"], eve: ["dan"], watcher: all });

  // Ana follows Ben from page to page, at the other instance, until she points herself.
  const followed: string[] = [];
  const member = ana.board.others.find(({ username }) => username === "ben") ?? assert.fail();
  ana.board.follow(member, ({ member, cursor, ended }: Followed) => {
    followed.push(`${member.area ?? ""} ${cursor === null ? "-" : cursor.point.x}${ended ? ` ${ended}` : ""}`);
  });
  await eventually(() => followed.at(-1) === `a ${round}`, { what: () => `Ben's pointer, not ${followed}` });
  ben.send({ kind: "update", board: boardOf(ben), area: "c" });
  await eventually(() => followed.at(-1) === "c -", { what: () => `Ben on the next page, not ${followed}` });
  ben.move(BOARD, 50, 0);
  await eventually(() => followed.at(-1) === "c 50", { what: () => `Ben's pointer there, not ${followed}` });
  ana.board.moveCursor(1, 1, { units: "integer" });
  assert.equal(followed.at(-1), "c 50 moved");
  assert.deepEqual(
    Object.values(sessions).flatMap(({ violations }) => violations),
    [],
  );
});

function names(found: readonly (string | undefined)[], self?: string): string[] {
  return [...new Set(found.filter((name) => name !== undefined && name !== self) as string[])].sort();
}

function boardOf(session: SessionClient): number | BoardId {
  const joined = session.received.findLast((message) => message.kind === "joined");
  return session.encoding === "json" ? (BOARD as BoardId) : (joined?.board ?? assert.fail("not joined"));
}

/** `username` undefined: an observer. */
async function sdkOn(t: TestContext, instance: Instance, username: string | undefined, area = "") {
  const presence = createPresence({ url: instance.wsUrl, smooth: false });
  t.after(() => presence.close());
  const board = username === undefined ? presence.observe(BOARD) : presence.board(BOARD, { username });
  board.area(area);
  const places = new Map<string, number>();
  board.cursors.subscribe((moved) => {
    for (const { member, point, hidden } of moved) {
      if (hidden) places.delete(member.username);
      else places.set(member.username, point.x);
    }
  });
  await eventually(() => board.status === "connected", { what: () => `${username} is connected, not ${board.status}` });
  return { board, seen: (x: number) => names([...places].flatMap(([name, shown]) => (shown === x ? [name] : []))) };
}

async function sessionOn(t: TestContext, instance: Instance, encoding: "binary" | "json", username: string, area = "") {
  const session = await SessionClient.connect(t, instance.wsUrl, { encoding });
  await session.join(BOARD, username);
  session.send({ kind: "update", board: boardOf(session), area });
  return session;
}
