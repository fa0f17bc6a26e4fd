/**
 * The messages between instances, decoded. bus/envelope.ts defines their bytes, docs/REPLICATION.md their rules.
 */

import type {
  BoardId,
  CursorPathOf,
  InstanceId,
  Json,
  JsonObject,
  LeaveReason,
  Member,
  MemberId,
  Millis,
  Occupancy,
  Recipients,
} from "@presence-service/protocol";
import type { BoardHash } from "./occupancy.ts";

/** Number of a slice's last change, counted by its owner over all its boards (R2); 0: the slice never changed. */
export type Seq = number;

/**
 * Cursors as flat triples `number, x, y, number, x, y …` (number: a slot on the bus, an actor towards clients), so that a
 * batch costs one array; x = HIDDEN and y = 0 say that the cursor is hidden.
 */
export type Moves = readonly number[];

export type Ack = {
  /** The first 4 bytes of the peer's instanceId, big-endian. */
  readonly peer: number;
  /** Low 16 bits of the last beat heard from it. */
  readonly beat: number;
};

/** The beats of instances of one group go to one channel, in large clusters (R7). */
export type Group = number;

export type InstanceStatus = "ready" | "draining" | "degraded";

export type Heartbeat = {
  readonly kind: "heartbeat";
  readonly beat: number;
  /** Until the next heartbeat to all. */
  readonly intervalMs: Millis;
  /** Longest time between two beacons of one board: peers expect no word on a board before it has passed (R4, R6). */
  readonly beaconMs: Millis;
  /** Boards where the sender has a slice, or that linger at it. */
  readonly boards: number;
  readonly status: InstanceStatus;
  /** Up to 3 live peers in turn, and up to 3 of those that fell silent (R10). */
  readonly acks: readonly Ack[];
  /** Versions of this protocol that the sender reads, 1…15 (R13). */
  readonly versions: { readonly min: number; readonly max: number };
  /** Boards on which the sender cannot speak at present (R9): if there are many, a few of them in turn. Absent: there are none. */
  readonly mute?: readonly BoardId[];
  /** The sender has not heard yet which counts are wanted, or may have missed it (R15). */
  readonly wanting?: boolean;
  /** Between its beats to all the sender beats to its group. Absent: it says each beat to all. */
  readonly near?: {
    /** It hears groups that are so far from its own. */
    readonly reach: number;
    /** Beats since the one before that it said to all, this one included. */
    readonly since: number;
    /** Its beats in which it acknowledges each peer once that it hears. */
    readonly turn: number;
  };
  /** The sender's own time: milliseconds since its start. In a beat to all every few seconds (R23). */
  readonly at?: Millis;
  /** Messages of its boards pass through single masters of a Cluster only (R9.26). Absent: they reach every node. */
  readonly spread?: boolean;
  /** The sender hears what is said on its channel for moves (R25). Absent: it does not, at present. */
  readonly moves?: boolean;
};

/** Instances that the sender has not heard for `suspectBeats` or `downBeats`, each with the last beat that it heard of it (R7). */
export type Verdict = { readonly kind: "verdict"; readonly accused: readonly Accused[] };
export type Accused = { readonly instanceId: InstanceId; readonly beat: number; readonly isDown: boolean };

/** The sender stops; its members soon come back at other instances. No dels follow. */
export type Goodbye = { readonly kind: "goodbye" };

/** A person with all their sessions, or one session. */
export type Whom = { readonly userId: string } | { readonly memberId: MemberId };

/**
 * A person or a session is put out: off one board, or, without a boardId, out of the service (R16). `reason` may be empty. `voidBefore`: the
 * tokens of that person that were issued at this time since 1970 or before count no more (R24).
 */
export type Kick = {
  readonly kind: "kick";
  readonly whom: Whom;
  readonly boardId?: BoardId;
  readonly reason: string;
  readonly voidBefore?: Millis;
};

/** The tokens of a user that were issued at this time since 1970 or before are void (R24). */
export type Revocation = { readonly userId: string; readonly before: Millis };

/** Told again to those that may not know. */
export type Revocations = { readonly kind: "revocations"; readonly list: readonly Revocation[] };

/** A text of the operator for all clients, or for all on one board (R17). */
export type Announcement = { readonly kind: "announcement"; readonly text: string; readonly boardId?: BoardId };

/**
 * The sender wants to be told the counts of these boards for so long, each named by `hashOfBoard` (R15). `answer`: at once, also if they
 * have not changed.
 */
