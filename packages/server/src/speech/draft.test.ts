/** A draft gives each socket the bytes that are meant for it, and counts them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeSocket } from "../testing/fake-socket.ts";
import { Draft } from "./draft.ts";
import { binaryFrame } from "./socket.ts";

const ACTORS = 3;
const length = fc.integer({ min: 1, max: 200 });
const frame = fc.record({ except: fc.option(fc.nat(ACTORS - 1)), length });
const actors = fc.uniqueArray(fc.nat(ACTORS - 1), { maxLength: ACTORS });
const rosterFrame = fc.oneof(frame, fc.record({ to: actors, length }));
type Frame = { readonly except?: number | null; readonly to?: readonly number[]; readonly length: number };

test("a socket gets the frames that are for its actor and not left out for it, whole and in order, and each is counted", () => {
  fc.assert(
    fc.property(fc.array(rosterFrame), fc.array(frame), fc.nat(ACTORS), (roster: Frame[], cursors: Frame[], actor) => {
      const draft = new Draft();
      const frames = [...roster, ...cursors].map(({ length, ...whom }, nth) => ({
        ...whom,
        bytes: binaryFrame(Buffer.alloc(length, nth)),
      }));
      frames.forEach(({ except, to, bytes }, nth) => {
        if (nth === roster.length) draft.endRoster();
        if (to !== undefined) draft.addFor(to, bytes);
        else if (typeof except === "number") draft.addExcept(except, bytes);
        else draft.add(bytes);
      });
      if (cursors.length === 0) draft.endRoster();
      draft.moves = cursors.length;
      for (const part of ["roster", "all"] as const) {
        const socket = new FakeSocket();
        const written = { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 };
        draft.writeTo(socket, actor, part, written);
        const meant = frames
          .slice(0, part === "all" ? frames.length : roster.length)
          .filter(({ except, to }) => except !== actor && to?.includes(actor) !== false);
        const bytes = Buffer.concat(meant.map(({ bytes }) => bytes));
        assert.deepEqual(Buffer.concat(socket.written), bytes);
        assert.ok(!socket.isCorked);
        const cursorsDelivered = part === "all" && bytes.length > 0 ? cursors.length : 0;
        assert.deepEqual(written, { framesOut: meant.length, bytesOut: bytes.length, cursorsDelivered });
      }
    }),
  );
});

test("sockets for which nothing is left out are written the same bytes, in one piece", () => {
  const draft = new Draft();
  draft.add(binaryFrame(Buffer.from("a")));
  draft.addExcept(7, binaryFrame(Buffer.from("b")));
  const written = { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 };
  const [one, two] = [new FakeSocket(), new FakeSocket()];
  for (const socket of [one, two]) draft.writeTo(socket, 1, "all", written);
  assert.equal(one.written.length, 1);
  assert.equal(one.written[0], two.written[0], "not the same object");
});
