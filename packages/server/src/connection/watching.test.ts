/** Clients that watch boards: what they are told and when, what they may watch, and what it costs (C7, R15). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, type Occupancy, SERVER_MESSAGE_BYTES_MAX, WATCHED_BOARDS_MAX } from "@presence-service/protocol";
import { hashOfBoard, shardOf } from "../core/occupancy.ts";
import type { Speech } from "../speech/speech.ts";
import { type Client, Desk } from "../testing/desk.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { Watching } from "./watching.ts";

const ids = (count: number, prefix = "d"): BoardId[] => Array.from({ length: count }, (_, at) => `${prefix}${at}` as BoardId);

function watch(client: Client, boards: readonly string[], off?: boolean): void {
  client.say({ kind: "watch", boards: boards as BoardId[], ...(off && { off }) });
}

/** The counts told, as `board members users`, a list for each message. */
function told({ socket }: Client): string[][] {
  return socket
    .takeMessages()
    .flatMap((message) =>
      message.kind === "occupancy" ? [message.boards.map(inWords)] : message.kind === "error" ? [[`${message.code} ${message.ref}`]] : [],
    );
}

function inWords({ board, members, users }: Occupancy): string {
  return `${board} ${members} ${users}`;
}

for (const encoding of ["binary", "json"] as const) {
  test(`[C7] a watcher is told each board as soon as it is known, and then what changes, once a second: ${encoding}`, async () => {
    const desk = await Desk.open();
    const far = await Desk.open({ beside: desk });
    desk.clock.advance(3_000);
    far.enter("json", "b", "Ana");
    const watcher = desk.enter(encoding);
    watch(watcher, ["b", "empty"]);
    desk.clock.advance(400);
    assert.deepEqual(told(watcher), [["b 1 1"]]);
    desk.clock.advance(1_500);
    assert.deepEqual(told(watcher), [["empty 0 0"]]);
    for (let at = 0; at < 10; at++) far.enter("json", "b", `p${at}`);
    desk.clock.advance(500);
    far.enter("json", "b", "last");
    desk.clock.advance(2_500);
    const counts = told(watcher);
    assert.ok(counts.length <= 4, JSON.stringify(counts));
    assert.deepEqual(counts.at(-1), ["b 12 12"]);
    for (let at = 0; at < 10; at++) {
      desk.enter("json", "b", `q${at}`);
      desk.clock.advance(100);
    }
    desk.clock.advance(1_100);
    assert.ok(told(watcher).length <= 5);
    // Somebody who comes and is gone again within the second is no news.
    const ben = desk.enter("json", "b", "Ben");
    desk.clock.advance(3_000);
    told(watcher);
    ben.leave("b");
    ben.join("b", "Ben");
    desk.clock.advance(3_000);
    assert.deepEqual(told(watcher), []);
    watch(watcher, ["b"], true);
    ben.leave("b");
    desk.clock.advance(5_000);
    assert.deepEqual([told(watcher), desk.manager.stats().watched], [[], 1]);
    watcher.close(1000);
    assert.equal(desk.manager.stats().watched, 0);
  });
}

test("[C7] a second watcher is told at once what the first one knows; those who watch the same share a frame", async () => {
  const desk = await Desk.open();
  desk.enter("json", "b", "Ana");
  const [first, second] = [desk.enter("binary"), desk.enter("binary")];
  for (const one of [first, second]) {
    watch(one, ["b", "c"]);
    desk.clock.advance(100);
    assert.deepEqual(told(one).flat(), ["b 1 1", "c 0 0"]);
  }
  desk.clock.advance(2_000);
  desk.enter("json", "b", "Ben");
  desk.clock.advance(1_100);
  assert.equal(first.socket.written.length, 1);
  assert.equal(first.socket.written[0], second.socket.written[0]);
});

test("[C7] a board that is watched and entered is told by its roster, and a classic client is not affected", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "7", "Ana");
  watch(ana, ["7"]);
  desk.clock.advance(100);
  assert.deepEqual(told(ana), [["7 1 1"]]);
  const old = desk.enter("classic", "7", "old");
  desk.clock.advance(1_100);
  assert.deepEqual(told(ana), [["7 2 2"]]);
  old.connection.received(Buffer.of(0x0a, 0x01, 0x01, 0x37), true);
  desk.clock.advance(2_000);
  assert.equal(old.connection.who === undefined, false);
  assert.deepEqual([...old.connection.watched], []);
});

test("[C7] a thousand boards may be watched, in pieces; one more is refused, and no answer is larger than a message may be", async () => {
  for (const encoding of ["binary", "json"] as const) {
    const desk = await Desk.open();
    const watcher = desk.enter(encoding);
    const long = ids(WATCHED_BOARDS_MAX, "x".repeat(120));
    for (let at = 0; at < long.length; at += 100) watch(watcher, long.slice(at, at + 100));
    desk.clock.advance(3_000);
    const frames = watcher.socket.takeFrames();
    assert.ok(frames.every(({ payload }) => payload.length <= SERVER_MESSAGE_BYTES_MAX) && frames.length > 1);
    watch(watcher, [...long.slice(0, 50), "one", "two"]);
    desk.clock.advance(3_000);
    assert.deepEqual(told(watcher), [["too_many_watched one"]]);
    watch(watcher, long.slice(0, 1), true);
    watch(watcher, ["one"]);
    desk.clock.advance(3_000);
    assert.deepEqual(told(watcher), [["one 0 0"]]);
    assert.equal(desk.manager.stats().watched, WATCHED_BOARDS_MAX);
  }
});

