import assert from "node:assert/strict";
import { test } from "node:test";
import { Session } from "./session.ts";

const SECRET = Uint8Array.from({ length: 16 }, (_, at) => at);

test("[R11] attempts rise with every join, also across a reload", () => {
  const session = Session.fresh(SECRET);
  assert.equal(session.resumeToken, "000102030405060708090a0b0c0d0e0f");
  assert.deepEqual([session.nextAttempt(), session.nextAttempt()], [1, 2]);
  const reloaded = Session.parse(session.text());
  assert.equal(reloaded?.resumeToken, session.resumeToken);
  assert.equal(reloaded?.nextAttempt(), 3);
});

test("a stored text that is not a session gives none", () => {
  for (const text of [
    null,
    "",
    "x",
    SECRET.join(),
    `${"ab".repeat(16)}`,
    `${"ab".repeat(16)} -1`,
    `${"ab".repeat(16)} 4294967295`,
    `${"AB".repeat(16)} 1`,
  ]) {
    assert.equal(Session.parse(text), undefined, String(text));
  }
});

test("a secret of another length is our own mistake", () => {
  assert.throws(() => Session.fresh(new Uint8Array(8)), TypeError);
});
