/** The paths of a fast pointer on two instances: clients that read them are told them as they were, all others the last place. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CursorMove, createPresence } from "@presence-service/client";
import type { BoardRef, CursorPathOf } from "@presence-service/protocol";
import { ClassicClient, eventually, type Instance, type Scope, SessionClient, startCluster } from "./harness/index.ts";

const BOARD = "7";

test("[R22] two instances, clients of all encodings: a path of the SDK and one of a binary client", { timeout: 60_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const ana = sdkOn(t, one, "ana");
  const watchers = { here: sdkOn(t, one, "here"), there: sdkOn(t, two, "there") };
  const sessions = [
    await SessionClient.connect(t, one.wsUrl, { encoding: "binary" }),
    await SessionClient.connect(t, two.wsUrl, { encoding: "binary" }),
    await SessionClient.connect(t, one.wsUrl, { encoding: "json" }),
    await SessionClient.connect(t, two.wsUrl, { encoding: "json" }),
  ] as const;
  for (const [nth, session] of sessions.entries()) await session.join(BOARD, `session ${nth}`);
  const classic = await ClassicClient.connect(t, two.wsUrl);
  classic.join(7, "classic");
  await eventually(() => ana.board.memberCount === 8, { what: () => `all are there, not ${ana.board.memberCount}` });

  // The first move leaves at once, the others together at the service's pace: as an app tells the events that came with one frame.
  for (const [x, ago] of [
    [1000, 30],
    [2000, 25],
    [4000, 15],
    [7000, 5],
    [65_535, 0],
  ] as const)
    ana.board.moveCursor(x, 500, { units: "integer", path: true, ago });
  for (const session of sessions) {
    await eventually(() => session.cursorOf(BOARD, "ana")?.x === 65_535, { what: "the last place" });
    const told = pathsOf(session, "ana");
    assert.deepEqual(
      told.flatMap(({ earlier }) => earlier.map(({ dx, dy }) => [65_535 + dx, 500 + dy])).slice(-3),
      [
        [2000, 500],
        [4000, 500],
        [7000, 500],
      ],
      session.encoding,
    );
    const times = told.at(-1)?.earlier.map(({ ms }) => ms) ?? [];
    assert.ok(
      times.slice(-3).every((ms, nth) => Math.abs(ms - ([25, 15, 5][nth] ?? 0)) <= 2),
      `${session.encoding} is told the times ${times}`,
    );
  }
  await eventually(() => classic.cursorOf(7, "ana")?.x === 65_535, { what: "the classic client has the last place" });
  for (const { moved } of Object.values(watchers)) {
    await eventually(() => moved.some(({ member, point }) => member.username === "ana" && point.x === 65_535), { what: "the SDK sees it" });
    const path = moved.flatMap(({ path = [], point }) => [...path.map(({ x }) => Math.round(x * 65_535)), point.x]);
    assert.deepEqual(path.slice(-4), [2000, 4000, 7000, 65_535]);
    moved.length = 0;
  }

  const [binary] = sessions;
  const path = {
    stamp: 65_530,
    earlier: [
      { ms: 200, dx: -70_000, dy: 3 },
      { ms: 1, dx: 9, dy: 0 },
    ],
  };
  binary.send({ kind: "cursor", board: boardOf(binary), at: { x: 5, y: 6 }, path });
  for (const session of sessions.slice(1)) {
    await eventually(() => session.cursorOf(BOARD, "session 0")?.x === 5, { what: "its place" });
    const actor = session.board(BOARD).byName("session 0")?.actor;
    assert.deepEqual(pathsOf(session, "session 0"), [{ actor, ...path }], session.encoding);
  }
  for (const { moved } of Object.values(watchers))
    await eventually(() => moved.some(({ path }) => path?.length === 2), { what: "the SDK is told its path" });
  // Moves without a path have none.
  const before = sessions[1].received.length;
  ana.board.moveCursor(77, 77, { units: "integer" });
  await eventually(() => sessions[1].cursorOf(BOARD, "ana")?.x === 77, { what: "the move" });
  for (const message of sessions[1].received.slice(before)) assert.ok(!("paths" in message));
  assert.deepEqual([...sessions.flatMap(({ violations }) => violations), ...classic.violations], []);
});

function pathsOf(session: SessionClient, name: string): CursorPathOf[] {
  const actor = session.board(BOARD).byName(name)?.actor;
  return session.received.flatMap((message) =>
    message.kind === "cursors" ? (message.paths ?? []).filter((path) => path.actor === actor) : [],
  );
}

function boardOf(session: SessionClient): BoardRef {
  const joined = session.received.find((message) => message.kind === "joined");
  return joined?.kind === "joined" ? joined.board : assert.fail("not joined");
}

function sdkOn(scope: Scope, instance: Instance, username: string) {
  const presence = createPresence({ url: instance.wsUrl, name: username, smooth: false });
  scope.after(() => presence.close());
  const board = presence.board(BOARD, { username });
  const moved: CursorMove[] = [];
  board.cursors.subscribe((moves) => moved.push(...moves));
  return { board, moved };
}
