/** Kicks and announcements of a host are checked before any instance hears of them. R16, R17. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { announcementOf, type KickOptions, kickOf } from "./operator.ts";

const memberId = "00112233445566778899aabbccddeeff";

test("[R16.1] a kick names a person or a session, perhaps a board, perhaps a reason", () => {
  assert.deepEqual(kickOf({ userId: "u-1" }), { kind: "kick", whom: { userId: "u-1" }, reason: "" });
  assert.deepEqual(kickOf({ userId: 7 as never }), { kind: "kick", whom: { userId: "7" }, reason: "" });
  assert.deepEqual(kickOf({ memberId, boardId: "b", reason: "spam" }), { kind: "kick", whom: { memberId }, boardId: "b", reason: "spam" });
  for (const [wrong, sentence] of [
    [{}, /either/],
    [{ userId: "a", memberId }, /either/],
    [{ memberId: "a" }, /a memberId must be/],
    [{ userId: "" }, /a userId must be/],
    [{ userId: "x".repeat(129) }, /a userId must be/],
    [{ userId: null }, /a userId must be/],
    [{ userId: "a", boardId: "{b}" }, /a boardId must be/],
    [{ userId: "a", reason: "x".repeat(124) }, /a reason must be/],
    [{ userId: "a", reason: 7 }, /a reason must be/],
  ] as const)
    assert.throws(() => kickOf(wrong as unknown as KickOptions), { name: "TypeError", message: sentence }, JSON.stringify(wrong));
});

test("[R17.1] an announcement is text, for all or for one board", () => {
  assert.deepEqual(announcementOf("Hi"), { kind: "announcement", text: "Hi" });
  assert.deepEqual(announcementOf("é".repeat(2048), { boardId: "b" }).boardId, "b");
  for (const wrong of ["", "x".repeat(4097), "a\ud800", 7, undefined]) assert.throws(() => announcementOf(wrong as string), TypeError);
  assert.throws(() => announcementOf("Hi", { boardId: "" }), TypeError);
});
