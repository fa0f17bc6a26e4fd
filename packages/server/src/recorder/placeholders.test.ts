import assert from "node:assert/strict";
import { test } from "node:test";
import { Placeholders } from "./placeholders.ts";

const TEXTS = [
  "",
  "a",
  "Z",
  "~",
  " ",
  '"',
  "\\\n",
  "ana",
  "Ana B.",
  "é",
  "日本語",
  "👩‍🚀 crew",
  "Åsa Öberg, Malmö",
  "\ud800",
  "x".repeat(500),
  `${"y".repeat(15)}é`,
];

test("a placeholder has the length of the text, in JSON, in characters and in bytes, and is the same for the same text", () => {
  const placeholders = new Placeholders();
  for (const text of TEXTS) {
    const hidden = placeholders.text(text);
    assert.equal(hidden.length, text.length, text);
    assert.equal(Buffer.byteLength(JSON.stringify(hidden)), Buffer.byteLength(JSON.stringify(text)), text);
    assert.equal(placeholders.text(text), hidden);
  }
  assert.notEqual(placeholders.text("Ana Maria Lopez"), new Placeholders().text("Ana Maria Lopez"), "each recorder has a key of its own");
});

test("no two short texts or numbers have one placeholder", () => {
  const placeholders = new Placeholders();
  const letters = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index));
  for (const texts of [letters, letters.flatMap((a) => letters.map((b) => a + b)), Array.from({ length: 5000 }, (_, n) => `é${n}`)])
    assert.equal(new Set(texts.map((text) => placeholders.text(text))).size, texts.length);
  const numbers = Array.from({ length: 20_000 }, (_, n) => n - 10_000);
  assert.equal(new Set(numbers.map((number) => placeholders.number(number))).size, numbers.length);
  for (const number of [...numbers, 0.5, -1.25, 1e21, 123.456789, 5e-324, Number.MAX_SAFE_INTEGER])
    assert.equal(String(placeholders.number(number)).length, String(number).length, String(number));
});

test("what people write is hidden wherever it stands, and all else stays: also which objects are one", () => {
  const member = { memberId: "m1", userId: "u1", username: "Ana Maria", state: { "a key": ["a value", 12345, null, true] } };
  const saved = [
    member,
    new Map([["u1", { member, state: "up" }]]),
    new Set(["b1"]),
    { kind: "kick", reason: "rude words" },
    { reason: "left" },
  ];
  const hidden = new Placeholders().hide(saved) as typeof saved;
  const [copy, users] = hidden as [typeof member, Map<string, { member: unknown; state: string }>];
  assert.equal(users.get("u1")?.member, copy);
  assert.deepEqual([copy.memberId, copy.userId, users.get("u1")?.state, hidden[2], hidden[4]], ["m1", "u1", "up", saved[2], saved[4]]);
  const [list] = Object.values(copy.state);
  assert.deepEqual(list?.slice(2), [null, true]);
  const text = JSON.stringify(hidden);
  for (const secret of ["Ana Maria", "a key", "a value", "12345", "rude words"]) assert.ok(!text.includes(secret), secret);
});