test("[C7] the host is asked about each board, a few at a time, and told that it is only watched; it may refuse, or fail", async () => {
  const asked: string[] = [];
  const open: ((is: boolean) => void)[] = [];
  const authorize = (_: unknown, boardId: string, how: object) => {
    asked.push(`${boardId} ${JSON.stringify(how)}`);
    if (boardId === "broken") throw new Error("no database");
    if (boardId.startsWith("d")) return new Promise<boolean>((resolve) => open.push(resolve));
    return boardId !== "secret";
  };
  const desk = await Desk.open({ authorize });
  const watcher = desk.enter("json");
  watch(watcher, ["ok", "secret", "broken"]);
  desk.clock.advance(500);
  assert.deepEqual(told(watcher), [["bad_board secret"], ["unavailable broken"], ["ok 0 0"]]);
  assert.equal(asked[0], 'ok {"observe":true,"watch":true}');
  watch(watcher, ids(100));
  assert.equal(open.length, 16);
  // Each question has its price.
  desk.clock.advance(500);
  watch(watcher, ["d0", "d99"], true);
  for (let at = 0; at < open.length; at++) {
    open[at]?.(true);
    await undefined;
    await undefined;
    await undefined;
  }
  desk.clock.advance(500);
  assert.deepEqual([open.length, desk.manager.stats().watched], [99, 99]);
  const before = open.length;
  watch(watcher, ["d200"]);
  watcher.close(1000);
  open[before]?.(true);
  await undefined;
  await undefined;
  assert.equal(desk.manager.stats().watched, 0);
});

test("[R16.3] a person who is kicked off a board is not told its counts any more", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("json");
  watch(watcher, ["b", "c"]);
  desk.clock.advance(500);
  told(watcher);
  const { memberId } = watcher.connection.who?.identity ?? assert.fail();
  desk.manager.input({ kind: "kick", whom: { memberId }, boardId: "b" as BoardId, reason: "" });
  assert.deepEqual(told(watcher), [["bad_board b"]]);
  assert.deepEqual([...watcher.connection.watched], ["c"]);
});

test("[C4] watching has a rate and a price, and a client that does not read is told later, everything at once", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("json");
  for (let times = 0; times < 60; times++) watch(watcher, ["b"], times % 2 === 1);
  desk.clock.advance(10);
  assert.equal(told(watcher).filter(([line]) => line === "too_fast watch").length, 10);
  const slow = desk.enter("json");
  watch(slow, ["b", "c"]);
  desk.clock.advance(500);
  assert.deepEqual(told(slow), [["b 0 0", "c 0 0"]]);
  slow.socket.queuedBytes = 1_000_000;
  for (let at = 0; at < 5; at++) {
    desk.enter("json", "b", `p${at}`);
    desk.clock.advance(1_500);
  }
  assert.deepEqual(told(slow), []);
  slow.socket.queuedBytes = 0;
  desk.clock.advance(1_500);
  assert.deepEqual(told(slow), [["b 5 5", "c 0 0"]]);
});

test("[C7] a crowd that watches the same boards is told in pieces, so that nobody else is held up; all are told the last counts", () => {
  const clock = new FakeClock();
  const boards = ids(200);
  const counts = new Map<BoardId, { members: number; users: number }>();
  const watching = new Watching({ core: { occupancy: (boardId) => counts.get(boardId) }, clock, input: () => {} });
  let news = 0;
  const shown = Array.from({ length: 300 }, () => new Map<BoardId, number>());
  for (const told of shown) {
    const write = (frame: Buffer | undefined) => {
      const items = JSON.parse(String(frame)) as { boards: Occupancy[] };
      news += items.boards.length;
      for (const { board, members } of items.boards) told.set(board, members);
      return 0;
    };
    const speech = { encoding: "json", frame: (message: unknown) => Buffer.from(JSON.stringify(message)) } as unknown as Speech;
    const watcher = { speech, watched: boards, isKeepingUp: true, write, charge: () => {} };
    for (const boardId of boards) watching.add(watcher, boardId);
  }
  const pieces: number[] = [];
  const spend = (ms: number) => {
    for (let at = 0; at < ms; at += 10) {
      news = 0;
      clock.advance(10);
      if (news > 0) pieces.push(news);
    }
  };
  for (const members of [1, 2, 3]) {
    for (const boardId of boards) {
      counts.set(boardId, { members, users: 1 });
      watching.changed(boardId);
    }
    spend(members === 2 ? 1_150 : 2_000);
  }
  assert.ok(Math.max(...pieces) <= 20_300 && pieces.length >= 9, `${pieces}`);
  // None is told twice: three times all boards to all watchers.
  assert.equal(
    pieces.reduce((sum, piece) => sum + piece),
    3 * 200 * 300,
  );
  for (const told of shown) assert.deepEqual(new Set(told.values()), new Set([3]));
});

test("[R15.51] a shard that Redis refuses degrades nobody: counts stay as they were, and the log says why", async () => {
  const desk = await Desk.open();
  const far = await Desk.open({ beside: desk });
  desk.clock.advance(3_000);
  far.enter("json", "b", "Ana");
  const watcher = desk.enter("json");
  watch(watcher, ["b"]);
  desk.clock.advance(400);
  assert.deepEqual(told(watcher), [["b 1 1"]]);
  const shard = shardOf(hashOfBoard("b" as BoardId));
  const channel = `test:occupancy:${shard}`;
  desk.lines.length = 0;
  desk.listener.refused({ channel, reason: "not permitted", gist: "not permitted", advice: "Give it the right.", attempt: 1, retryMs: 1 });
  desk.clock.advance(3_000);
  assert.deepEqual(watcher.socket.takeMessages(), []);
  assert.equal(desk.manager.stats().status, "ready");
  assert.ok(
    desk.lines.some((line) => line.includes(channel)),
    desk.lines.join("\n"),
  );
});
