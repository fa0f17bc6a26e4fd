/**
 * The groups of instances to which this one listens (R7). In a large cluster an instance says one beat of several to all, and the others to
 * its group only. Each instance listens to so many groups that it hears every beat of about `nearPeers` others, whatever the size of the
 * cluster. This file knows subscriptions; it judges nobody.
 */

import type { InstanceId } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";
import type { Effect } from "./effects.ts";
import type { Group } from "./messages.ts";

/** Groups form a ring. No id has to be agreed on: an instance has the group that the first two digits of its id say. */
export function groupOf(instanceId: InstanceId, { beatGroups }: Constants): Group {
  return Number.parseInt(instanceId.slice(0, 2), 16) % beatGroups;
}

export class Groups {
  readonly own: Group;
  readonly #constants: Constants;
  readonly #emit: (effect: Effect) => void;
  /** Groups so far from the own one, in both directions, are listened to; undefined: none yet. */
  #reach: number | undefined;
  #wanted = new Set<Group>();
  /** Wanted groups whose subscription is confirmed. */
  #heard = new Set<Group>();
  /** This instance says some beats to its group only. */
  isSpeaking = false;
  /** Redis does not take what this instance says to its group. */
  #isMute = false;

  constructor(instanceId: InstanceId, constants: Constants, emit: (effect: Effect) => void) {
    this.own = groupOf(instanceId, constants);
    this.#constants = constants;
    this.#emit = emit;
  }

  checkpoint(keep: Keep): void {
    this.#reach = keep(this.#reach);
    this.#wanted = keep(this.#wanted);
    this.#heard = keep(this.#heard);
    this.isSpeaking = keep(this.isSpeaking);
    this.#isMute = keep(this.#isMute);
  }

  get isListening(): boolean {
    return this.#reach !== undefined;
  }

  get reach(): number {
    return this.#reach ?? 0;
  }

  /** This instance may speak to its group: it hears itself there. */
  get isOpen(): boolean {
    return this.#heard.has(this.own) && !this.#isMute;
  }

  hears(group: Group): boolean {
    return this.#heard.has(group);
  }

  /** Whether an instance of that group, which listens so far, hears this one. */
  isWithin(group: Group, reach: number): boolean {
    const { beatGroups } = this.#constants;
    const apart = Math.abs(group - this.own);
    return Math.min(apart, beatGroups - apart) <= reach;
  }

  /** Listens to as many groups as fit a cluster of so many instances. A small one needs none, until somebody speaks to a group. */
  fit(instances: number, isSpoken: boolean): void {
    if (this.#reach === undefined && !isSpoken && instances <= this.#constants.heartbeatInstancesMax / 2) return;
    const reach = this.#reachFor(instances);
    // Fewer only once that would still fit if a fifth of the instances went: otherwise channels would come and go with each of them.
    if (reach === this.#reach || (this.#reach !== undefined && reach < this.#reach && this.#reachFor(0.8 * instances) >= this.#reach))
      return;
    this.#reach = reach;
    for (let group = 0; group < this.#constants.beatGroups; group++) {
      const isWanted = this.isWithin(group, reach);
      if (isWanted === this.#wanted.has(group)) continue;
      this.#wanted[isWanted ? "add" : "delete"](group);
      this.#heard.delete(group);
      this.#emit({ kind: "group", act: isWanted ? "subscribe" : "unsubscribe", group });
    }
  }

  /** True: from now on every beat of that group comes here. */
  subscribed(group: Group): boolean {
    if (!this.#wanted.has(group)) return false;
    this.#heard.add(group);
    return true;
  }

  /** Redis refuses the subscription, or what is said to the own group. */
  refused(group: Group, link: "publisher" | "subscriber"): void {
    if (link === "publisher") this.#isMute = true;
    else this.#heard.delete(group);
  }

  /** A new publisher may have other rights. */
  linked(): void {
    this.#isMute = false;
  }

  #reachFor(instances: number): number {
    const { beatGroups, nearPeers } = this.#constants;
    const groups = Math.min(beatGroups + 1, (beatGroups * nearPeers) / instances);
    return Math.max(0, Math.round((groups - 1) / 2));
  }
}
