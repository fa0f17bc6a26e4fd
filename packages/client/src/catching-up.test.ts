/** C5: the SDK comes back, names the members that it holds, and puts the answer together with them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { HELD_BYTES, type HeldEntry, type Member, nameHeld, printed, type ServerMessage } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver, type FakeSocket } from "./testing/fake-driver.ts";
import { greet, joined, logOf, memberOf, names } from "./testing/service.ts";
import type { Board } from "./types.ts";

/** The service lets go, and its client is back after that. */
const BACK_MS = 2_500;

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const namesOf = (...held: Member[]) => held.map((member) => nameHeld(digest(printed(member)), member.joinedAt)).join("");

/** Joined "desk" with these others, in a runtime that can hash; then its connection was lost, and it has come back. */
async function back(
  others: readonly Member[],
  { hash = async (bytes: Uint8Array) => Uint8Array.from(digest(bytes)).buffer as ArrayBuffer, state = {} } = {},
): Promise<{ driver: FakeDriver; board: Board; socket: FakeSocket; log: string[]; before: readonly object[] }> {
  const driver = new FakeDriver();
  driver.hash = hash;
  const board = createPresence({ url: "ws://test", driver }).board("desk", { username: "me", state });
  const first = await greet(driver);
  first.serve(joined("desk", others, { me: { ...memberOf("me"), state } }));
  const before = board.others;
  const log = logOf(board);
  first.drop(1006);
  await driver.advance(BACK_MS);
  const socket = await greet(driver);
  log.length = 0;
  return { driver, board, socket, log, before };
}

/** Own entry in full, and the answer to the list. */
function answer(held: readonly (HeldEntry | null)[], others: readonly Member[] = [], more: { settling?: boolean } = {}): ServerMessage {
  return { ...(joined("desk", others, { firstActor: 50, ...more }) as Extract<ServerMessage, { kind: "joined" }>), held };
}

const [ana, ben, cleo] = ["ana", "ben", "cleo"].map((name, index) => memberOf(name, { joinedAt: 10 + index })) as [Member, Member, Member];

test("[C5] it names itself and all others in the order of rosters, and shows them as they were", async () => {
  const { board, socket, log, before } = await back([ana, ben]);
  const [join] = socket.sent("join");
  assert.equal(join?.held, namesOf(memberOf("me"), ana, ben));
  socket.serve(answer([{ actor: 0 }, { actor: 8 }, { actor: 9 }]));
  assert.deepEqual(log, ["~ana active", "~ben active"], "back from reconnecting");
  assert.ok(
    before.every((member, index) => member === board.others[index]),
    "the same objects",
  );
  assert.deepEqual(names(board), ["ana active", "ben active"]);
  socket.serve({ kind: "user_left", board: 7, actor: 9, reason: "left" });
  assert.deepEqual(names(board), ["ana active"]);
});

test("[C5] changes of held members, new ones, and those that are gone", async () => {
  const { board, socket, log } = await back([ana, ben, cleo]);
  const other = memberOf("dan", { joinedAt: 99 });
  const held = [null, { actor: 4, status: "idle", activeAt: 5, joinedAt: 200, at: { x: 65_535, y: 0 } }, null, { actor: 6 }] as const;
  socket.serve(answer(held, [other]));
  assert.deepEqual(names(board), ["cleo active", "dan active", "ana idle"]);
  assert.deepEqual(log.sort(), ["+dan", "-ben left", "~ana idle", "~cleo active"]);
  assert.deepEqual(board.others[2], { ...ana, status: "idle", activeAt: 5, joinedAt: 200 });
});

test("[C5, C6] members that a settling service does not tell stay for the grace", async () => {
  const { driver, board, socket } = await back([ana, ben]);
  socket.serve(answer([null, { actor: 4 }], [], { settling: true }));
  assert.deepEqual(names(board), ["ana active", "ben reconnecting"]);
  await driver.advance(15_000);
  assert.deepEqual(names(board), ["ana active"]);
});

test("[C5] one's own entry is taken from the roster, not from what was held", async () => {
  const { board, socket } = await back([ana]);
  const message = answer([{ actor: 0, status: "idle", joinedAt: 3 }, { actor: 4 }]);
  socket.serve(message);
  assert.equal(board.self?.status, "active");
  assert.equal(board.self?.joinedAt, 1);
});

test("[C5] an answer without `held` is the whole roster", async () => {
  const { board, socket, log } = await back([ana, ben]);
  socket.serve(joined("desk", [ben], { firstActor: 3 }));
  assert.deepEqual([names(board), log], [["ben active"], ["~ben active", "-ana left"]]);
});

test("[C5] the list is sent with each join until the board was told, and not after that", async () => {
  const { driver, socket } = await back([ana]);
  socket.drop(1006);
  await driver.advance(BACK_MS);
  const next = await greet(driver);
  assert.equal(next.sent("join")[0]?.held, namesOf(memberOf("me"), ana));
  next.serve(answer([null, { actor: 3 }]));
  next.serve({ kind: "error", code: "too_fast", message: "", ref: "desk" });
  await driver.advance(BACK_MS);
  assert.deepEqual(
    next.sent("join").map(({ held }) => held !== undefined),
    [true, false],
  );
});

test("[C5] while names are not ready, or cannot be made, the join has none", async () => {
  for (const hash of [() => new Promise<ArrayBuffer>(() => {}), () => Promise.reject(new Error("no hash"))]) {
    const { socket, driver } = await back([ana], { hash });
    assert.equal(socket.sent("join")[0]?.held, undefined);
    assert.deepEqual(driver.reports, []);
  }
});

test("[C5] a list that is too long for the message is cut", async () => {
  const crowd = Array.from({ length: 1_400 }, (_, index) => memberOf(`u${index}`, { joinedAt: 10 + index }));
  // FakeSocket refuses a message that is too long for the service.
  for (const size of [0, 4_000]) {
    const { socket } = await back(crowd, { state: { text: "x".repeat(size) } });
    const { length = 0 } = socket.sent("join")[0]?.held ?? "";
    assert.ok(length / 2 / HELD_BYTES > (size === 0 ? 1_300 : 1_000) && length % (2 * HELD_BYTES) === 0, `${length / 24} members`);
  }
});
