/** Frames as RFC 6455 has them: unmasked, whole, in the shortest form. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSocket } from "../testing/fake-socket.ts";
import { binaryFrame, binaryFrameStart, textFrame } from "./socket.ts";

test("headers of 2, 4 and 10 bytes", () => {
  const header = (length: number) =>
    binaryFrame(Buffer.alloc(length))
      .subarray(0, -length || undefined)
      .toString("hex");
  assert.equal(header(0), "8200");
  assert.equal(header(125), "827d");
  assert.equal(header(126), "827e007e");
  assert.equal(header(65_535), "827effff");
  assert.equal(header(65_536), "827f0000000000010000");
});

test("text is UTF-8, and counted in bytes", () => {
  const socket = new FakeSocket();
  socket.write(textFrame("é".repeat(100)));
  assert.deepEqual(socket.takeFrames(), [{ isText: true, payload: Buffer.from("é".repeat(100)) }]);
});

test("a frame in two pieces is one frame", () => {
  const socket = new FakeSocket();
  const tail = Buffer.alloc(200, 7);
  socket.write(binaryFrameStart(Buffer.of(1, 2), tail.length));
  socket.write(tail);
  assert.deepEqual(socket.takeFrames(), [{ isText: false, payload: Buffer.concat([Buffer.of(1, 2), tail]) }]);
});
