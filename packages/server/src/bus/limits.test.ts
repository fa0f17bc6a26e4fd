/** Around every limit the bus takes exactly what the rules for clients allow (R13.4), and gives back what it took. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  ANNOUNCEMENT_BYTES_MAX,
  type BoardId,
  cleanName,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  isAvatar,
  isBoardId,
  isFitState,
  isText,
  isUserId,
  type JsonObject,
  KICK_REASON_BYTES_MAX,
  type Member,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import fc from "fast-check";
import type { BusMessage } from "../core/messages.ts";
import { ANA, ana, FROM } from "../testing/ana.ts";
import { decodeRedisMessage, encodeRedisMessage } from "./envelope.ts";

const character = fc.constantFrom("a", "é", "€", "🎉", '"', "\\", "\u0001", "\u2028", "\ufeff", "\ud800", "/");
const texts = fc
  .tuple(fc.constantFrom(0, 64, 123, 128, 256, 512, 4096), fc.integer({ min: -2, max: 2 }), character)
  .map(([limit, more, character]) => {
    const bytes = Math.max(0, limit + more);
    const count = Math.floor(bytes / utf8Bytes(character));
    return character.repeat(count) + "a".repeat(bytes - count * utf8Bytes(character));
  });
const states = fc
  .tuple(texts, fc.integer({ min: 29, max: 34 }), fc.integer({ min: -12, max: 2 }))
  .map(([text, depth, more]): JsonObject => {
    const nested = JSON.parse(`${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`);
    const full = "x".repeat(Math.max(0, EVENT_DATA_BYTES_MAX + more));
    return more % 3 === 0 ? { nested } : more % 2 === 0 ? { full } : { text };
  });

type Case = { readonly message: BusMessage; readonly isFit: boolean };

const setting = (member: Member): BusMessage => ({ kind: "delta", prev: 1, seq: 2, ops: [{ op: "set", slot: 1, attempt: 1, member }] });
const cases: Record<string, (text: string, state: JsonObject) => Case> = {
  userId: (text) => ({ message: setting({ ...ana, userId: text }), isFit: isUserId(text) }),
  username: (text) => ({
    message: setting({ ...ana, username: cleanName(text) }),
    isFit: isText(cleanName(text), USERNAME_BYTES_MAX),
  }),
  avatar: (text) => ({ message: setting({ ...ana, avatar: text }), isFit: isAvatar(text) }),
  state: (_, state) => ({ message: setting({ ...ana, state }), isFit: isFitState(state) }),
  "kicked user": (text) => ({ message: { kind: "kick", whom: { userId: text }, reason: "" }, isFit: isUserId(text) }),
  "reason of a kick": (text) => ({
    message: { kind: "kick", whom: { memberId: ANA }, reason: text },
    isFit: isText(text, KICK_REASON_BYTES_MAX),
  }),
  "board of a kick": (text) => ({
    message: { kind: "kick", whom: { memberId: ANA }, boardId: text as BoardId, reason: "" },
    isFit: isBoardId(text),
  }),
  announcement: (text) => ({ message: { kind: "announcement", text }, isFit: isText(text, ANNOUNCEMENT_BYTES_MAX) }),
  "name of an event": (text) => ({ message: { kind: "event", slot: 1, name: text, data: 1 }, isFit: isText(text, EVENT_NAME_BYTES_MAX) }),
  "data of an event": (_, state) => ({ message: { kind: "event", slot: 1, name: "n", data: state }, isFit: isFitState(state) }),
};

for (const [what, make] of Object.entries(cases)) {
  test(`[R13.4] ${what}: taken up to its limit and given back, and refused beyond it`, () => {
    const outcomes = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(texts, states, (text, state) => {
        const { message, isFit } = make(text, state);
        const decoded = decodeRedisMessage(encodeRedisMessage({ from: FROM, link: 1, message }));
        const isTaken = decoded.ok && isDeepStrictEqual(decoded.value.message, message);
        assert.equal(isTaken, isFit);
        outcomes[isTaken ? "taken" : "refused"]++;
      }),
      { numRuns: 500 },
    );
    assert.ok(outcomes.taken > 10 && outcomes.refused > 10, JSON.stringify(outcomes));
  });
}
