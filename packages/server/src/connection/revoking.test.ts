/** Revocation across instances: R24. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Client, Desk } from "../testing/desk.ts";
import { revocationOf } from "./operator.ts";

/** A token reads `user issuedAt`. */
const authenticate = (token = "") => {
  const [userId = "", issuedAt] = token.split(" ");
  return { userId, issuedAt: issuedAt === undefined ? undefined : Number(issuedAt) };
};

function enter(desk: Desk, token: string): Client {
  const client = desk.connect("json");
  client.hello({ token });
  return client;
}

test("[R24.1] a revoked user is put out at every instance, and comes in again with a token that was issued since", async () => {
  const here = await Desk.open({ authenticate });
  const there = await Desk.open({ authenticate, beside: here });
  here.clock.advance(2000);
  const then = here.clock.wallNow();
  const old = `eve ${then - 1000}`;
  const [one, two, ana] = [enter(here, old), enter(there, old), enter(there, `ana ${then - 1000}`)];
  await here.manager.tellAll(revocationOf("eve", "stolen", then));
  here.clock.turn();
  assert.deepEqual([one.socket.closedWith?.code, two.socket.closedWith?.code, ana.socket.closedWith], [4403, 4403, undefined]);
  assert.equal(two.socket.closedWith?.meaning, "stolen");
  for (const desk of [here, there]) {
    assert.equal(enter(desk, old).socket.closedWith?.code, 4401);
    assert.equal(enter(desk, "eve").socket.closedWith?.code, 4401, "without a time of issue");
    assert.equal(enter(desk, `eve ${then + 1000}`).socket.closedWith, undefined);
  }
});

test("[R24.3] [R24.4] [R24.7] an instance that comes later is told within 3 s, and puts out whom it had let in", async () => {
  const here = await Desk.open({ authenticate });
  const then = here.clock.wallNow();
  const old = `eve ${then - 1000}`;
  await here.manager.tellAll(revocationOf("eve", undefined, then));
  here.clock.advance(10_000);
  const there = await Desk.open({ authenticate, beside: here });
  const early = enter(there, old);
  const fresh = enter(there, `eve ${then + 1000}`);
  assert.deepEqual(
    [early, fresh].map(({ socket }) => socket.closedWith),
    [undefined, undefined],
    "nobody could know",
  );
  here.clock.advance(3000);
  assert.deepEqual([early.socket.closedWith?.code, fresh.socket.closedWith], [4403, undefined]);
  assert.equal(enter(there, old).socket.closedWith?.code, 4401);
});

test("[R24.3] what all know is said once a minute, by one of them", async () => {
  const desks = [await Desk.open({ authenticate })];
  const [first] = desks as [Desk];
  for (let nth = 0; nth < 3; nth++) desks.push(await Desk.open({ authenticate, beside: first }));
  first.clock.advance(5000);
  await first.manager.tellAll(revocationOf("eve", undefined, first.clock.wallNow()));
  first.clock.advance(10 * 60_000);
  await nextTurn();
  const said = desks.reduce((sum, { metrics }) => sum + metrics.published.revocations, 0);
  assert.ok(said >= 8 && said <= 25, `${said} in ten minutes`);
});
