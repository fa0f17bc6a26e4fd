/**
 * Rules that can be switched off, to see whether anything misses them: `npm run sim -- --ablate R6`. A rule is off by numbers that make it
 * come too late, or because the World withholds what it does. The core has no switches for this, so a rule that is all inside the core
 * is not in this list: its tests are its proof (R3.4, R15.4 to R15.11, R18, R20). Nor are rules of what is around the core: those of the bus and
 * of its signatures (R9.26 to R9.28, R14) have tests with real servers. Nothing but a number or a picture depends on R5.14, R22 and R23.
 */

import type { InstanceId } from "@presence-service/protocol";
import type { Bends, Constants, Effect, Input } from "@presence-service/server/world";

export type Ablation = Bends & {
  readonly rule: string;
  /** The thing that does not happen. */
  readonly off: string;
  readonly constants?: Partial<Constants>;
  /** By whose tests it is missed (`core/rules-….test.ts`), among those that quote it. Absent: by runs. */
  readonly missedBy?: string;
};

type Said = Extract<Effect, { kind: "publish" }>["message"];
type Heard = Extract<Input, { kind: "heard" }>;

const FOREVER = 1e12;

export const ABLATIONS: readonly Ablation[] = [
  { rule: "R3.1", off: "a message over an abandoned link is told from new ones", hears: heard((one) => ({ ...one, link: 1 })) },
  { rule: "R4", off: "an owner is asked by name", withholds: publishes((said) => said.kind === "sync" && said.asks !== "all") },
  {
    rule: "R4.6",
    missedBy: "replication",
    off: "an owner that says nothing for four beacon periods is doubted",
    constants: { silentBeacons: FOREVER },
  },
  {
    rule: "R4.13",
    missedBy: "replication",
    off: "an owner that answers no ask loses its slice",
    constants: { unansweredAsksMax: FOREVER, unansweredAsksMaxUnknown: FOREVER },
  },
  {
    rule: "R5.2",
    off: "a board asks all when it is subscribed, and in recovery",
    hears: (input, self) => (input.kind === "heard" && input.from !== self && asksAll(input.message) ? undefined : input),
  },
  // Withheld beacons would count as lost: where an own message does not come back, a board is subscribed anew, and asks.
  { rule: "R6", off: "beacons", constants: { beaconAfterChangeMs: [FOREVER, FOREVER], beaconMsMin: 2 * FOREVER, handoverMs: 2 * FOREVER } },
  {
    rule: "R6.2",
    missedBy: "repair",
    off: "beacons soon after a change",
    constants: { beaconAfterChangeMs: [11_999, 11_999], handoverMs: 12_000 },
  },
  { rule: "R6.4", off: "beacons in peace", constants: { beaconMsMin: FOREVER } },
  {
    rule: "R7.8",
    missedBy: "liveness",
    off: "a silent peer is suspect before it is down",
    constants: { suspectBeats: 7, beaconAfterChangeMs: [300, 3_500], handoverMs: 3_501 },
  },
  { rule: "R7.9", off: "a silent peer is given up", constants: { downBeats: 1e9, clearRemoteMs: FOREVER } },
  { rule: "R7.10", missedBy: "liveness", off: "peers are given time after a recovery", constants: { calmBeats: 0 } },
  {
    rule: "R8.2",
    off: "a peer that is down is remembered for longer than its messages can be under way",
    constants: { downRememberedMs: 5_001, endedMs: 5_001 },
  },
  { rule: "R9.1", off: "a connection that brings nothing back is replaced", withholds: recycles("unechoed") },
  { rule: "R9.2", off: "a connection on which nothing is answered is replaced", withholds: recycles("unanswered") },
  { rule: "R9.7", missedBy: "liveness", off: "remote members are cleared after 30 s without echo", constants: { clearRemoteMs: FOREVER } },
  { rule: "R9.14", off: "a silent board is subscribed anew", withholds: ({ kind }) => kind === "resubscribe" },
  {
    rule: "R9.23",
    missedBy: "silence",
    off: "heartbeats name the boards where their sender is refused",
    hears: heard(beats(({ mute: _, ...one }) => one)),
  },
  { rule: "R10", off: "heartbeats acknowledge others", hears: heard(beats((one) => ({ ...one, acks: [] }))) },
  { rule: "R10.12", off: "a mute instance replaces its publisher", withholds: recycles("unheard") },
  { rule: "R11.2", off: "an end is remembered", constants: { endedMs: 1 } },
  {
    rule: "R11.3",
    off: "snapshots carry ends",
    hears: heard(saying((said) => (said.kind === "snapshot" ? { ...said, ended: [] } : said))),
  },
  { rule: "R11.4", missedBy: "outages", off: "an end that nobody heard is remembered for longer", constants: { lingerUnechoedMs: 45_001 } },
  { rule: "R11.5", off: "a board outlives its last member", constants: { endedMs: 1, lingerMs: 1 } },
  { rule: "R11.9", off: "the socket of a superseded member is closed", withholds: ({ kind }) => kind === "superseded" },
  { rule: "R11.11", missedBy: "sessions", off: "a superseded member waits for its successor", constants: { successorMs: 151 } },
  { rule: "R11.18", missedBy: "sessions", off: "a quiet connection shows", hears: (input) => (input.kind === "quiet" ? undefined : input) },
  { rule: "R12.1", missedBy: "sessions", off: "an instance that stops says so", withholds: publishes(({ kind }) => kind === "goodbye") },
  { rule: "R12.2", off: "members of a stopped instance go in the end", constants: { goodbyeMs: 59_999 } },
  { rule: "R15.1", off: "a watcher says what it wants", withholds: publishes(({ kind }) => kind === "want") },
  { rule: "R15.3", off: "counts are told", withholds: publishes(({ kind }) => kind === "occupancy") },
  {
    rule: "R15.7",
    missedBy: "occupancy",
    off: "a board of which nothing was heard is asked about",
    constants: { occupancySilentMs: FOREVER },
  },
  {
    rule: "R15.38",
    missedBy: "occupancy",
    off: "an instance that may have missed what is wanted says so",
    hears: heard(beats(({ wanting: _, ...one }) => one)),
  },
  {
    rule: "R15.12",
    missedBy: "occupancy",
    off: "a silent shard is subscribed anew",
    withholds: (effect) => effect.kind === "shard" && effect.act === "resubscribe",
  },
  {
    rule: "R16.2",
    off: "an instance obeys a kick of another one",
    hears: (input, self) => (isOf("kick", input, self) ? undefined : input),
  },
  {
    rule: "R19.2",
    off: "beacons and questions say whether somebody observes",
    hears: heard(saying((said) => (said.kind === "beacon" || said.kind === "sync" ? { ...said, observed: false } : said))),
  },
  {
    rule: "R21.1",
    off: "an event says whom it is for",
    hears: heard(saying((said) => (said.kind === "event" ? { kind: "event", slot: said.slot, name: said.name, data: said.data } : said))),
  },
];

/** Another instance has said something of that kind. */
function isOf(kind: Said["kind"], input: Input, self: InstanceId): boolean {
  return input.kind === "heard" && input.from !== self && input.message.kind === kind;
}

function publishes(isMeant: (said: Said) => boolean): (effect: Effect) => boolean {
  return (effect) => effect.kind === "publish" && isMeant(effect.message);
}

function asksAll(said: Said): boolean {
  return said.kind === "sync" && said.asks === "all";
}

function recycles(why: Extract<Effect, { kind: "recycle" }>["why"]): (effect: Effect) => boolean {
  return (effect) => effect.kind === "recycle" && effect.why === why;
}

function heard(change: (one: Heard) => Heard): (input: Input) => Input {
  return (input) => (input.kind === "heard" ? change(input) : input);
}

function saying(change: (said: Said) => Said): (one: Heard) => Heard {
  return (one) => ({ ...one, message: change(one.message) });
}

function beats(change: (beat: Extract<Said, { kind: "heartbeat" }>) => Said): (one: Heard) => Heard {
  return saying((said) => (said.kind === "heartbeat" ? change(said) : said));
}
