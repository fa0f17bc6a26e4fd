/** Signed messages, alone: what is taken, by whom, and when not. test/forged.test.ts has instances that sign, and a forger. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { InstanceId } from "@presence-service/protocol";
import fc from "fast-check";
import { FROM } from "../testing/ana.ts";
import { encodeRedisMessage } from "./envelope.ts";
import { claimedSender, readSecrets, SIGNED_BYTES, Signing } from "./signing.ts";

const ONE = "1".repeat(32);
const TWO = "2".repeat(32);
const THREE = "3".repeat(32);
const GLOBAL = "presence:global";
const START_US = 1_760_000_000_000_000;
const SECOND = 1_000_000;

/** A clock that a test moves. */
class Wall {
  us = START_US;
  readonly read = () => this.us;
}

function said(from: InstanceId = FROM): Uint8Array {
  return encodeRedisMessage({ from, link: 2, message: { kind: "goodbye" } });
}

function why(signing: Signing, channel: string, bytes: Uint8Array): string {
  const checked = signing.check(channel, bytes);
  return checked.ok ? "taken" : checked.why;
}

test("[R14.1] [R14.2] a signed message is taken by who has the secret, as it was said, on its channel only", () => {
  const [ana, ben] = [new Signing(ONE), new Signing(`${TWO},${ONE}`)];
  const message = said();
  const signed = ana.sign(GLOBAL, message);
  assert.equal(signed.length, message.length + SIGNED_BYTES);
  assert.deepEqual(ben.check(GLOBAL, signed), { ok: true, bytes: Buffer.from(message), isSigned: true });
  assert.equal(why(ben, "presence:board:42", signed), "signature");
  assert.equal(why(new Signing(TWO), GLOBAL, signed), "signature");
  assert.equal(why(ana, GLOBAL, ben.sign(GLOBAL, message)), "signature");
});

test("[R14.1] the example in REPLICATION.md", () => {
  const text = readFileSync(new URL("../../../../docs/REPLICATION.md", import.meta.url), "utf8");
  const [, example = ""] = /32 times the letter `s`[^`]*`presence:global`:\n\n```\n([^`]*)```/.exec(text) ?? [];
  const shown = example
    .split("\n")
    .map((line) => line.slice(0, 47).trim())
    .join(" ")
    .trim();
  const signed = Buffer.from(new Signing("s".repeat(32), () => START_US).sign(GLOBAL, said()));
  assert.equal(shown, signed.toString("hex").replace(/..(?!$)/g, "$& "));
});

test("[R14.2] [R14.3] no byte of a signed message can be changed, left out or added, and nothing throws", () => {
  const wall = new Wall();
  const signed = new Signing(ONE, wall.read).sign(GLOBAL, said());
  const reader = new Signing(`${ONE},${TWO}`, wall.read);
  for (let at = 0; at < signed.length; at++) {
    for (const bit of [1, 128]) {
      const changed = Uint8Array.from(signed);
      changed[at] = (changed[at] ?? 0) ^ bit;
      assert.equal(why(reader, GLOBAL, changed), at === 0 ? "unsigned" : "signature", `byte ${at}`);
    }
    assert.notEqual(why(reader, GLOBAL, signed.subarray(0, at)), "taken");
  }
  assert.equal(why(reader, GLOBAL, Buffer.concat([signed, new Uint8Array(1)])), "signature");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, isMarked) => {
      if (isMarked) bytes[0] = 0xa1;
      claimedSender(bytes);
      return why(reader, GLOBAL, bytes) !== "taken";
    }),
  );
  assert.equal(why(reader, GLOBAL, signed), "taken");
});

test("[R14.4] none at the end: unsigned messages are taken as well, wrong signatures are not", () => {
  const lenient = new Signing(`${ONE}, none`);
  assert.equal(why(lenient, GLOBAL, said()), "taken");
  assert.equal(why(lenient, GLOBAL, new Signing(TWO).sign(GLOBAL, said())), "signature");
  assert.equal(why(new Signing(ONE), GLOBAL, lenient.sign(GLOBAL, said())), "taken");
  assert.equal(why(new Signing(ONE), GLOBAL, said()), "unsigned");
});

test("[R14.8] without secrets nothing is signed, and signatures are skipped", () => {
  const off = new Signing("");
  const message = said();
  assert.equal(off.sign(GLOBAL, message), message);
  const checked = off.check(GLOBAL, new Signing(TWO).sign(GLOBAL, message));
  assert.deepEqual(checked, { ok: true, bytes: Buffer.from(message), isSigned: true });
  assert.deepEqual(off.check(GLOBAL, message), { ok: true, bytes: message, isSigned: false });
});

