/** A peer that is not on this machine is left out, and not a failure. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Contender, ours, peersNamed, thoseHere, versionsOf } from "./contenders.ts";

test("a peer whose program is not on the PATH is left out with a plain line; others are measured", (t) => {
  const said = t.mock.method(console, "error", () => {});
  const [centrifugo, naive] = peersNamed(["centrifugo", "naive"]) as [Contender, Contender];
  const missing: Contender = { ...centrifugo, version: () => undefined };
  assert.deepEqual(thoseHere([ours, missing, naive]), [ours, naive]);
  assert.deepEqual(
    said.mock.calls.map((call) => call.arguments[0]),
    ["without centrifugo: there is no centrifugo on the PATH"],
  );
});

test("a program that is on the PATH tells its version itself", () => {
  const [centrifugo] = peersNamed(["centrifugo"]) as [Contender];
  assert.equal(versionsOf({ ...centrifugo, version: () => "Centrifugo v6.9.1" }), "Centrifugo v6.9.1");
});
