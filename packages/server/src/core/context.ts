/** What the parts of one core share: its identity, numbers and constants, the way effects leave, and what is believed of the bus. */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Constants } from "./constants.ts";
import type { Effect } from "./effects.ts";
import type { Seq } from "./messages.ts";
import type { Random } from "./random.ts";

/** How another instance counts when rosters are made: `fading` members are shown as reconnecting. */
export type Liveness = "live" | "fading" | "gone";

export interface Context {
  readonly instanceId: InstanceId;
  readonly constants: Constants;
  readonly random: Random;
  /** R2: one counter per instance, over all its boards. */
  nextSeq(): Seq;
  emit(effect: Effect): void;
  readonly bus: BusBelief;
}

/** What peers.ts knows about the bus and the others on it. */
export interface BusBelief {
  livenessOf(instanceId: InstanceId): Liveness;
  /** It is up, and hears what is asked as far as is known. */
  canAnswer(instanceId: InstanceId): boolean;
  /** Instances that may answer: heard lately, strangers (R8) included. */
  readonly livePeers: number;
  /** My own messages do not come back at the moment: what I hear, or fail to hear, proves nothing. */
  readonly isEchoMissing: boolean;
  /** When an own heartbeat was last heard. */
  readonly echoedAt: Millis;
  /** The period of everybody's beacons, from the size of the cluster (R6). */
  readonly beaconMs: Millis;
  /** The period that a peer announced. */
  beaconMsOf(instanceId: InstanceId): Millis;
  /** Peers of which anything may have been missed on any board, at that time or later. */
  missedSince(at: Millis): readonly InstanceId[];
  /** Over how much time to spread something that concerns all boards of all instances, so that Redis carries it easily. */
  readonly spreadMs: Millis;
}
