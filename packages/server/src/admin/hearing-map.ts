/**
 * The instances that hear each other, by the acknowledgements in their heartbeats (R10). Every instance overhears those of all; none of
 * this decides anything. Pairs that are old are forgotten.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Heartbeat } from "../core/messages.ts";
import { shortOf } from "../core/peer.ts";

/** A minute: in a large cluster each is acknowledged every few seconds. */
const REMEMBERED_MS = 60_000;
/** Names that somebody makes up must not fill the memory. */
const INSTANCES_MAX = 1024;

export type Heard = { readonly instanceId: InstanceId; readonly heard: InstanceId; readonly agoMs: Millis };

export class HearingMap {
  /** By the instance that hears: when it last acknowledged whom, by the first 4 bytes of the id. */
  readonly #acks = new Map<InstanceId, Map<number, Millis>>();

  /** A heartbeat came, of a peer or of this instance. */
  beat(from: InstanceId, { acks }: Heartbeat, now: Millis): void {
    let known = this.#acks.get(from);
    if (known === undefined) {
      if (this.#acks.size >= INSTANCES_MAX) return;
      known = new Map();
      this.#acks.set(from, known);
    }
    for (const { peer } of acks) known.set(peer, now);
  }

  /** Among these instances. */
  pairs(instances: readonly InstanceId[], now: Millis): Heard[] {
    for (const [from, known] of this.#acks) {
      for (const [short, at] of known) if (now - at > REMEMBERED_MS) known.delete(short);
      if (known.size === 0) this.#acks.delete(from);
    }
    const byShort = new Map(instances.map((instanceId) => [shortOf(instanceId), instanceId]));
    return instances.flatMap((instanceId) =>
      [...(this.#acks.get(instanceId) ?? [])].flatMap(([short, at]) => {
        const heard = byShort.get(short);
        return heard === undefined || heard === instanceId ? [] : [{ instanceId, heard, agoMs: Math.round(now - at) }];
      }),
    );
  }
}
