/** The names of members that a client holds, as PROTOCOL's *Catching up* (C5) tells them, and the answer to them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { damaged, member, serverMessages } from "../test/arbitraries.ts";
import { decodeServerBinary, encodeBinary } from "./binary.ts";
import type { Member } from "./domain.ts";
import { hashIn, heldNow, nameHeld, printed } from "./held.ts";
import { HELD_BYTES } from "./held-entries.ts";
import type { HeldEntry } from "./messages.ts";

const nameOf = (of: Member) => nameHeld(createHash("sha256").update(printed(of)).digest(), of.joinedAt);

test("[C5] a name does not change with the status and its time; its hash does not change with joinedAt", () => {
  fc.assert(
    fc.property(member, member, (one, { status, activeAt, joinedAt }) => {
      const { activeAt: _, ...rest } = one;
      const later = { ...rest, status, ...(activeAt !== undefined && { activeAt }) };
      assert.equal(nameOf(later), nameOf(one));
      assert.equal(nameOf(one).length, 2 * HELD_BYTES);
      assert.equal(hashIn(nameOf({ ...later, joinedAt })), hashIn(nameOf(one)));
      assert.equal(nameOf({ ...later, joinedAt }) === nameOf(one), joinedAt % 2 ** 32 === one.joinedAt % 2 ** 32);
    }),
  );
});

test("[C5] the hash changes with everything else", () => {
  fc.assert(
    fc.property(member, member, fc.nat(), (one, other, nth) => {
      const fields = ["memberId", "userId", "username", "color", "avatar", "kind", "area", "state"] as const;
      const field = fields[nth % fields.length] ?? "state";
      const { [field]: before, ...rest } = one;
      const after = other[field];
      fc.pre(JSON.stringify(before) !== JSON.stringify(after));
      const changed = { ...rest, ...(after !== undefined && { [field]: after }) } as Member;
      assert.notEqual(hashIn(nameOf(changed)), hashIn(nameOf(one)), field);
    }),
  );
});

test("[C5] Ana's name is that of the example in PROTOCOL", () => {
  const document = readFileSync(new URL("../../../docs/PROTOCOL.md", import.meta.url), "utf8");
  const example = document.split("Of Ana in the examples below")[1]?.split("```")[1] ?? "";
  const bytes = Buffer.from(example.replace(/ {2,}.*$/gm, "").replace(/\s/g, ""), "hex");
  const hash = createHash("sha256").update(bytes).digest();
  assert.ok(document.includes(`\`${hash.toString("hex").slice(0, 16)}…\``));
  assert.ok(document.includes(`${nameHeld(hash, 1_760_000_000_000).replace(/../g, "$& ").trim()}              Ana`));
});

test("[C5] a member about which nothing new is told stays the same object, and one that is not told is left out", () => {
  fc.assert(
    fc.property(member, member, (kept, moved) => {
      const members = [kept, moved, moved];
      const { status, joinedAt, activeAt } = kept;
      const now: (HeldEntry | null)[] = [
        { actor: 1, status, joinedAt, ...(activeAt !== undefined && { activeAt }) },
        { actor: 2, joinedAt: 5, at: { x: 1, y: 2 } },
        null,
        { actor: 9 },
      ];
      const [first, second, ...more] = heldNow(members, now);
      assert.equal(first?.member, kept);
      const { activeAt: _, ...rest } = moved;
      assert.deepEqual(second, { actor: 2, member: { ...rest, status: "active", joinedAt: 5 }, at: { x: 1, y: 2 } });
      assert.deepEqual(more, []);
    }),
  );
});

test("an answer that is damaged on its way is refused, or read as another one that could be written", () => {
  const bytes = serverMessages("number").joined.map((message) => encodeBinary(message));
  fc.assert(
    fc.property(damaged(bytes), (bad) => {
      const read = decodeServerBinary(bad);
      if (read?.kind === "joined") assert.deepEqual(decodeServerBinary(encodeBinary(read)), read);
    }),
  );
});
