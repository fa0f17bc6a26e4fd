/**
 * Messages as a later release may write them, for tests of its readers in this one: the same messages, with fields that nobody knows yet
 * in the message and in each of its records; messages of kinds that do not exist; values that their lists do not hold.
 */

import { type BinaryMessage, type Bytes, encodeBinary, encodeJson, type Json, type JsonObject, Writer } from "../src/index.ts";

/** Extra fields beyond all keys of this release: one is empty, one has a length of two bytes. */
export const LATER_FIELDS: Bytes = new Writer()
  .varint(1000)
  .varint(0)
  .varint(70_000)
  .varint(200)
  .bytes(new Uint8Array(200).fill(0xff))
  .finish();

/** Messages of later releases, by their sender. */
export const UNKNOWN_MESSAGES = {
  client: { hex: "3f0768656c6c6f", json: '{"kind":"watch","boards":["doc-42"],"later":{"deep":[1]}}' },
  service: { hex: "7f01ff00", json: '{"kind":"occupancy","board":"doc-42","members":[1,2]}' },
} as const;

const LATER_VALUE: Json = { since: 7, of: [null, { deep: "é" }] };

/** Fields of JSON that belong to the app. */
const OPAQUE: ReadonlySet<string> = new Set(["state", "data"]);

export function laterBinary(message: BinaryMessage): Bytes {
  const plain = encodeBinary(message);
  const to = new Writer();
  if (message.kind === "user_joined") laterRecord(to, plain);
  else if (message.kind === "joined") {
    const { observe: _, observed: __, ...bare } = message;
    const empty = encodeBinary({ ...bare, roster: [] });
    to.bytes(empty.subarray(0, -1)).varint(message.roster.length);
    for (const entry of message.roster) laterRecord(to, encodeBinary({ ...bare, roster: [entry] }).subarray(empty.length));
    to.bytes(plain.subarray(encodeBinary(bare).length));
  } else to.bytes(plain);
  return to.bytes(LATER_FIELDS).finish();
}

/** A record that ends with a member, and so with the length 0 of its extra fields. */
export function laterRecord(to: Writer, record: Uint8Array): void {
  if (record.at(-1) !== 0) throw new Error("a record of this release ends with a byte of 0");
  to.bytes(record.subarray(0, -1)).varint(LATER_FIELDS.length).bytes(LATER_FIELDS);
}

export function laterJson(message: BinaryMessage): string {
  return JSON.stringify(laterValue(JSON.parse(encodeJson(message))));
}

function laterValue(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(laterValue);
  const fields = Object.entries(value as JsonObject).map(([key, item]) => [key, OPAQUE.has(key) ? item : laterValue(item)]);
  return { "not yet": LATER_VALUE, ...Object.fromEntries(fields), later: LATER_VALUE };
}
