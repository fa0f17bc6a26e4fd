/** The events that follow from who comes and leaves: the same at every instance, in whatever order the words of others come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Came, type HookEvent, Ledger } from "./ledger.ts";

const came = (member: string, attempt = 1, board = "b"): Came => ({
  board,
  member,
  attempt,
  user: `u-${member}`,
  name: member,
  kind: "person",
});
const left = (member: string, attempt = 1, reason = "left", board = "b") => ({ board, member, attempt, reason });
const words = (events: readonly HookEvent[]) => events.map(({ type, member, reason }) => [type, member, reason].filter(Boolean).join(" "));

test("first in, joined, left, last out", () => {
  const ledger = new Ledger();
  assert.deepEqual(words(ledger.apply("A", came("ana"), 0)), ["board.first_in ana", "member.joined ana"]);
  assert.deepEqual(words(ledger.apply("B", came("ben"), 0)), ["member.joined ben"]);
  assert.deepEqual(words(ledger.apply("A", came("ana"), 0)), [], "told twice");
  assert.deepEqual(words(ledger.apply("A", left("ana"), 0)), ["member.left ana left"]);
  assert.deepEqual(words(ledger.apply("A", left("ana"), 0)), []);
  assert.deepEqual(words(ledger.apply("B", left("ben", 1, "timeout"), 0)), ["member.left ben timeout", "board.last_out ben timeout"]);
  assert.equal(ledger.members, 0);
});

test("a session that moves to another instance neither leaves nor joins, in whichever order its entries are told", () => {
  const ledger = new Ledger();
  ledger.apply("A", came("ana"), 0);
  assert.deepEqual(ledger.apply("B", came("ana", 2), 0), []);
  assert.deepEqual(ledger.apply("A", left("ana", 1, "superseded"), 0), []);
  assert.deepEqual(ledger.apply("B", left("ana", 2, "superseded"), 1000), [], "the next entry is still to come");
  assert.deepEqual(ledger.tick(2000), []);
  assert.deepEqual(ledger.apply("C", came("ana", 3), 2000), []);
  assert.deepEqual(ledger.tick(10_000), []);
  ledger.apply("C", left("ana", 3, "superseded"), 10_000);
  assert.deepEqual(words(ledger.tick(15_000)), ["member.left ana left", "board.last_out ana left"], "or it does not come");
});

test("people of a dead instance have left, but for those who are elsewhere; all who see it find the same ids", () => {
  const ids = (order: readonly ("A" | "B")[]) => {
    const ledger = new Ledger();
    for (const owner of order) {
      ledger.apply(owner, came(owner === "A" ? "ana" : "ben"), 0);
      if (owner === "A") ledger.apply("A", came("eve"), 0);
    }
    ledger.apply("B", came("eve", 2), 0);
    return ledger.gone("A", 0);
  };
  const [one, two] = [ids(["A", "B"]), ids(["B", "A"])];
  assert.deepEqual(words(one), ["member.left ana instance_lost"]);
  assert.deepEqual(one, two);
});

test("an instance that was wrongly thought dead: who comes again has joined again, and that is another event", () => {
  const ledger = new Ledger();
  const first = ledger.apply("A", came("ana"), 0);
  ledger.gone("A", 0);
  const again = ledger.replace("A", [came("ana")], 0);
  assert.deepEqual(words(again), words(first));
  assert.equal(new Set([...first, ...again].map(({ id }) => id)).size, 4);
});

test("after something was missed, the whole of a slice gives the difference", () => {
  const ledger = new Ledger();
  for (const member of ["ana", "ben"]) ledger.apply("A", came(member), 0);
  assert.deepEqual(words(ledger.replace("A", [came("ben"), came("cleo")], 0)), ["member.joined cleo", "member.left ana left"]);
});
