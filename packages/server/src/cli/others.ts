/** Other instances and strangers, as a listener on the bus finds them who takes no part in it. It says nothing there. */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Channel } from "../bus/bus.ts";
import { decodeRedisMessage } from "../bus/envelope.ts";
import { claimedSender, type Distrust, type Signing } from "../bus/signing.ts";
import type { Heartbeat, InstanceStatus } from "../core/messages.ts";

export type Heard = {
  readonly status: InstanceStatus;
  readonly intervalMs: Millis;
  readonly lastAt: Millis;
  /** The number of its last heartbeat: how long it runs. */
  readonly beat: number;
  /** Heartbeats heard here. */
  readonly beats: number;
  /** The first bytes of the ids of those whom it acknowledged. */
  readonly acknowledged: ReadonlySet<string>;
  /** Its boards are spread over the masters of a Cluster. */
  readonly isSpread: boolean;
};

export type Why = Distrust | "foreign" | "invalid" | "version";
export type Ignored = { readonly count: number; readonly channel: Channel; readonly claimed: string | undefined };

/** As many as a doctor can tell of; anybody can make up more. */
const INSTANCES_MAX = 4096;

export class Others {
  readonly instances = new Map<InstanceId, Heard>();
  /** Messages that an instance with these settings would not take, by the reason. */
  readonly ignored = new Map<Why, Ignored>();
  /** Whether somebody signs, though we have no secret. */
  othersSign = false;
  readonly #signing: Signing;

  constructor(signing: Signing) {
    this.#signing = signing;
  }

  hear(channel: Channel, bytes: Uint8Array, now: Millis): void {
    const checked = this.#signing.check(channel, bytes);
    if (!checked.ok) return this.#ignore(checked.why, channel, bytes);
    if (checked.isSigned && !this.#signing.isOn) this.othersSign = true;
    const decoded = decodeRedisMessage(checked.bytes);
    if (!decoded.ok) return this.#ignore(decoded.why, channel, bytes);
    const { from, message } = decoded.value;
    if (message.kind === "goodbye") this.instances.delete(from);
    if (message.kind === "heartbeat") this.#beat(from, message, now);
  }

  /** Those that beat lately: the others may have ended meanwhile. */
  alive(now: Millis): [InstanceId, Heard][] {
    return [...this.instances].filter(([, { lastAt, intervalMs }]) => now - lastAt <= 2 * intervalMs + 200);
  }

  #beat(from: InstanceId, { status, intervalMs, beat, acks, spread = false }: Heartbeat, now: Millis): void {
    const { beats = 0, acknowledged = [] } = this.instances.get(from) ?? {};
    if (beats === 0 && this.instances.size >= INSTANCES_MAX) return;
    const all = new Set([...acknowledged, ...acks.map(({ peer }) => peer.toString(16).padStart(8, "0"))]);
    this.instances.set(from, { status, intervalMs, beat, lastAt: now, beats: beats + 1, acknowledged: all, isSpread: spread });
  }

  #ignore(why: Why, channel: Channel, bytes: Uint8Array): void {
    const { count = 0 } = this.ignored.get(why) ?? {};
    this.ignored.set(why, { count: count + 1, channel, claimed: why === "foreign" ? undefined : claimedSender(bytes) });
  }
}
