/** A wheel touches those that are due, each once, on its step. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ticket, Wheel } from "./wheel.ts";

/** Goes on to that step, and answers with those that were due. */
function turn(wheel: Wheel<string>, step: number): string[] {
  const due: string[] = [];
  wheel.turn(step, (_, guest) => due.push(guest));
  return due;
}

/** Tickets of these guests, all due at that step. */
function tickets(wheel: Wheel<string>, step: number, ...guests: string[]): Ticket<string>[] {
  return guests.map((guest) => {
    const ticket = new Ticket(guest);
    wheel.set(ticket, step);
    return ticket;
  });
}

test("each is due on the step that was set last, and then no more", () => {
  const wheel = new Wheel<string>(100);
  const [ana, cem] = tickets(wheel, 103, "ana", "cem");
  const [ben] = tickets(wheel, 101, "ben");
  wheel.set(ben as Ticket<string>, 104);
  cem?.leave();
  assert.equal(ana?.step, 103);
  assert.deepEqual(
    [101, 102, 103, 104, 105].map((step) => turn(wheel, step)),
    [[], [], ["ana"], ["ben"], []],
  );
  assert.equal(ana?.step, undefined);
});

test("a jump over many steps brings all that were due, in their order; a step that is over means the next one", () => {
  const wheel = new Wheel<string>(0);
  tickets(wheel, 9000, "late");
  tickets(wheel, 3, "early");
  assert.deepEqual(turn(wheel, 10_000), ["early", "late"]);
  const [over] = tickets(wheel, 7, "over");
  assert.equal(over?.step, 10_001);
});

test("those that are due may set, move and forget themselves and each other", () => {
  const wheel = new Wheel<string>(0);
  const [, ben] = tickets(wheel, 1, "ana", "ben", "cem");
  const due: string[] = [];
  wheel.turn(1, (ticket, guest) => {
    due.push(guest);
    wheel.set(ticket, 1);
    if (guest === "ana") ben?.leave();
  });
  assert.deepEqual(due, ["ana", "cem"]);
  assert.deepEqual(turn(wheel, 2), ["ana", "cem"]);
});

test("after a call that throws the others come with the next step", () => {
  const wheel = new Wheel<string>(0);
  tickets(wheel, 1, "ana", "ben", "cem");
  const fail = () => {
    throw new Error("no");
  };
  assert.throws(() => wheel.turn(1, fail));
  tickets(wheel, 1, "dan");
  assert.deepEqual(turn(wheel, 2), ["ben", "cem", "dan"]);
});
