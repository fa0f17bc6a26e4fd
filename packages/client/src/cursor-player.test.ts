/** Cursors as an app gets them: evenly, or as they come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk, type Desk, greet, joined, memberOf } from "./testing/service.ts";
import type { CursorMove } from "./types.ts";

const STEP_MS = 100;
const WHOLE = 0xffff;
const FRAME_MS = 16;

/** Ana moves by a hundredth of the board every 100 ms, so often. */
async function move({ driver, socket }: Pick<Desk, "driver" | "socket">, times: number, from = 0): Promise<void> {
  for (let nth = from; nth < from + times; nth++) {
    const stamp = (60_000 + nth * STEP_MS) % 0x1_0000;
    socket.serve({ kind: "cursors", board: 7, stamp, moves: [{ actor: 1, at: { x: (nth / 100) * WHOLE, y: 0 } }].map(rounded) });
    await driver.advance(STEP_MS);
  }
}

const rounded = ({ actor, at }: { actor: number; at: { x: number; y: number } }) => ({ actor, at: { x: Math.round(at.x), y: at.y } });

/** Every move that is told, in order. */
function watch({ board }: Pick<Desk, "board">, options?: { smooth?: boolean }): { moves: CursorMove[]; stop: () => void } {
  const moves: CursorMove[] = [];
  return { moves, stop: board.cursors.subscribe((moved) => moves.push(...moved), options) };
}

test("cursors come with every frame, in even steps, and end where their owner left them", async () => {
  const desk = await atDesk(["ana"]);
  const { moves } = watch(desk);
  await move(desk, 20);
  await desk.driver.advance(1000);
  const steps = moves.slice(-70, -5).map(({ x }, nth, all) => x - (all[nth - 1]?.x ?? x - 0.0016));
  assert.ok(moves.length > 100 && steps.every((step) => Math.abs(step - FRAME_MS / 10_000) < 0.0002), String(steps));
  assert.deepEqual([moves.at(-1)?.x, moves.at(-1)?.point], [Math.round(0.19 * WHOLE) / WHOLE, { x: Math.round(0.19 * WHOLE), y: 0 }]);
  const told = moves.length;
  await desk.driver.advance(10_000);
  assert.equal(moves.length, told, "nothing is told at rest");
});

for (const [where, options, client] of [
  ["by a listener", { smooth: false }, {}],
  ["by the client", undefined, { smooth: false }],
] as const) {
  test(`opted out ${where}: each place as it comes`, async () => {
    const desk = await atDesk(["ana"], {}, client);
    const { moves } = watch(desk, options);
    await move(desk, 5);
    assert.deepEqual(
      moves.map(({ x }) => Math.round(x * 100)),
      [0, 1, 2, 3, 4],
    );
  });
}

test("a listener may be smooth where the client is not, beside another one", async () => {
  const desk = await atDesk(["ana"], {}, { smooth: false });
  const [plain, smooth] = [watch(desk), watch(desk, { smooth: true })];
  await move(desk, 5);
  await desk.driver.advance(500);
  assert.deepEqual([plain.moves.length, smooth.moves.length > 20], [5, true]);
  assert.deepEqual(smooth.moves.at(-1), plain.moves.at(-1));
});

test("a member who hides or leaves while moving is hidden at once, and nothing comes of it afterwards", async () => {
  for (const end of ["hides", "leaves"] as const) {
    const desk = await atDesk(["ana"]);
    const { moves } = watch(desk);
    await move(desk, 5);
    if (end === "hides") desk.socket.serve({ kind: "cursors", board: 7, stamp: 1, moves: [{ actor: 1, at: null }] });
    else desk.socket.serve({ kind: "user_left", board: 7, actor: 1, reason: "left" });
    assert.equal(moves.at(-1)?.hidden, true, end);
    const told = moves.length;
    await desk.driver.advance(1000);
    assert.equal(moves.length, told, end);
  }
});

test("a member who changes while moving is told as changed", async () => {
  const desk = await atDesk(["ana"]);
  const { moves } = watch(desk);
  await move(desk, 5);
  desk.socket.serve({ kind: "user_updated", board: 7, actor: 1, patch: { color: "#ff0000" } });
  await move(desk, 3, 5);
  assert.equal(moves.at(-1)?.member, desk.board.others[0]);
  assert.equal(moves.at(-1)?.member.color, "#ff0000");
});

test("a later listener is shown cursors where the others see them; with the last one the frames end", async () => {
  const desk = await atDesk(["ana"]);
  const first = watch(desk);
  await move(desk, 5);
  const second = watch(desk);
  assert.equal(second.moves[0]?.x, first.moves.at(-1)?.x);
  first.stop();
  second.stop();
  const told = first.moves.length + second.moves.length;
  await desk.driver.advance(1000);
  assert.equal(first.moves.length + second.moves.length, told);
  assert.equal(watch(desk).moves[0]?.x, Math.round(0.04 * WHOLE) / WHOLE, "a new listener sees the last place");
});

test("after a reconnect cursors begin anew, whatever the clock of the other instance says", async () => {
  const desk = await atDesk(["ana"]);
  const { moves } = watch(desk);
  await move(desk, 5);
  desk.socket.drop(1006);
  await desk.driver.advance(3000);
  const socket = await greet(desk.driver);
  socket.serve(joined("desk", [memberOf("ana")], { at: { ana: { x: 0, y: WHOLE } } }));
  assert.equal(moves.at(-1)?.y, 1);
  socket.serve({ kind: "cursors", board: 7, stamp: 3, moves: [{ actor: 1, at: { x: WHOLE, y: WHOLE } }] });
  assert.deepEqual([moves.at(-1)?.x, moves.at(-1)?.y], [1, 1]);
});
