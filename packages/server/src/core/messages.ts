/**
 * What instances say to each other, decoded. bus/envelope.ts gives these their bytes; docs/REPLICATION.md their rules.
 */

import type { BoardId, InstanceId, Json, JsonObject, LeaveReason, Member, MemberId, Millis } from "@presence-service/protocol";

/** Position of a slice's last change, counted by its owner over all its boards (R2); 0: never changed. */
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

export type InstanceStatus = "ready" | "draining" | "degraded";

export type Heartbeat = {
  readonly kind: "heartbeat";
  readonly beat: number;
  readonly intervalMs: Millis;
  /** Longest time between two beacons of one board: how long silence may mean nothing (R4, R6). */
  readonly beaconMs: Millis;
  /** Boards with a slice of the sender, or lingering. */
  readonly boards: number;
  readonly status: InstanceStatus;
  /** Up to 3 live peers in turn, and up to 3 of those that fell silent (R10). */
  readonly acks: readonly Ack[];
  /** Versions of this protocol that the sender reads, 1…15 (R13). */
  readonly versions: { readonly min: number; readonly max: number };
  /** Boards on which the sender cannot speak at present (R9), some in turn if there are many. Absent: none. */
  readonly mute?: readonly BoardId[];
};

/** The sender stops; its members are somebody else's soon. No dels follow. */
export type Goodbye = { readonly kind: "goodbye" };

/** A person with all their sessions, or one session. */
export type Whom = { readonly userId: string } | { readonly memberId: MemberId };

/** Somebody is put out: of one board, or, without a boardId, of the service (R16). `reason` may be empty. */
export type Kick = { readonly kind: "kick"; readonly whom: Whom; readonly boardId?: BoardId; readonly reason: string };

/** A word from the operator to everybody, or to everybody on one board (R17). */
export type Announcement = { readonly kind: "announcement"; readonly text: string; readonly boardId?: BoardId };

export type DelReason = LeaveReason | "superseded";

export type Op =
  /** A member enters or is replaced as a whole. */
  | { readonly op: "set"; readonly slot: number; readonly attempt: number; readonly member: Member }
  /** Merge patch of the member's fields: status, state. */
  | { readonly op: "patch"; readonly slot: number; readonly patch: JsonObject }
  /** Any reason but `superseded` ends every entry of that memberId up to this attempt, at everybody (R11). */
  | { readonly op: "del"; readonly memberId: MemberId; readonly attempt: number; readonly reason: DelReason };

export type Delta = { readonly kind: "delta"; readonly prev: Seq; readonly seq: Seq; readonly ops: readonly Op[] };

export type SliceEntry = {
  readonly slot: number;
  readonly attempt: number;
  /** Of the member's last change. */
  readonly seq: Seq;
  readonly member: Member;
};

export type Ended = { readonly memberId: MemberId; readonly attempt: number };

export type Snapshot = {
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

/** How much of an owner's slice somebody holds: all of it up to `seq`. */
export type Held = { readonly owner: InstanceId; readonly seq: Seq };

/**
 * A question to those owners that are named with the seq held of each, or to all; and the sender's own beacon (R5). Of an owner that
 * is asked with all, and not named in `held`, nothing is held.
 */
export type Sync = Standing & { readonly kind: "sync" } & (
    | { readonly asks: readonly Held[] }
    | { readonly asks: "all"; readonly held: readonly Held[] }
  );

export type Beacon = Standing & { readonly kind: "beacon" };

/** `seq` is the slice's: slots are only understood by who has it. */
export type Cursors = { readonly kind: "cursors"; readonly seq: Seq; readonly moves: Moves };

/** At most once, never stored. */
export type BoardEvent = { readonly kind: "event"; readonly slot: number; readonly name: string; readonly data: Json };

export type GlobalMessage = Heartbeat | Goodbye | Kick | Announcement;
export type BoardMessage = Delta | Snapshot | Sync | Beacon | Cursors | BoardEvent;
export type BusMessage = GlobalMessage | BoardMessage;
