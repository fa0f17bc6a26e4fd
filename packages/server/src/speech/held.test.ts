/** C5: a client that names the members it holds knows, after the answer, exactly the roster of a client that came fresh. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BoardId,
  encodeBinary,
  type HeldEntry,
  type Member,
  type MemberId,
  type RosterEntry,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
} from "@presence-service/protocol";
import fc, { type Arbitrary } from "fast-check";
import type { RosterView } from "../core/effects.ts";
import { answerTo, namesOf, rosterAfter, V2 } from "../testing/catching-up.ts";
import type { Draft } from "./draft.ts";
import { Holdings } from "./held.ts";

function memberOf(number: number, more: Partial<Member> = {}): Member {
  const memberId = number.toString(16).padStart(32, "0") as MemberId;
  const whole = {
    memberId,
    userId: memberId,
    username: `u${number}`,
    color: "#336699",
    kind: "person",
    joinedAt: 1_760_000_000_000,
  } as const;
  return { ...whole, status: "active", state: {}, ...more };
}

const viewOf = (entries: readonly RosterEntry[]): RosterView => {
  const { length } = entries;
  return { settling: false, degraded: false, members: length, users: length, observed: false, entries };
};

/** The messages to the client of that actor, on a board of those entries. */
function told(
  encoding: keyof typeof V2,
  entries: readonly RosterEntry[],
  self: number | undefined,
  held = "",
  packs = false,
): ServerMessage[] {
  const socket = answerTo(held, viewOf(entries), self, encoding, packs);
  for (const chunk of socket.written) assert.ok(chunk.length <= SERVER_MESSAGE_BYTES_MAX + 10, `${chunk.length} bytes`);
  return socket.takeMessages();
}

const known = (messages: readonly ServerMessage[], held: readonly Member[]) => byActor(rosterAfter(messages, held));
const byActor = (entries: readonly RosterEntry[]) => new Map(entries.map((entry) => [entry.actor, entry]));

const time = fc.constantFrom(0, 1_760_000_000_000, 1_760_000_000_000 + 2 ** 31, 1_760_000_003_600);
const anyMember = (numbers: Arbitrary<number>) =>
  fc
    .tuple(
      numbers,
      fc.constantFrom("active", "idle", "reconnecting"),
      time,
      fc.option(time),
      fc.constantFrom({}, { tool: "pen" }, { ten: "x".repeat(900) }),
    )
    .map(([number, status, joinedAt, activeAt, state]) =>
      memberOf(number, { status, joinedAt, state, ...(activeAt !== null && { activeAt }) }),
    );
/** A few members, so that many are held and on the board, in another version or in the same. */
const members = fc.uniqueArray(anyMember(fc.nat(30)), { selector: ({ memberId }) => memberId, maxLength: 30 });
const point = fc.option(fc.record({ x: fc.integer({ min: -9, max: 70_000 }), y: fc.nat(70_000) }, { noNullPrototype: true }));

for (const encoding of ["binary", "json"] as const) {
  test(`[C5] ${encoding}: whoever holds whatever, the roster afterwards is the board's`, () => {
    fc.assert(
      fc.property(members, fc.array(point), fc.array(fc.nat(5000)), members, fc.nat(), (here, places, actors, held, nth) => {
        const used = new Set<number>();
        const entries = here.map((member, index): RosterEntry => {
          let actor = actors[index] ?? index;
          while (used.has(actor)) actor++;
          used.add(actor);
          const at = places[index];
          return { actor, member, ...(at && { at }) };
        });
        const self = entries[nth % Math.max(1, entries.length)]?.actor;
        assert.deepEqual(known(told(encoding, entries, self, namesOf(held)), held), byActor(entries));
        assert.deepEqual(known(told(encoding, entries, self, namesOf(held), true), held), byActor(entries));
        assert.deepEqual(known(told(encoding, entries, self), []), byActor(entries));
      }),
    );
  });
}

const crowd = Array.from({ length: 1000 }, (_, number) => memberOf(number, { joinedAt: 1_760_000_000_000 + 3_600 * number }));
const entriesOf = (of: readonly Member[]) => of.map((member, actor): RosterEntry => ({ actor, member }));

test("[C5] a thousand members that are as they were take about a byte each", () => {
  const messages = told("binary", entriesOf(crowd), 500, namesOf(crowd));
  assert.equal(messages.length, 1);
  const bytes = encodeBinary(messages[0] ?? assert.fail()).length;
  assert.ok(bytes < 1_100, `${bytes} bytes`);
});

test("[C5] a thousand members that have changed in everything that may change still fit, in any encoding", () => {
  const now = crowd.map((member) => ({ ...member, status: "reconnecting" as const, joinedAt: 1, activeAt: 4_000_000_000_000 }));
  const entries = entriesOf(now).map(
    (entry): RosterEntry => ({ ...entry, actor: 2 ** 30 - 1 - 1000 * entry.actor, at: { x: -2_000_000_000, y: -2_000_000_000 } }),
  );
  for (const encoding of ["binary", "json"] as const) {
    const list = namesOf(crowd).slice(0, encoding === "json" ? 24 * 680 : undefined);
    const messages = told(encoding, entries, entries[999]?.actor, list);
    assert.deepEqual(known(messages, crowd), byActor(entries));
    const [joined] = messages;
    assert.ok(joined?.kind === "joined" && (joined.held?.length ?? 0) > 150);
  }
});

test("[C5] a name that stands twice in the list, and names of nobody, are not answered", () => {
  const [ana, ben, cleo] = crowd as [Member, Member, Member];
  const holdings = new Holdings(entriesOf([ana, ben, cleo]));
  const answer = (...held: Member[]): (HeldEntry | null)[] => holdings.find(namesOf(held));
  assert.deepEqual(answer(ben, ana), [{ actor: 1 }, { actor: 0 }]);
  assert.deepEqual(answer(ana, ben, ana, cleo), [null, { actor: 1 }, null, { actor: 2 }]);
  assert.deepEqual(answer(ana, ana, ana), []);
  assert.deepEqual(answer(memberOf(5000), cleo, memberOf(5001)), [null, { actor: 2 }]);
  assert.deepEqual(answer({ ...ana, username: "Eve" }), []);
  assert.deepEqual(new Holdings(entriesOf([ana, ben, ana])).find(namesOf([ana, ben])), [null, { actor: 1 }]);
});

test("[C5] clients that hold the same members share the bytes of their answers", () => {
  const entries = entriesOf(crowd);
  const roster = viewOf(entries);
  const board = V2.binary
    .teller({ boardId: "doc" as BoardId, number: 7 }, { roster: () => roster, cursorOf: () => undefined })
    .board(roster);
  const chunks = [3, 4].map((self) => {
    const written: Buffer[] = [];
    board(self, [], { add: (chunk: Buffer) => written.push(chunk) } as unknown as Draft, namesOf(crowd));
    return written;
  });
  assert.equal(chunks[0]?.[1], chunks[1]?.[1]);
});
