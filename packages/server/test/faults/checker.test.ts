/** The checker finds each kind of wrong in logs made by hand, and nothing in those where nothing is wrong. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, LATENCY_MS, type Verdict } from "./checker.ts";
import type { Bounds, Entry, Event, Shown } from "./log.ts";

const BOUNDS: Bounds = { falseLeavesMax: 0, ghostMsMax: 5000, blindMsMax: 2000, equalMsMax: 2000, graceMs: 15_000 };
const ACTIVE: Shown = { status: "active", state: 0, place: 0 };

/** Times and what happened then. Ana is at instance 0, Ben at instance 1, and each sees the other; the fault is from 1 000 to 2 000, and the log ends at 30 000. */
function verdictOf(events: readonly [at: number, event: Event][], fault: { bounds?: Partial<Bounds>; excuses?: number } = {}): Verdict {
  const { bounds, excuses } = fault;
  const log: [number, Event][] = [
    ...[...enter("ana", 0), ...enter("ben", 1)].map((event): [number, Event] => [0, event]),
    [1, { kind: "sees", who: "ana", whom: "ben", shown: ACTIVE }],
    [1, { kind: "sees", who: "ben", whom: "ana", shown: ACTIVE }],
    [
      1000,
      { kind: "fault", topology: "paper", fault: "none", bounds: { ...BOUNDS, ...bounds }, ...(excuses !== undefined && { excuses }) },
    ],
    [2000, { kind: "mended", fault: "none" }],
    [2001, { kind: "evidence", fault: "none", what: ["it was seen"] }],
    // Somebody else comes, moves, loses the connection, and leaves: there is load.
    ...[
      ...enter("load", 2),
      { kind: "says", who: "load", state: 1 },
      { kind: "moves", who: "load", place: 1 },
      { kind: "away", who: "load" },
      here("load", 2),
      { kind: "gone", who: "load" },
    ].map((event): [number, Event] => [1000, event as Event]),
    ...events,
    [30_000, { kind: "watched", fault: "none", lagMs: 0 }],
  ];
  const inOrder = log.map(([at, event]): Entry => ({ at, ...event })).sort((a, b) => a.at - b.at);
  const [verdict = assert.fail("no verdict")] = judge(inOrder);
  return verdict;
}

function enter(who: string, via: number): Event[] {
  return [{ kind: "wants", who, via }, here(who, via)];
}

function here(who: string, via: number, shows: Record<string, Shown> = {}): Event {
  return { kind: "here", who, via, shows };
}

const sees = (who: string, whom: string, shown: Shown | null): Event => ({ kind: "sees", who, whom, shown });

test("a log in which nothing is wrong keeps every promise", () => {
  const { broken, falseLeaves, ghostMs, blindMs, equalMs } = verdictOf([
    [3000, { kind: "says", who: "ana", state: 1 }],
    [3000 + LATENCY_MS, sees("ben", "ana", { ...ACTIVE, state: 1 })],
    [4000, { kind: "gone", who: "ana" }],
    [4100, sees("ben", "ana", null)],
  ]);
  assert.deepEqual(
    { broken, falseLeaves, ghostMs, blindMs, equalMs },
    { broken: [], falseLeaves: [], ghostMs: 100, blindMs: 0, equalMs: 0 },
  );
});

test("a ghost is timed, and breaks a promise if it is shown for too long", () => {
  const short = verdictOf([
    [1500, { kind: "gone", who: "ana" }],
    [3500, sees("ben", "ana", null)],
  ]);
  assert.deepEqual([short.ghostMs, short.equalMs, short.broken], [2000, 1500, []]);
  const long = verdictOf([
    [1500, { kind: "gone", who: "ana" }],
    [9000, sees("ben", "ana", null)],
  ]);
  assert.match(long.broken.join(), /a ghost for 7500 ms: ben shows ana.*rosters are right after 7000 ms/);
  const forever = verdictOf([[1500, { kind: "gone", who: "ana" }]]);
  assert.equal(forever.equalMs, undefined);
  assert.match(forever.broken.join(), /never right again: ben shows ana, who is not there/);
});

test("somebody who never came is a ghost", () => {
  assert.match(verdictOf([[3000, sees("ben", "nobody", ACTIVE)]]).broken.join(), /never right again: ben shows nobody/);
});

