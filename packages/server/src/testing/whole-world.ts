/**
 * K whole instances, from sockets to core, on one virtual clock and the simulated Redis of a World, with its faults. Clients are what connects:
 * packages/sim has the SDK do so. Parts of an instance wait for promises, so time is advanced with `await`. It knows nothing of truth.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import { Random } from "../core/random.ts";
import { type Faults, HEALTHY, Network } from "./network.ts";
import { NetworkBus } from "./network-bus.ts";
import { settle } from "./settle.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { CHANNELS, WholeInstance } from "./whole-instance.ts";
import { hexDigits } from "./world-client.ts";

/** In the year 2025, so that times have their usual length. */
const BEGINS_AT: Millis = 1_760_000_000_000;
/** Instances are started so long after one another, and then given so long to find each other. */
const STARTS_MS: Millis = 300;
const WARM_UP_MS: Millis = 2_000;

export class WholeWorld {
  readonly seed: number;
  readonly network: Network;
  readonly instances: WholeInstance[] = [];
  /** For those who connect. */
  readonly random: Random;
  readonly clock = new VirtualClock();
  readonly #inner: Random;

  private constructor(seed: number, faults: Partial<Faults>) {
    this.seed = seed;
    this.random = new Random(seed);
    this.#inner = new Random(seed ^ 0x5eed);
    this.network = new Network({ clock: this.clock, random: new Random(seed ^ 0xb05), faults: { ...HEALTHY, ...faults } });
  }

  static async open(options: {
    readonly seed: number;
    readonly instances: number;
    readonly faults?: Partial<Faults>;
  }): Promise<WholeWorld> {
    const world = new WholeWorld(options.seed, options.faults ?? {});
    for (let started = 0; started < options.instances; started++) {
      world.start();
      await world.advance(STARTS_MS);
    }
    await world.advance(WARM_UP_MS);
    return world;
  }

  get now(): Millis {
    return this.clock.now;
  }

  async advance(ms: Millis): Promise<void> {
    const end = this.now + ms;
    await settle();
    while (this.clock.next() <= end) {
      this.clock.runNext();
      await settle();
    }
    this.clock.jumpTo(end);
  }

  after(ms: Millis, run: () => void): void {
    this.clock.after(ms, run);
  }

  start(): number {
    const index = this.instances.length;
    const instanceId = [8, 4, 4, 4, 12].map((digits) => hexDigits(this.#inner, digits)).join("-") as InstanceId;
    const { clock, network } = this;
    const instance = new WholeInstance(
      {
        index,
        instanceId,
        seed: Math.floor(this.#inner.next() * 0xffff_ffff),
        wallAheadMs: BEGINS_AT + ((index * 4_001) % 6_000) - 3_000,
      },
      { clock, random: this.#inner },
      {
        connect: (run) => new NetworkBus({ index, instanceId }, network, CHANNELS, run),
        cut: () => network.detach(index),
      },
    );
    this.instances.push(instance);
    return index;
  }

  kill(index: number): void {
    this.instance(index).end();
  }

  pause(index: number): void {
    this.instance(index).pause();
  }

  resume(index: number): void {
    this.instance(index).resume();
  }

  /** R12, as `presence-service` does when it is told to stop: its clients are sent away, then its process ends. */
  stop(index: number): void {
    const instance = this.instance(index);
    void instance.stop().then(() => instance.end());
  }

  drain(index: number): void {
    this.stop(index);
  }

  instance(index: number): WholeInstance {
    const instance = this.instances[index];
    if (instance === undefined) throw new RangeError(`there is no instance ${index}`);
    return instance;
  }
}
