/** A promise in time, one that is late, and one that waited in a socket while the process stood still. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "./within.ts";

const never = new Promise<string>(() => {});

test("a promise in time settles as it does, and the deadline is forgotten", async () => {
  const tooLate = () => assert.fail("nobody is late");
  assert.equal(await within(60_000, Promise.resolve("answer"), tooLate), "answer");
  await assert.rejects(within(60_000, Promise.reject(new Error("refused")), tooLate), /refused/);
  assert.deepEqual(
    process.getActiveResourcesInfo().filter((kind) => kind === "Timeout"),
    [],
  );
});

test("a late promise is answered by what `late` returns or throws, and may still fail", async () => {
  const failing = new Promise<string>((_resolve, reject) => setTimeout(() => setImmediate(() => setImmediate(reject)), 0));
  assert.equal(await within(0, failing, () => "late"), "late");
  await assert.rejects(
    within(0, never, () => {
      throw new Error("too late");
    }),
    /too late/,
  );
});

test("what a stalled process finds in its sockets is in time", async () => {
  const read = new Promise<string>((resolve) => setTimeout(() => setImmediate(resolve, "answer"), 0));
  assert.equal(await within(0, read, () => "late"), "answer");
});
