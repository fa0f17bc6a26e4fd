/** Long reads come in short pieces, and a stream that is paused gives none. */

import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { SLICE_BYTES, sliceReads, unshiftInSlices } from "./slices.ts";

function socketThatReads(): Duplex {
  return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
}

test("a pause takes effect within a read, and nothing is lost or out of order", async () => {
  const socket = socketThatReads();
  let sliced = 0;
  const listener = {
    sliced: (bytes: number) => {
      sliced += bytes;
    },
  };
  sliceReads(socket, listener);
  const heard: Buffer[] = [];
  const bytes = Buffer.from(Array.from({ length: 5 * SLICE_BYTES + 7 }, (_, nth) => nth % 251));
  socket.on("data", (chunk: Buffer) => {
    heard.push(chunk);
    socket.pause();
  });
  await nextTurn();
  socket.push(bytes);
  socket.push(Buffer.of(1, 2, 3));
  for (let pieces = 1; Buffer.concat(heard).length < bytes.length + 3; pieces++) {
    await nextTurn();
    assert.ok(heard.length <= pieces, "one piece for each time it was resumed");
    socket.resume();
  }
  assert.deepEqual(Buffer.concat(heard), Buffer.concat([bytes, Buffer.of(1, 2, 3)]));
  assert.ok(heard.every(({ length }) => length <= SLICE_BYTES));
  assert.equal(sliced, bytes.length, "short reads are not counted");
});

test("a socket that closes while it is paused hands on a short rest, and no long one", async () => {
  for (const [rest, expected] of [
    [SLICE_BYTES, SLICE_BYTES],
    [3 * SLICE_BYTES, 0],
  ] as const) {
    const socket = socketThatReads();
    let handed = 0;
    // As the WebSocket library does.
    socket.on("close", () => {
      handed = socket.readableLength === 0 ? 0 : socket.read(socket.readableLength).length;
    });
    sliceReads(socket, { sliced() {} });
    socket.pause();
    socket.push(Buffer.alloc(rest));
    socket.destroy();
    await nextTurn();
    assert.equal(handed, expected);
  }
});

test("bytes that came with the upgrade request are put back in pieces", async () => {
  for (const length of [0, 1, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES]) {
    const socket = socketThatReads();
    const head = Buffer.from(Array.from({ length }, (_, nth) => nth % 251));
    unshiftInSlices(socket, head);
    const heard: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => heard.push(chunk));
    await nextTurn();
    assert.deepEqual(Buffer.concat(heard), head);
    assert.ok(heard.every((chunk) => chunk.length <= SLICE_BYTES));
  }
});
