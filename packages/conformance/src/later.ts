/**
 * Messages as a later release may write them (docs/PROTOCOL.md, Growing): with fields that nobody knows yet in the message and in its
 * records, or with values that no list holds.
 */

import {
  type BinaryMessage,
  type Bytes,
  decodeServerBinary,
  encodeBinary,
  encodeJson,
  type Json,
  type JsonObject,
  Writer,
} from "@presence-service/protocol";

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
  if (message.kind === "user_joined") to.bytes(grown(encodeBinary(message)));
  else if (message.kind === "joined") {
    const empty = encodeBinary({ ...message, roster: [] });
    to.bytes(empty.subarray(0, -1)).varint(message.roster.length);
    for (const entry of message.roster) to.bytes(grown(encodeBinary({ ...message, roster: [entry] })).subarray(empty.length));
  } else if (message.kind === "user_updated") to.bytes(encodeBinary({ ...message, patch: { ...message.patch, later: VALUE } }));
  else to.bytes(encodeBinary(message));
  return to.bytes(FIELDS).finish();
}

export function laterJson(message: BinaryMessage): string {
  return JSON.stringify(laterValue(JSON.parse(encodeJson(message))));
}

/** The same message with further fields of the member that ends it. The right one of several candidates is the one that reads the same. */
function grown(plain: Bytes): Bytes {
  const same = JSON.stringify(decodeServerBinary(plain));
  for (let known = 0; known < Math.min(plain.length, 128); known++) {
    const at = plain.length - 1 - known;
    if (plain[at] !== known) continue;
    const to = new Writer().bytes(plain.subarray(0, at)).varint(known + FIELDS.length);
    const candidate = to
      .bytes(plain.subarray(at + 1))
      .bytes(FIELDS)
      .finish();
    if (JSON.stringify(decodeServerBinary(candidate)) === same) return candidate;
  }
  throw new Error("a message that ends with a member ends with the length of its extra fields, and these");
}

function laterValue(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(laterValue);
  const fields = Object.entries(value as JsonObject).map(([key, item]) => [key, OF_THE_APP.has(key) ? item : laterValue(item)]);
  return { "not yet": VALUE, ...Object.fromEntries(fields), later: VALUE };
}
