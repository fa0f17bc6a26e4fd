/**
 * The environment of one SDK client in a World of whole instances: a socket through a load balancer, a clock, storage, randomness and a page, all
 * of them virtual. The page may be reloaded, which ends everything but the storage. It knows no presence.
 */

import { createHash } from "node:crypto";
import type { Driver, DriverSocket, PageEvents, SessionStorage, SocketEvents } from "@presence-service/client";
import { CLOSE, type Millis } from "@presence-service/protocol";
import { Random, TIMER_LATE_MS, type WholeWorld, type Wire } from "@presence-service/server/world";

/** The part of a tab that survives a reload: sessionStorage, and the locks of the page that holds it. */
export class TabStorage implements SessionStorage {
  /** Sockets so far, of all pages of the tab. */
  connections = 0;
  readonly taken = new Set<string>();
  readonly #texts = new Map<string, string>();
  readonly #locks = new Set<string>();

  load(key: string): string | null {
    return this.#texts.get(key) ?? null;
  }

  save(key: string, text: string): void {
    this.#texts.set(key, text);
  }

  async claim(name: string): Promise<(() => void) | undefined> {
    if (this.#locks.has(name)) return undefined;
    this.#locks.add(name);
    return () => this.#locks.delete(name);
  }

  /** The page is gone. */
  unload(): void {
    this.taken.clear();
    this.#locks.clear();
  }
}

/** On the connections of clients. */
export type Tap = {
  /** A message that does not reach the SDK: no network does that to a WebSocket. To see that it is noticed. */
  readonly misses?: (payload: Uint8Array) => boolean;
  /** Is told all that crosses a connection, and its beginning and end. `what`: a message, the number of an instance, or a close code. */
  readonly hears?: (address: string, event: "connects to" | "opened" | "sends" | "receives" | "closed", what: Uint8Array | number) => void;
};

export class SdkDriver implements Driver {
  readonly sessions: TabStorage;
  readonly #world: WholeWorld;
  readonly #random: Random;
  readonly #address: string;
  #page: PageEvents | undefined;
  #wire: Wire | undefined;
  #isGone = false;
  readonly #tap: Tap;

  constructor(world: WholeWorld, sessions: TabStorage, address: string, tap: Tap = {}) {
    this.#world = world;
    this.sessions = sessions;
    this.#address = address;
    this.#tap = tap;
    this.#random = new Random(Math.floor(world.random.next() * 0xffff_ffff));
  }

  connect(_url: string, protocol: string | undefined, events: SocketEvents): DriverSocket {
    this.sessions.connections++;
    const { misses, hears } = this.#tap;
    const instance = this.#instance();
    hears?.(this.#address, "connects to", instance.index);
    const wire = instance.connect(
      {
        opened: () => {
          if (this.#isGone) return;
          hears?.(this.#address, "opened", instance.index);
          events.opened(protocol ?? "");
        },
        received: (payload) => {
          if (this.#isGone || misses?.(payload)) return;
          hears?.(this.#address, "receives", payload);
          events.received(new Uint8Array(payload));
        },
        closed: (code, reason) => {
          if (this.#isGone) return;
          hears?.(this.#address, "closed", code);
          events.closed(code, reason);
        },
      },
      this.#address,
    );
    this.#wire = wire;
    return {
      send: (bytes) => {
        hears?.(this.#address, "sends", bytes);
        wire.send(bytes);
      },
      close: (code) => wire.closeByClient(code),
    };
  }

  now(): Millis {
    return this.#world.now + 500_000;
  }

  setTimer(run: () => void, delayMs: Millis): () => void {
    let isOn = true;
    this.#world.after(Math.max(0, delayMs) + TIMER_LATE_MS, () => isOn && !this.#isGone && run());
    return () => {
      isOn = false;
    };
  }

  random(): number {
    return this.#random.next();
  }

  randomBytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.#random.next() * 256));
  }

  async hash(bytes: Uint8Array): Promise<ArrayBuffer> {
    return Uint8Array.from(createHash("sha256").update(bytes).digest()).buffer;
  }

  watchPage(events: PageEvents): () => void {
    this.#page = events;
    return () => {
      this.#page = undefined;
    };
  }

  report(): void {}

  // Events of the tab.

  /** Somebody uses the page: a client whose user is away would show that, and nothing else. */
  use(): void {
    this.#page?.active();
  }

  /** The network has changed, and the page is told. */
  awaken(): void {
    this.#page?.awake(true);
  }

  /** Nothing passes on its connection any more, and neither end is told. */
  silence(): void {
    this.#wire?.silence();
  }

  breakOff(): void {
    this.#wire?.breakOff();
  }

  /** The page is gone: it is reloaded, or its tab is closed. */
  unload(): void {
    this.#page?.blurred();
    this.#page?.ended();
    this.#wire?.closeByClient(CLOSE.goingAway.code);
    this.#isGone = true;
    this.sessions.unload();
  }

  /** A load balancer asks whom it may send clients to. One that is stopped still looks well. */
  #instance() {
    const { instances, random } = this.#world;
    const serving = instances.filter(({ isServing }) => isServing);
    const some = serving.length > 0 ? serving : instances;
    return some[Math.floor(random.next() * some.length)] as (typeof instances)[number];
  }
}
