/** The answers of an inspection of one board: why a member is shown, or is not. Here are the shapes alone; each part of a board fills in what it knows. */

import type { InstanceId, Member, Millis, Status } from "@presence-service/protocol";
import type { Liveness } from "./context.ts";
import type { ConnectionId } from "./effects.ts";
import type { Seq } from "./messages.ts";

/** One entry of a member, in the slice of the instance that owns it. */
export type Claim = {
  readonly owner: InstanceId;
  readonly attempt: number;
  readonly seq: Seq;
  readonly slot: number;
  readonly status: Status;
  /** How the owner is judged here. */
  readonly standing: Liveness;
  /** Since the owner last said on this board where its slice stands; 0: this instance is the owner. */
  readonly wordMs: Millis;
  /** Since the last heartbeat of the owner; null: it is this instance, or is not known. */
  readonly heartbeatMs: Millis | null;
  /** Something of the owner's slice may have been missed. */
  readonly isInDoubt: boolean;
  /** The time that an own member whose connection is lost may still be away; null: it is connected, or another instance's. */
  readonly graceMs: Millis | null;
  /** The connection of an own member. */
  readonly connection?: ConnectionId;
};

/** Why a member is shown on a board, or why it is not. */
export type Reasons = {
  /** Null: it is not shown. `owner` null: its entry was superseded, and the one that follows has not arrived. */
  readonly shown: {
    readonly member: Member;
    readonly actor: number;
    readonly owner: InstanceId | null;
    readonly attempt: number;
    readonly forMs: Millis;
  } | null;
  readonly claims: readonly Claim[];
  /** All attempts up to this one are over; null: none is remembered. */
  readonly endedAttempt: number | null;
};

/** The slice of an instance on a board, as it is held here. */
export type SliceHeld = {
  readonly owner: InstanceId;
  readonly members: number;
  readonly seq: Seq;
  readonly standing: Liveness;
  readonly wordMs: Millis;
  readonly isInDoubt: boolean;
};