test("a leave of somebody who is there is a false leave, in a message and in a new roster", () => {
  const told = verdictOf([
    [1500, sees("ben", "ana", null)],
    [1600, sees("ben", "ana", ACTIVE)],
  ]);
  assert.deepEqual(told.falseLeaves, [{ at: 1500, viewer: "ben", whom: "ana", reason: "no reason" }]);
  assert.match(told.broken.join(), /1 false leaves, not 0 at most: ben saw ana leave/);
  assert.deepEqual([told.blindMs, told.equalMs], [100, 0]);
  const missed = verdictOf([
    [1500, { kind: "away", who: "ben" }],
    [1600, here("ben", 1)],
    [1700, sees("ben", "ana", ACTIVE)],
  ]);
  assert.equal(missed.falseLeaves[0]?.reason, "not in the new roster");
});

test("a client that goes on to another instance may not find those who came during the fault, and must find all others", () => {
  const { unheard, falseLeaves } = verdictOf([
    ...enter("cleo", 0).map((event): [number, Event] => [1200, event]),
    [1210, sees("ben", "cleo", ACTIVE)],
    [1300, { kind: "away", who: "ben" }],
    [1400, here("ben", 2)],
    [1700, sees("ben", "ana", ACTIVE)],
    [1700, sees("ben", "cleo", ACTIVE)],
    [1700, sees("cleo", "ana", ACTIVE)],
  ]);
  assert.deepEqual([unheard, falseLeaves.map(({ whom }) => whom)], [1, ["ana"]]);
});

test("a leave of somebody who is away is false within the grace, and right after it", () => {
  const away = (leftAt: number) =>
    verdictOf([
      [1500, { kind: "away", who: "ana" }],
      [leftAt, sees("ben", "ana", null)],
      [29_000, here("ana", 0, { ben: ACTIVE })],
      [29_000, sees("ben", "ana", ACTIVE)],
    ]);
  assert.equal(away(16_000).falseLeaves.length, 1);
  assert.deepEqual(away(16_500).broken, []);
});

test("a member who is missing is timed while both are connected", () => {
  const late = verdictOf([...enter("cleo", 2).map((event): [number, Event] => [1500, event]), [4500, sees("ana", "cleo", ACTIVE)]]);
  assert.equal(late.blindMs, 28_500, "cleo sees nobody");
  assert.match(late.broken.join(), /blind for 28500 ms: cleo does not show (?:ana|ben)/);
  const away = verdictOf([
    [1500, { kind: "away", who: "ana" }],
    [17_000, sees("ben", "ana", null)],
    [20_000, here("ana", 0, { ben: ACTIVE })],
    [20_100, sees("ben", "ana", ACTIVE)],
  ]);
  assert.deepEqual([away.blindMs, away.broken], [100, []]);
});

test("an old state, an old place and a grey person are wrong, though nobody is missing", () => {
  for (const event of [
    { kind: "says", who: "ana", state: 1 },
    { kind: "moves", who: "ana", place: 1 },
    sees("ben", "ana", { ...ACTIVE, status: "reconnecting" }),
  ] as const) {
    const { broken, equalMs } = verdictOf([[2500, event]]);
    assert.equal(equalMs, undefined, JSON.stringify(event));
    assert.match(broken.join(), /never right again: ben shows ana as before/);
  }
});

test("whom a fault cuts off is excused until it ends, and then judged", () => {
  const cut = (backAt: number) =>
    verdictOf(
      [
        [1200, { kind: "gone", who: "ben" }],
        [1300, sees("ana", "ben", null)],
        ...enter("cleo", 0).map((event): [number, Event] => [1400, event]),
        [backAt, sees("ana", "cleo", ACTIVE)],
        [backAt, sees("cleo", "ana", ACTIVE)],
      ],
      { excuses: 0 },
    );
  assert.deepEqual([cut(3000).blindMs, cut(3000).broken], [1000, []]);
  assert.match(cut(6000).broken.join(), /blind for 4000 ms/);
  const left = verdictOf(
    [
      [1200, sees("ben", "ana", null)],
      [2100, sees("ben", "ana", ACTIVE)],
    ],
    { excuses: 0 },
  );
  assert.deepEqual([left.falseLeaves, left.broken], [[], []]);
});

