/** C1: the same session is the same member on every instance, and nobody else's. Names and colours are fit to be shown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResumeToken } from "@presence-service/protocol";
import { cleanName, isFitName } from "@presence-service/protocol";
import { checkedUser, identityOf, newResumeToken, type User } from "./auth.ts";
import { colorOf } from "./palette.ts";

const TOKEN = "00112233445566778899aabbccddeeff" as ResumeToken;

test("[C1] the memberId is half of SHA-256 over userId and token", () => {
  // echo 00112233445566778899aabbccddeeff | xxd -r -p | sha256sum
  assert.equal(identityOf(undefined, TOKEN).memberId, "a8faed6abbf35c12a4b26e40f6feb19d");
  assert.notEqual(identityOf({ userId: "ana" }, TOKEN).memberId, identityOf({ userId: "ben" }, TOKEN).memberId);
});

test("[C1] without a user the member is a person of its own", () => {
  const { memberId, user } = identityOf(undefined, TOKEN);
  assert.deepEqual(user, { userId: memberId });
});

test("a new resume token is 16 bytes, and another one each time", () => {
  assert.match(newResumeToken(), /^[0-9a-f]{32}$/);
  assert.notEqual(newResumeToken(), newResumeToken());
});

test("the colour is the host's, else one of the palette", () => {
  assert.equal(identityOf({ userId: "ana", color: "#ABCDEF" }, TOKEN).color, "#abcdef");
  assert.equal(identityOf({ userId: "ana" }, TOKEN).color, colorOf("ana"));
});

test("names: controls and bidirectional overrides do not fit", () => {
  for (const fit of ["Ana", "Бен", "אבגד", "👩‍👩‍👧", "a b", ""]) assert.ok(isFitName(fit), fit);
  for (const unfit of ["a\nb", "\u202eana", "a\u0000", "\u2066x"]) assert.equal(isFitName(unfit), false);
  assert.equal(cleanName("a\n\u202eb\r"), "ab");
});

test("what authenticate gives is held to the wire's limits", () => {
  assert.deepEqual(checkedUser({ userId: "ana", username: "A\nna" }), { userId: "ana", username: "Ana" });
  assert.equal(checkedUser({ userId: "ana", username: "é".repeat(200) }).username, "é".repeat(128));
  for (const wrong of [
    { userId: "" },
    { userId: "x".repeat(129) },
    { userId: "a\ud800" },
    { userId: 7 },
    { userId: "a", username: ["Ana"] },
    { userId: "a", color: "red" },
    { userId: "a", color: ["#aabbcc"] },
    { userId: "a", avatar: "x".repeat(513) },
    { userId: "a", avatar: "https://a.example/\udc00.png" },
    { userId: "a", avatar: ["x"] },
  ])
    assert.throws(() => checkedUser(wrong as User), /authenticate gave/);
});