test("[R14.6] [R14.7] a repeat is stale, at once and for ever; other senders and channels do not matter", () => {
  const wall = new Wall();
  const [sender, reader] = [new Signing(ONE, wall.read), new Signing(ONE, wall.read)];
  const other = "00000000-0000-4000-8000-000000000001" as InstanceId;
  const first = sender.sign(GLOBAL, said());
  const second = sender.sign(GLOBAL, said());
  const elsewhere = sender.sign("presence:board:42", said());
  const others = sender.sign(GLOBAL, said(other));
  assert.equal(why(reader, GLOBAL, second), "taken");
  assert.equal(why(reader, GLOBAL, first), "stale", "it was overtaken");
  assert.equal(why(reader, "presence:board:42", elsewhere), "taken");
  assert.equal(why(reader, GLOBAL, others), "taken");
  for (let second_ = 0; second_ < 60; second_++) {
    wall.us += SECOND / 2;
    // Others go on talking, and the memory of who said what turns over.
    assert.equal(why(reader, GLOBAL, sender.sign(GLOBAL, said(other))), "taken");
    for (const [channel, old] of [
      [GLOBAL, second],
      [GLOBAL, others],
      ["presence:board:42", elsewhere],
    ] as const)
      assert.equal(why(reader, channel, old), "stale");
  }
});

test("[R14.6] an instance that has not heard a message takes it up to 10 s late", () => {
  const wall = new Wall();
  const old = new Signing(ONE, wall.read).sign(GLOBAL, said());
  wall.us += 9 * SECOND;
  assert.equal(why(new Signing(ONE, wall.read), GLOBAL, old), "taken");
  wall.us += 2 * SECOND;
  assert.equal(why(new Signing(ONE, wall.read), GLOBAL, old), "stale");
});

test("[R14.5] clocks that are wrong by years agree as soon as the one ahead is heard", () => {
  const [right, behind, ahead] = [new Wall(), new Wall(), new Wall()];
  behind.us -= 2 * 365 * 86_400 * SECOND;
  ahead.us += 365 * 86_400 * SECOND;
  const [ana, ben, cleo] = [right, behind, ahead].map((wall) => new Signing(ONE, wall.read)) as [Signing, Signing, Signing];
  const old = ana.sign(GLOBAL, said());
  assert.equal(why(ana, GLOBAL, ben.sign(GLOBAL, said())), "stale", "ben has not heard anybody yet");
  assert.equal(why(ben, GLOBAL, cleo.sign(GLOBAL, said())), "taken");
  assert.equal(why(ana, GLOBAL, ben.sign(GLOBAL, said())), "taken");
  for (const one of [ana, ben, cleo])
    for (const [nth, other] of [ana, ben, cleo].entries()) {
      const id = `${nth}0000000-0000-4000-8000-00000000000${[ana, ben, cleo].indexOf(one)}` as InstanceId;
      assert.equal(why(one, GLOBAL, other.sign(GLOBAL, said(id))), "taken");
    }
  assert.equal(why(ben, GLOBAL, old), "stale");
});

test("[R14.5] each time is used once, also where the clock stands still", () => {
  const wall = new Wall();
  const [sender, reader] = [new Signing(ONE, wall.read), new Signing(ONE, wall.read)];
  for (let nth = 0; nth < 1000; nth++) assert.equal(why(reader, GLOBAL, sender.sign(GLOBAL, said())), "taken");
});

test("[R14.5] a forger moves nobody's time", () => {
  const wall = new Wall();
  const reader = new Signing(ONE, wall.read);
  wall.us += 3600 * SECOND;
  const future = new Signing(TWO, wall.read).sign(GLOBAL, said());
  wall.us -= 3600 * SECOND;
  assert.equal(why(reader, GLOBAL, future), "signature");
  assert.equal(why(reader, GLOBAL, new Signing(ONE, wall.read).sign(GLOBAL, said())), "taken");
});

test("a secret is replaced step by step, and at each step all hear all", () => {
  const steps = [ONE, `${ONE},${TWO}`, `${TWO},${ONE}`, TWO];
  for (const [nth, before] of steps.entries()) {
    const after = steps[nth + 1] ?? before;
    for (const [one, other] of [
      [before, after],
      [after, before],
    ] as const)
      assert.equal(why(new Signing(one), GLOBAL, new Signing(other).sign(GLOBAL, said())), "taken", `${nth}`);
  }
  const introduced = ["", `${ONE},none`, ONE];
  for (const [nth, before] of introduced.entries()) {
    const after = introduced[nth + 1] ?? before;
    for (const [one, other] of [
      [before, after],
      [after, before],
    ] as const)
      assert.equal(why(new Signing(one), GLOBAL, new Signing(other).sign(GLOBAL, said())), "taken", `${nth}`);
  }
});

test("the form of BUS_SECRET", () => {
  assert.deepEqual(readSecrets(""), { secrets: [], takesUnsigned: true });
  assert.deepEqual(readSecrets(`${ONE} , ${TWO},none`), { secrets: [ONE, TWO], takesUnsigned: true });
  assert.deepEqual(readSecrets(ONE), { secrets: [ONE], takesUnsigned: false });
  for (const wrong of [
    "short",
    "none",
    `none,${ONE}`,
    `${ONE},`,
    `${ONE},,${TWO}`,
    "é".repeat(32),
    "a b".repeat(20),
    "x".repeat(257),
    [ONE, TWO, THREE, ONE, TWO].join(),
  ])
    assert.equal(readSecrets(wrong), undefined, wrong);
});

test("[R14.9] the instance that a message claims to be from", () => {
  assert.equal(claimedSender(said()), FROM);
  assert.equal(claimedSender(new Signing(ONE).sign(GLOBAL, said())), FROM);
  assert.equal(claimedSender(new Uint8Array(5)), undefined);
});
