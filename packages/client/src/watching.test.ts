import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLIENT_MESSAGE_BYTES_MAX, CLOSE, encodeBinary } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver, type FakeSocket } from "./testing/fake-driver.ts";
import { welcome } from "./testing/service.ts";

function open() {
  const driver = new FakeDriver();
  return { driver, presence: createPresence({ url: "ws://test", driver }) };
}

async function connected() {
  const desk = open();
  const watch = desk.presence.watch(["a", "b"]);
  await desk.driver.advance();
  desk.driver.socket.accept();
  desk.driver.socket.serve(welcome());
  await desk.driver.advance(50);
  return { ...desk, watch };
}

const watches = (socket: FakeSocket) => socket.sent("watch").map(({ boards, off }) => `${off ? "-" : "+"}${boards.join()}`);

const told = (board: string, members: number, users = members) => ({
  kind: "occupancy" as const,
  boards: [{ board: board as BoardId, members, users }],
});

test("[C7] boards are watched without a board being entered, and their counts change in steps that a view can compare", async () => {
  const { driver, watch } = await connected();
  assert.deepEqual(watches(driver.socket), ["+a,b"]);
  let calls = 0;
  const stop = watch.subscribe(() => calls++);
  const before = watch.counts;
  assert.deepEqual([...before], []);
  driver.socket.serve(told("a", 3, 2));
  assert.deepEqual([...watch.counts], [["a", { members: 3, users: 2 }]]);
  assert.notEqual(watch.counts, before);
  const now = watch.snapshot();
  driver.socket.serve(told("a", 3, 2), told("other", 9));
  assert.equal(watch.counts, now);
  assert.equal(calls, 1);
  stop();
  driver.socket.serve(told("b", 0));
  assert.deepEqual([calls, watch.counts.get("b")], [1, { members: 0, users: 0 }]);
});

test("[C7] handles share boards: a board is given up a second after the last of its handles, and not when it is watched again", async () => {
  const { driver, presence, watch } = await connected();
  const second = presence.watch(["b", "c"]);
  await driver.advance(50);
  assert.deepEqual(watches(driver.socket).slice(1), ["+c"]);
  driver.socket.serve(told("b", 5));
  assert.deepEqual(
    [watch.counts.get("b"), second.counts.get("b")],
    [
      { members: 5, users: 5 },
      { members: 5, users: 5 },
    ],
  );
  watch.stop();
  watch.stop();
  presence.watch(["a"]).stop();
  const again = presence.watch(["a"]);
  await driver.advance(2_000);
  assert.deepEqual(watches(driver.socket).slice(2), []);
  again.stop();
  second.stop();
  await driver.advance(2_000);
  assert.deepEqual(watches(driver.socket).slice(2), ["-a,b,c"]);
  assert.deepEqual(second.counts.get("b"), { members: 5, users: 5 });
});

test("[C7] after a reconnect all boards are watched anew, and the counts stay meanwhile", async () => {
  const { driver, watch } = await connected();
  driver.socket.serve(told("a", 3));
  driver.socket.drop(CLOSE.draining.code);
  await driver.advance(3_000);
  driver.socket.accept();
  driver.socket.serve(welcome());
  await driver.advance(50);
  assert.ok(driver.sockets.length > 1);
  assert.deepEqual(watches(driver.socket), ["+a,b"]);
  assert.deepEqual([...watch.counts.keys()], ["a"]);
});

test("[C7] a board that the service refuses later on, as to a member that is put out, has no counts any more, and no old ones", async () => {
  const { driver, presence, watch } = await connected();
  presence.board("a");
  let calls = 0;
  watch.subscribe(() => calls++);
  driver.socket.serve(told("a", 3), told("b", 2), { kind: "error", code: "bad_board", message: "removed", ref: "a" });
  await driver.advance(50);
  assert.deepEqual([[...watch.counts.keys()], calls], [["b"], 3]);
});

test("[C7] a thousand boards take several messages; one more, and what is no board, throws", async () => {
  const { driver, presence, watch } = await connected();
  watch.stop();
  const ids = Array.from({ length: 1000 }, (_, at) => `${"x".repeat(100)}${at}`);
  presence.watch(ids);
  await driver.advance(50);
  const sent = driver.socket.sent("watch").slice(1);
  assert.ok(sent.length > 1 && sent.every((message) => encodeBinary(message).length <= CLIENT_MESSAGE_BYTES_MAX));
  assert.equal(sent.flatMap(({ boards }) => boards).length, 1000);
  assert.throws(() => presence.watch(["one more"]), TypeError);
  for (const noList of ["one", undefined, null]) assert.throws(() => presence.watch(noList as never), /list of the ids/, String(noList));
  assert.throws(() => presence.watch(["one-more"]), RangeError);
});

test("[C7] a board that the service cannot tell at the moment is asked for again, and one that it refuses is not", async () => {
  const { driver, presence } = await connected();
  const errors: string[] = [];
  presence.board("desk").on("error", ({ code }) => errors.push(code));
  driver.socket.serve(
    { kind: "error", code: "unavailable", message: "later", ref: "a" },
    { kind: "error", code: "bad_board", message: "no", ref: "b" },
  );
  await driver.advance(6_000);
  assert.deepEqual([watches(driver.socket), errors], [["+a,b", "+a"], []]);
});
