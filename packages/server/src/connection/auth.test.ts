/** C1: the same session is the same member on every instance, and no other session is. Names and colours are fit to be shown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResumeToken } from "@presence-service/protocol";
import { cleanName, isFitName } from "@presence-service/protocol";
import { identityOf, newResumeToken, personOf, type User } from "./auth.ts";

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

test("names: controls and bidirectional overrides do not fit", () => {
  for (const fit of ["Ana", "Бен", "אבגד", "👩‍👩‍👧", "a b", ""]) assert.ok(isFitName(fit), fit);
  for (const unfit of ["a\nb", "\u202eana", "a\u0000", "\u2066x"]) assert.equal(isFitName(unfit), false);
  assert.equal(cleanName("a\n\u202eb\r"), "ab");
});

const person = (given: object) => {
  const checked = personOf(given as User);
  return "unusable" in checked ? checked.unusable : checked.person;
};
const remarks = (given: object) => {
  const checked = personOf({ userId: "ana", ...given } as User);
  return "unusable" in checked ? [] : checked.remarks;
};

test("a user that authenticate gives is made fit for the wire", () => {
  assert.deepEqual(person({ userId: "ana", username: "A\nna" }), { userId: "ana", username: "Ana" });
  assert.deepEqual(person({ userId: "ana", username: "é".repeat(200) }), { userId: "ana", username: "é".repeat(128) });
  assert.deepEqual(person({ userId: "ana", username: " Ana ", color: " #F00 ", avatar: " a.png\n" }), {
    userId: "ana",
    username: "Ana",
    color: "#ff0000",
    avatar: "a.png",
  });
  assert.deepEqual(person({ userId: "ana", color: "#ABCDEF" }), { userId: "ana", color: "#abcdef" });
});

for (const [userId, text] of [
  [7, "7"],
  [0, "0"],
  [-0, "0"],
  [1e21, "1000000000000000000000"],
  [12n, "12"],
  [1.5, "1.5"],
] as const)
  test(`a userId ${userId} of ${typeof userId} is "${text}"`, () => assert.deepEqual(person({ userId }), { userId: text }));

for (const nothing of [null, undefined, "", "  "])
  test(`decoration that is ${JSON.stringify(nothing) ?? "undefined"} is not there, and nothing to remark`, () => {
    const given = { username: nothing, color: nothing, avatar: nothing, kind: nothing } as Partial<User>;
    assert.deepEqual([person({ userId: "ana", ...given }), remarks(given)], [{ userId: "ana" }, []]);
  });

test("an agent is one that the host calls so; anything else is a person", () => {
  assert.deepEqual(person({ userId: "a1", kind: "agent" }), { userId: "a1", kind: "agent" });
  assert.deepEqual([person({ userId: "ana", kind: "person" }), remarks({ kind: "person" })], [{ userId: "ana" }, []]);
  for (const kind of ["robot", 7, true]) {
    assert.deepEqual(person({ userId: "ana", kind }), { userId: "ana" });
    assert.deepEqual(remarks({ kind }), ["authenticate gave a kind that is neither person nor agent: the member is shown as a person"]);
  }
});

for (const [field, value] of [
  ["username", ["Ana"]],
  ["username", 7],
  ["color", "red"],
  ["color", ["#aabbcc"]],
  ["color", "#aabbccdd"],
  ["avatar", "x".repeat(513)],
  ["avatar", "https://a.example/\udc00.png"],
  ["avatar", ["x"]],
  ["avatar", new URL("https://a.example")],
] as const)
  test(`a ${field} that does not fit (${String(value).slice(0, 20)}) is left out, with a remark that names it`, () => {
    assert.deepEqual(person({ userId: "ana", [field]: value }), { userId: "ana" });
    assert.match(remarks({ [field]: value }).join(), new RegExp(`^authenticate gave an? ${field} that is not`));
  });

for (const userId of ["", "x".repeat(129), "a\ud800", null, undefined, Number.NaN, Number.POSITIVE_INFINITY, {}, true])
  test(`nobody is ${String(userId).slice(0, 10)}: a host that identifies nobody is told so`, () =>
    assert.match(String(person({ userId })), /userId that is not 1 to 128 bytes/));

for (const expiresAt of ["2030-01-01", Number.NaN, 1_750_000_000, 0, -1, new Date(), {}])
  test(`an expiresAt that is ${JSON.stringify(expiresAt)} gives no right without an end`, () =>
    assert.match(String(person({ userId: "ana", expiresAt })), /expiresAt that is not a time in milliseconds/));
