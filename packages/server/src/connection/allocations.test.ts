/**
 * A move costs so many bytes of garbage, at the instance where it is made and the one where it arrives: what is held here is what the collector will have to take
 * away, in bytes and not in seconds. The fake sockets, clock and bus of the tests are in it. It runs in a process of its own, whose memory is so large that nothing
 * is collected meanwhile.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Client, Desk } from "../testing/desk.ts";

const YOUNG_MB = 256;
const MOVES = 4000;
const MOVE_MS = 5;
/** So many before anything is counted: by then V8 has made its code. */
const WARM_MOVES = 12_000;
/** It was 11 100 with Node 24.21, within one per cent. As in costs.test.ts: lower it when the count falls. */
const BYTES_MAX = 11_700;
const IS_CHILD = process.env["COUNT_ALLOCATIONS"] === "yes";

async function bytesPerMove(): Promise<number> {
  const one = await Desk.open();
  const two = await Desk.open({ beside: one });
  one.clock.advance(3000);
  const people = Array.from({ length: 10 }, (_, nth) => (nth % 2 === 0 ? one : two).enter("binary", "b"));
  const walk = (moves: number) => {
    for (let nth = 0; nth < moves; nth++) {
      (people[nth % people.length] as Client).move("b", nth % 60_000, 1);
      one.clock.advance(MOVE_MS);
    }
    for (const { socket } of people) socket.written.length = 0;
  };
  // From here on each instance knows how many listen on the board, and what it says goes where it will go all the time.
  await new Promise(setImmediate);
  walk(WARM_MOVES);
  await new Promise(setImmediate);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  walk(MOVES);
  return (process.memoryUsage().heapUsed - before) / MOVES;
}

if (IS_CHILD) console.log(await bytesPerMove());
else
  test("ten on one board of two instances: the garbage of a move", { timeout: 120_000 }, async (t) => {
    const flags = [`--min-semi-space-size=${YOUNG_MB}`, `--max-semi-space-size=${YOUNG_MB}`, "--expose-gc", "--trace-gc"];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...flags, "--conditions=presence-source", fileURLToPath(import.meta.url)],
      { env: { ...process.env, COUNT_ALLOCATIONS: "yes", NODE_OPTIONS: "" } },
    );
    const lines = stdout.trim().split("\n");
    const bytes = Number(lines.at(-1));
    assert.match(lines.at(-2) ?? "", /Mark-Compact/, "nothing was collected after the collection that was asked for");
    t.diagnostic(`${Math.round(bytes)} bytes a move`);
    assert.ok(bytes > 1000 && bytes < BYTES_MAX, `${bytes} bytes a move, at most ${BYTES_MAX}`);
  });
