/**
 * Messages as a later release may write them (docs/PROTOCOL.md, Growing): with fields that nobody knows yet in the message and in its
 * records, or with values that no list holds.
 */

import { type BinaryMessage, type Bytes, encodeBinary, encodeJson, type Json, type JsonObject, Writer } from "@presence-service/protocol";

const FIELDS: Bytes = new Writer()
  .varint(1000)
  .varint(0)
  .varint(70_000)
  .varint(3)
  .bytes(Uint8Array.of(1, 2, 3))
  .finish();
const VALUE: Json = { since: 7, of: [null, { deep: "é" }] };
/** Fields of JSON that belong to the app; `patch` is a member's and may grow. */
const OF_THE_APP: ReadonlySet<string> = new Set(["state", "data"]);

export function laterBinary(message: BinaryMessage): Bytes {
  const to = new Writer();
  if (message.kind === "user_joined") laterRecord(to, encodeBinary(message));
  else if (message.kind === "joined") {
    const empty = encodeBinary({ ...message, roster: [] });
    to.bytes(empty.subarray(0, -1)).varint(message.roster.length);
    for (const entry of message.roster) laterRecord(to, encodeBinary({ ...message, roster: [entry] }).subarray(empty.length));
  } else if (message.kind === "user_updated") to.bytes(encodeBinary({ ...message, patch: { ...message.patch, later: VALUE } }));
  else to.bytes(encodeBinary(message));
  return to.bytes(FIELDS).finish();
}

export function laterJson(message: BinaryMessage): string {
  return JSON.stringify(laterValue(JSON.parse(encodeJson(message))));
}

/** A record ends with its member, and that with the extra fields of this release: of none, so a 0, or of some, then nothing is added. */
function laterRecord(to: Writer, record: Uint8Array): void {
  if (record.at(-1) === 0) to.bytes(record.subarray(0, -1)).varint(FIELDS.length).bytes(FIELDS);
  else to.bytes(record);
}

function laterValue(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(laterValue);
  const fields = Object.entries(value as JsonObject).map(([key, item]) => [key, OF_THE_APP.has(key) ? item : laterValue(item)]);
  return { "not yet": VALUE, ...Object.fromEntries(fields), later: VALUE };
}