test("a client that comes back may keep people for the grace, and not longer", () => {
  const kept = (until: number) =>
    verdictOf([
      [1100, { kind: "away", who: "ben" }],
      [1200, { kind: "gone", who: "ana" }],
      [1300, here("ben", 1, { ana: { ...ACTIVE, status: "reconnecting" } })],
      [1301, sees("ben", "ana", { ...ACTIVE, status: "reconnecting", place: -1 })],
      [until, sees("ben", "ana", null)],
    ]);
  assert.deepEqual([kept(16_300).ghostMs, kept(16_300).broken], [0, []]);
  assert.match(kept(23_000).broken.join(), /a ghost for 6200 ms/);
});

test("people on two boards are not missed by one another, and are ghosts if they are shown", () => {
  const log = (shown: Shown | undefined): Entry[] => [
    { at: 0, kind: "wants", who: "ana", via: 0, board: "1" },
    { at: 0, kind: "wants", who: "ben", via: 1, board: "2" },
    ...[here("ana", 0), here("ben", 1)].map((event) => ({ at: 1, ...event })),
    { at: 1000, kind: "fault", topology: "paper", fault: "none", bounds: BOUNDS },
    { at: 1001, kind: "mended", fault: "none" },
    ...(shown === undefined ? [] : [{ at: 1002, ...sees("ana", "ben", shown) }]),
    { at: 30_000, kind: "watched", fault: "none", lagMs: 0 },
  ];
  assert.equal(judge(log(undefined))[0]?.equalMs, 0);
  assert.match(judge(log(ACTIVE))[0]?.broken.join() ?? "", /never right again: ana shows ben, who is not there/);
});

test("one that comes back again and again may keep people for two graces, and not longer", () => {
  const grey = { ...ACTIVE, status: "reconnecting" };
  const returns = Array.from({ length: 5 }, (_, nth): [number, Event][] => [
    [1300 + nth * 10_000, here("ben", 1, { ana: grey })],
    [1301 + nth * 10_000, { kind: "away", who: "ben" }],
  ]).flat();
  const log: Entry[] = [
    ...[...enter("ana", 0), ...enter("ben", 1), sees("ben", "ana", ACTIVE)].map((event) => ({ at: 0, ...event })),
    { at: 1000, kind: "fault", topology: "paper", fault: "none", bounds: BOUNDS },
    { at: 1001, kind: "mended", fault: "none" },
    { at: 1100, kind: "away", who: "ben" },
    { at: 1200, kind: "gone", who: "ana" },
    ...returns.map(([at, event]) => ({ at, ...event })),
    { at: 41_400, ...here("ben", 1, { ana: grey }) },
    { at: 43_000, kind: "watched", fault: "none", lagMs: 0 },
  ];
  assert.match(judge(log)[0]?.broken.join() ?? "", /never right again: ben shows ana/);
});

test("a client that is away when the next fault begins still knows whom it keeps", () => {
  const { ghostMs, equalMs } = verdictOf([
    [100, { kind: "away", who: "ben" }],
    [200, { kind: "gone", who: "ana" }],
    [1100, here("ben", 1, { ana: { ...ACTIVE, status: "reconnecting" } })],
    [16_000, sees("ben", "ana", null)],
  ]);
  assert.deepEqual([ghostMs, equalMs], [0, 0]);
});

test("a fault that nobody saw, a run that failed, nonsense and a run without load break a promise", () => {
  assert.match(verdictOf([[2002, { kind: "evidence", fault: "none", what: [] }]]).broken.join(), /nothing shows that the fault happened/);
  assert.match(verdictOf([[2500, { kind: "failed", fault: "none", what: "it did not" }]]).broken.join(), /it did not/);
  assert.match(verdictOf([[2500, { kind: "nonsense", who: "ana", text: "joined twice" }]]).broken.join(), /ana was told.*joined twice/);
  const [idle] = judge([
    { at: 0, kind: "fault", topology: "paper", fault: "none", bounds: BOUNDS },
    { at: 1, kind: "watched", fault: "none", lagMs: 0 },
  ]);
  assert.match(idle?.broken.join() ?? "", /the fault never ended.*no joins.*no leaves.*no changes.*no moves.*no resumes/);
});