export type Want = { readonly kind: "want"; readonly leaseMs: Millis; readonly answer: boolean; readonly boards: readonly BoardHash[] };

/** How many are on these boards, whose hashes all belong to that shard. */
export type OccupancyTold = { readonly kind: "occupancy"; readonly shard: number; readonly boards: readonly Occupancy[] };

export type DelReason = LeaveReason | "superseded";

export type Op =
  /** A member enters or is replaced as a whole. */
  | { readonly op: "set"; readonly slot: number; readonly attempt: number; readonly member: Member }
  /** Merge patch of the member's fields: status, activeAt, area, color, state. */
  | { readonly op: "patch"; readonly slot: number; readonly patch: JsonObject }
  /** Any reason but `superseded` ends every entry of that memberId up to this attempt, at every instance (R11). */
  | { readonly op: "del"; readonly memberId: MemberId; readonly attempt: number; readonly reason: DelReason };

/** When a member came or left for good, in the owner's own time, milliseconds since its start (R23). Absent: the change was another one. */
export type Timed = { readonly at?: Millis };

export type Delta = Timed & { readonly kind: "delta"; readonly prev: Seq; readonly seq: Seq; readonly ops: readonly Op[] };

/** One change of a slice, told again: it led from `prev` to `seq`. */
export type Step = Omit<Delta, "kind">;

/** The changes that somebody missed, in order; the last one led to where the slice stands. At least one. */
export type Replay = { readonly kind: "replay"; readonly seq: Seq; readonly steps: readonly Step[] };

export type SliceEntry = {
  readonly slot: number;
  readonly attempt: number;
  /** The seq of the member's last change. */
  readonly seq: Seq;
  readonly member: Member;
};

export type Ended = { readonly memberId: MemberId; readonly attempt: number };

/** `at` is that of the change that led to `seq`. */
export type Snapshot = Timed & {
  readonly kind: "snapshot";
  readonly seq: Seq;
  /** 0-based; a slice larger than one message comes in `parts` messages of one seq. */
  readonly part: number;
  readonly parts: number;
  readonly entries: readonly SliceEntry[];
  readonly ended: readonly Ended[];
};

/** Where a slice stands: the hash is the XOR over its members of h(memberId, attempt, seq of the last change), u32. */
export type Standing = { readonly seq: Seq; readonly hash: number; readonly count: number };

/** `observed`: clients of the sender observe the board, so it has to hear of places there (R19). Absent: none does. */
export type Observed = { readonly observed?: boolean };

/** The part of an owner's slice that an instance holds: all of it up to `seq`. */
export type Held = { readonly owner: InstanceId; readonly seq: Seq };

/**
 * A question to named owners, with the seq that the sender holds of each, or to all owners; it is the sender's own beacon as well (R5).
 * In a question to all, the sender holds nothing of an owner that is not named in `held`.
 */
export type Sync = Standing &
  Observed & { readonly kind: "sync" } & ({ readonly asks: readonly Held[] } | { readonly asks: "all"; readonly held: readonly Held[] });

export type Beacon = Standing & Observed & { readonly kind: "beacon" };

/** `seq` is that of the sender's slice: only an instance that holds the slice knows which members the slots mean. `paths`: by slot, too. */
export type Cursors = { readonly kind: "cursors"; readonly seq: Seq; readonly moves: Moves; readonly paths?: readonly CursorPathOf[] };

/** Moves of several boards, said to one instance on its own channel: each counts as `cursors` on that board (R25). */
export type BoardsMoves = { readonly kind: "moves"; readonly boards: readonly (Cursors & { readonly boardId: BoardId })[] };

/** Where moves of own members go: to these instances alone, or to all on the board's channel; `counted`: and the answer tells how many listen there (R25). */
export type MovesTo = readonly InstanceId[] | "board" | "counted";

/** At most once, never stored. */
export type BoardEvent = { readonly kind: "event"; readonly slot: number; readonly name: string; readonly data: Json } & Recipients;

/** Words of webhooks.ts to the other instances, on a channel of their own. The core does not know them. */
export type Hook = { readonly kind: "hook"; readonly words: Json };

export type GlobalMessage = Heartbeat | Verdict | Goodbye | Kick | Announcement | Want | Revocations;
export type BoardMessage = Delta | Replay | Snapshot | Sync | Beacon | Cursors | BoardEvent;
export type BusMessage = GlobalMessage | BoardMessage | OccupancyTold | BoardsMoves | Hook;
