/** The parts of one core share this: its identity, numbers and constants, the way effects leave, and what is believed of the bus. */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Constants } from "./constants.ts";
import type { Effect } from "./effects.ts";
import type { Seq } from "./messages.ts";
import type { Random } from "./random.ts";

/** How the roster shows the members of another instance: as they are, as reconnecting (`fading`), or not at all. */
export type Liveness = "live" | "fading" | "gone";

export interface Context {
  readonly instanceId: InstanceId;
  readonly constants: Constants;
  readonly random: Random;
  /** Milliseconds since 1970 by this instance's clock, at this input. Clocks of instances differ: no rule compares it with another one's. */
  readonly wallNow: Millis;
  /** This instance's own time, at this input: whole milliseconds since its start. */
  readonly at: Millis;
  /** R2: one counter per instance, over all its boards. Counts so many changes more, and returns where it stands then. */
  countChanges(changes: number): Seq;
  emit(effect: Effect): void;
  /** Something of that peer is held on that board from now on. */
  hold(owner: InstanceId, boardId: BoardId): void;
  /** Nothing of that peer is held on that board any more. */
  letGo(owner: InstanceId, boardId: BoardId): void;
  /** That instance hears moves that are said on its own channel, and this one can say them there (R25). */
  takesMoves(instanceId: InstanceId): boolean;
  readonly peers: PeersBelief;
  readonly bus: BusBelief;
}

/** The knowledge of peers.ts about the other instances. */
export interface PeersBelief {
  livenessOf(instanceId: InstanceId): Liveness;
  /** The number of instances that may answer: they were heard lately, strangers (R8) included. */
  readonly livePeers: number;
  /** How long ago it was `at` by the time that the peer tells of itself; undefined: the peer has told no time (R23). */
  sinceAt(instanceId: InstanceId, at: Millis, now: Millis): Millis | undefined;
  /** The period that a peer announced. */
  beaconMsOf(instanceId: InstanceId): Millis;
  /** Peers that were silent at that time or later: anything of theirs may have been missed, on any board. */
  missedSince(at: Millis): readonly InstanceId[];
}

/** The knowledge of pulse.ts about the bus. */
export interface BusBelief {
  /** Own messages do not come back at the moment: then it proves nothing whether a peer is heard or not. */
  readonly isEchoMissing: boolean;
  /** Own messages have not come back for so long that nothing is taken from anybody. */
  readonly isCleared: boolean;
  /** This instance has started or recovered lately, so it may not know of all others (R9.13). */
  isSettling(now: Millis): boolean;
  /** When an own heartbeat last came back. */
  readonly echoedAt: Millis;
  /** The period of everybody's beacons, from the size of the cluster (R6). */
  readonly beaconMs: Millis;
  /** The first time from then on at which a heartbeat leaves, or would: beacons leave with it. */
  onGrid(at: Millis): Millis;
  /** The peer is up, and as far as is known it hears this instance. */
  canAnswer(instanceId: InstanceId): boolean;
  /** Over how much time to spread something that concerns all boards of all instances, so that Redis carries it easily. */
  readonly spreadMs: Millis;
}
