/**
 * Messages as a later release may write them, for tests of its readers in this one: the same messages, with fields that nobody knows yet
 * in the message and in each of its records; messages of kinds that do not exist; values that their lists do not hold.
 */

import {
  type BinaryMessage,
  type Bytes,
  encodeBinary,
  encodeJson,
  type Json,
  type JsonObject,
  type Member,
  Writer,
  writeMember,
} from "../src/index.ts";

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
  client: { hex: "3f0768656c6c6f", json: '{"kind":"follow","boards":["doc-42"],"later":{"deep":[1]}}' },
  service: { hex: "7f01ff00", json: '{"kind":"weather","board":"doc-42","members":[1,2]}' },
} as const;

const LATER_VALUE: Json = { since: 7, of: [null, { deep: "é" }] };

/** Fields of JSON that belong to the app. */
const OPAQUE: ReadonlySet<string> = new Set(["state", "data"]);

export function laterBinary(message: BinaryMessage): Bytes {
  const plain = encodeBinary(message);
  const to = new Writer();
  if (message.kind === "user_joined") {
    const { at: _, ...bare } = message;
    laterRecord(to, encodeBinary(bare), message.member);
    to.bytes(plain.subarray(encodeBinary(bare).length));
  } else if (message.kind === "joined" || message.kind === "roster") {
    const {
      observe: _,
      observed: __,
      following: ___,
      held: ____,
      ...bare
    } = { observe: undefined, observed: undefined, following: undefined, held: undefined, ...message };
    const empty = encodeBinary({ ...bare, roster: [] });
    to.bytes(empty.subarray(0, -1)).varint(message.roster.length);
    for (const entry of message.roster) {
      laterRecord(to, encodeBinary({ ...bare, roster: [entry] }).subarray(empty.length), entry.member);
    }
    to.bytes(plain.subarray(encodeBinary(bare).length));
  } else to.bytes(plain);
  return to.bytes(LATER_FIELDS).finish();
}

/** A record that ends with that member, and so with the length of its extra fields and with these. */
export function laterRecord(to: Writer, record: Uint8Array, member: Member): void {
  const extra = extraFieldsOf(member);
  const end = record.length - extra.length;
  to.bytes(record.subarray(0, end - (extra.length < 128 ? 1 : 2)))
    .varint(extra.length + LATER_FIELDS.length)
    .bytes(extra)
    .bytes(LATER_FIELDS);
}

function extraFieldsOf(member: Member): Uint8Array {
  const { kind: _, joinedAt, activeAt, area, ...rest } = member;
  const bytesOf = (one: Member) => {
    const to = new Writer();
    writeMember(to, one);
    return to.finish();
  };
  const bare = bytesOf({ ...rest, kind: "person", joinedAt: 0 }).length;
  const whole = bytesOf(member);
  return whole.subarray(whole.length - bare < 128 ? bare : bare + 1);
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
