/**
 * A member that does nothing holds so many bytes of this instance, its share of a board of ten included: live memory after a collection, and not what the process
 * takes. The fake sockets of the tests are in it, and the real ones are not. It runs in a process of its own.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Client, Desk } from "../testing/desk.ts";

const BOARDS = 200;
const BOARD_SIZE = 10;
/** It was 5 500 with Node 24.21. As in costs.test.ts: lower it when the count falls. */
const BYTES_MAX = 5_600;
const IS_CHILD = process.env["COUNT_HOLDINGS"] === "yes";

async function bytesHeld(): Promise<number> {
  const desk = await Desk.open();
  desk.clock.advance(3000);
  const people: Client[] = [];
  const enter = (board: string) => {
    for (let nth = 0; nth < BOARD_SIZE; nth++) {
      const client = desk.connect("binary");
      client.hello();
      client.join(board, "somebody");
      people.push(client);
    }
    desk.clock.advance(1);
  };
  const used = async () => {
    // Boards are open by then, and nobody has to answer a heartbeat yet.
    desk.clock.advance(2000);
    await new Promise(setImmediate);
    for (const { socket } of people) socket.written.length = 0;
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  // The first ones bring code along.
  for (let board = 0; board < 20; board++) enter(`first ${board}`);
  const before = await used();
  for (let board = 0; board < BOARDS; board++) enter(`b${board}`);
  return ((await used()) - before) / (BOARDS * BOARD_SIZE);
}

if (IS_CHILD) console.log(await bytesHeld());
else
  test("a member on a board of ten holds a few kilobytes", { timeout: 120_000 }, async (t) => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "--conditions=presence-source", fileURLToPath(import.meta.url)],
      { env: { ...process.env, COUNT_HOLDINGS: "yes", NODE_OPTIONS: "" } },
    );
    const bytes = Number(stdout);
    t.diagnostic(`${Math.round(bytes)} bytes a member`);
    assert.ok(bytes > 1000 && bytes < BYTES_MAX, `${bytes} bytes a member, at most ${BYTES_MAX}`);
  });
