/** This release reads the messages of a later one: it skips the fields that it does not know, and takes unknown values for known ones. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import { clientMessages, serverMessages } from "../test/arbitraries.ts";
import { LATER_FIELDS, laterBinary, laterJson } from "../test/later.ts";
import { type CursorInput, decodeClientBinary, decodeCursors, decodeServerBinary, encodeBinary, readCursor } from "./binary.ts";
import { decodeClientJson, decodeServerJson } from "./json.ts";
import { CLIENT_MESSAGE_BYTES_MAX } from "./limits.ts";
import { isSentByClients, isSentByServers, MESSAGE_FIELDS } from "./message-fields.ts";
import { type BinaryMessage, ERROR_CODES } from "./messages.ts";
import { HIDDEN } from "./moves.ts";

type ByKind = { readonly [kind: string]: Arbitrary<BinaryMessage> };

/** Every message of the table, in the directions in which it travels. */
const sent = Object.entries(MESSAGE_FIELDS).flatMap(([kind, fields]) => [
  ...(isSentByClients(fields) ? [["client", kind] as const] : []),
  ...(isSentByServers(fields) ? [["server", kind] as const] : []),
]);

function arbitrary(side: "client" | "server", kind: string, boards: "number" | "id"): Arbitrary<BinaryMessage> {
  const byKind: ByKind = side === "client" ? clientMessages(boards) : serverMessages(boards);
  const messages = byKind[kind];
  assert.ok(messages, `no ${kind} of the ${side}`);
  return messages;
}

for (const [side, kind] of sent) {
  test(`presence.v2, ${side} ${kind}: later fields of the message and of its records are skipped`, () => {
    const decode = side === "client" ? decodeClientBinary : decodeServerBinary;
    fc.assert(
      fc.property(arbitrary(side, kind, "number"), (message) => {
        const later = laterBinary(message);
        assert.ok(later.length > encodeBinary(message).length);
        assert.deepEqual(decode(later), message);
        assert.equal(decode(later.subarray(0, -1)), undefined, "half of a later field");
        assert.equal(decode(Uint8Array.of(...later, ...LATER_FIELDS)), undefined, "keys that begin again");
      }),
    );
  });

  test(`presence.v2.json, ${side} ${kind}: later fields of the message and of its records are skipped`, () => {
    const decode = side === "client" ? decodeClientJson : decodeServerJson;
    fc.assert(
      fc.property(arbitrary(side, kind, "id"), (message) => {
        const later = laterJson(message);
        if (side === "client" && Buffer.byteLength(later) > CLIENT_MESSAGE_BYTES_MAX) return;
        const read = decode(later);
        // A patch is handed on as it came: those who apply it skip what they do not know.
        if (message.kind !== "user_updated") return assert.deepEqual(read, message);
        assert.ok(read?.kind === "user_updated");
        assert.deepEqual({ ...read, patch: { ...read.patch, ...message.patch } }, { ...message, patch: read.patch });
      }),
    );
  });
}

/** Two extra fields, of two bytes and of none. */
const SHORT_FIELDS = [9, 2, 0xaa, 0xbb, 40, 0];

test("the readers of the hot path skip later fields, too", () => {
  const into: CursorInput = { board: 0, x: 0, y: 0 };
  const { cursor } = clientMessages("number");
  fc.assert(
    fc.property(cursor, (message) => {
      const later = Uint8Array.of(...encodeBinary(message), ...SHORT_FIELDS);
      fc.pre(later.length <= 64);
      assert.ok(readCursor(later, into));
      assert.deepEqual(into, { board: message.board, x: message.at?.x ?? HIDDEN, y: message.at?.y ?? 0, path: message.path });
      assert.ok(!readCursor(later.subarray(0, -1), into));
      assert.ok(!readCursor(laterBinary(message), into), "a long one, which pays for its length");
    }),
  );
  const { cursors } = serverMessages("number");
  fc.assert(fc.property(cursors, (message) => assert.deepEqual(decodeCursors(laterBinary(message)), decodeCursors(encodeBinary(message)))));
});

test("a cursor with later fields is read without leaving an object behind", () => {
  const into: CursorInput = { board: 0, x: 0, y: 0 };
  const later = Uint8Array.of(...encodeBinary({ kind: "cursor", board: 7, at: { x: 1, y: 2 } }), ...SHORT_FIELDS);
  const heapGrowth = () => {
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 2000; n++) readCursor(later, into);
    return process.memoryUsage().heapUsed - before;
  };
  const growths = Array.from({ length: 61 }, heapGrowth).sort((a, b) => a - b);
  // One object each would be 32 KB at least. The median leaves out the rounds in which garbage was collected.
  assert.ok((growths[30] ?? Number.POSITIVE_INFINITY) < 16_000, String(growths));
});

test("a known field of an extra key is wrong unless its bytes are exactly a valid value", () => {
  const fields = ["01 01 00", "01 01 01", "01 01 09"];
  for (const good of fields) assert.ok(decodeClientBinary(bytes(`05 07 ${good}`)), good);
  for (const wrong of ["01 00", "01 02 00 00", "01 01 02", "02 01 7b", "02 04 02 7b7d 00", "02 03 02 5b5d"]) {
    assert.equal(decodeClientBinary(bytes(`05 07 ${wrong}`)), undefined, wrong);
    assert.equal(decodeClientBinary(bytes(`05 07 ${wrong} ${Buffer.from(LATER_FIELDS).toString("hex")}`)), undefined, wrong);
  }
});

test("values of a later release: a status is active, a reason left, an error unknown; in JSON only a text can be one", () => {
  for (const status of ["away", "", "Active", "toString", "__proto__"]) {
    const update = decodeClientJson(JSON.stringify({ kind: "update", board: "b", status }));
    assert.deepEqual(update, { kind: "update", board: "b", status: "active" }, status);
    const left = decodeServerJson(JSON.stringify({ kind: "user_left", board: "b", actor: 1, reason: status }));
    assert.deepEqual(left, { kind: "user_left", board: "b", actor: 1, reason: "left" }, status);
    const error = decodeServerJson(JSON.stringify({ kind: "error", code: status, message: "m" }));
    assert.deepEqual(error, { kind: "error", code: "unknown", message: "m" }, status);
  }
  for (const status of [null, 3, true, ["idle"], {}, "reconnecting"])
    assert.equal(decodeClientJson(JSON.stringify({ kind: "update", board: "b", status })), undefined, JSON.stringify(status));
  for (let number = 0; number < 256; number++) {
    const update = decodeClientBinary(Uint8Array.of(0x05, 7, 1, 1, number));
    const status = number === 1 ? "idle" : "active";
    assert.deepEqual(update, number === 2 ? undefined : { kind: "update", board: 7, status }, String(number));
    const left = decodeServerBinary(Uint8Array.of(0x45, 7, 1, number));
    assert.equal(left?.kind === "user_left" && left.reason, ["left", "timeout", "kicked", "instance_lost"][number] ?? "left");
    const error = decodeServerBinary(Uint8Array.of(0x4c, number, 0));
    assert.equal(error?.kind === "error" && error.code === "unknown", number >= ERROR_CODES.length, String(number));
  }
});

function bytes(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits.replaceAll(" ", ""), "hex"));
}
