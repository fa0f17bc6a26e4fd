/**
 * One simulated page: the `driver` for `createPresence` of `@presence-service/client`, whose interface it has without importing it. Its clock,
 * network, storage and visibility are the test's. It knows no presence.
 */

import { createHash } from "node:crypto";
import type { Millis } from "@presence-service/protocol";
import type { Random } from "../core/random.ts";
import type { VirtualClock } from "../testing/virtual-clock.ts";
import { TIMER_LATE_MS } from "../testing/whole-instance.ts";
import type { Wire, WireEvents } from "../testing/wire.ts";

export type DriverOptions = {
  /** The instance that the load balancer gives to this page, while it runs; counted from 0. Default: the instances in turn. */
  readonly instance?: number;
  /** Of its WebSocket request, for an `authenticate` that reads a cookie: `{ cookie: "session=…" }`. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** For `createPresence({ url, driver })`, and what happens to its page. */
export interface TestDriver extends PageDriver {
  /**
   * The network of this page is gone: its connections break, and no new one can be made until `reconnect`. `silently`: neither end is told, as when
   * a laptop leaves its Wi-Fi; the client and the service notice by the silence.
   */
  disconnect(how?: { readonly silently?: boolean }): void;
  /** The network is back, and the page is told (`online`): its clients connect at once, or within 3 s if they wait for an answer. */
  reconnect(): void;
  /** Another tab covers the page. */
  hide(): void;
  /** The page can be seen again. */
  show(): void;
  /** Its user moves the pointer or presses a key. A user who does nothing for five minutes is `idle`. */
  use(): void;
  /**
   * The page is gone: its tab is closed, or it is reloaded. Its clients do nothing any more. A `createPresence` with this driver afterwards is that of
   * the page reloaded, and goes on with the sessions.
   */
  unload(): void;
}

/** The part that is for `createPresence`, as its `Driver`. */
export interface PageDriver {
  readonly sessions: PageSessions;
  connect(url: string, protocol: string | undefined, events: PageSocketEvents): PageSocket;
  now(): Millis;
  setTimer(run: () => void, delayMs: Millis): () => void;
  random(): number;
  randomBytes(count: number): Uint8Array;
  hash(bytes: Uint8Array): Promise<ArrayBuffer>;
  isOnline(): boolean;
  watchPage(events: PageEvents): () => void;
  /** Prints a problem, as a page does. */
  report(problem: string, error?: unknown): void;
}

type PageSocket = { send(bytes: Uint8Array): void; close(code: number): void };
type PageSocketEvents = { opened(protocol: string): void; received(bytes: Uint8Array): void; closed(code: number, reason?: string): void };
type PageEvents = { awake(isOnline: boolean): void; active(): void; blurred(): void; hidden(isHidden: boolean): void; ended(): void };
type PageSessions = {
  readonly taken: Set<string>;
  load(key: string): string | null;
  save(key: string, text: string): void;
  claim(name: string): Promise<(() => void) | undefined>;
};

/** Where a connection goes: to the service; to nobody, and it fails; into the void, and nothing is told. */
export type PageNetwork = "up" | "broken" | "silent";
type Connect = (client: WireEvents, network: PageNetwork, request: { readonly url: URL; readonly protocol: string | undefined }) => Wire;

/** The close code of a page that goes. */
const GOING_AWAY = 1001;

/** A tab keeps the sessions of its clients over a reload. */
class TabSessions implements PageSessions {
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

  unload(): void {
    this.taken.clear();
    this.#locks.clear();
  }
}

/** The part of a page that ends when it is unloaded. */
type Loaded = { events: PageEvents | undefined; readonly wires: Set<Wire> };

export class Page implements TestDriver {
  readonly sessions = new TabSessions();
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #connect: Connect;
  #network: PageNetwork = "up";
  #isHidden = false;
  #loaded: Loaded = { events: undefined, wires: new Set() };

  constructor(clock: VirtualClock, random: Random, connect: Connect) {
    this.#clock = clock;
    this.#random = random;
    this.#connect = connect;
  }

  // For the test.

  disconnect({ silently = false }: { readonly silently?: boolean } = {}): void {
    this.#network = silently ? "silent" : "broken";
    for (const wire of this.#loaded.wires) {
      if (silently) wire.silence();
      else wire.breakOff();
    }
  }

  reconnect(): void {
    this.#network = "up";
    this.#loaded.events?.awake(true);
  }

  hide(): void {
    this.#isHidden = true;
    this.#loaded.events?.hidden(true);
  }

  show(): void {
    this.#isHidden = false;
    this.#loaded.events?.hidden(false);
    this.#loaded.events?.awake(false);
  }

  use(): void {
    this.#loaded.events?.active();
  }

  unload(): void {
    const { events, wires } = this.#loaded;
    events?.blurred();
    events?.ended();
    for (const wire of wires) wire.closeByClient(GOING_AWAY);
    this.#loaded = { events: undefined, wires: new Set() };
    this.sessions.unload();
  }

  // For `createPresence`.

  connect(url: string, protocol: string | undefined, events: PageSocketEvents): PageSocket {
    const loaded = this.#loaded;
    const tell = (say: () => void) => loaded === this.#loaded && say();
    const client: WireEvents = {
      opened: () => tell(() => events.opened(protocol ?? "")),
      received: (payload) => tell(() => events.received(new Uint8Array(payload))),
      closed: (code, reason) => {
        loaded.wires.delete(wire);
        tell(() => events.closed(code, reason));
      },
    };
    const wire = this.#connect(client, this.#network, { url: new URL(url), protocol });
    loaded.wires.add(wire);
    return {
      send: (bytes) => wire.send(bytes),
      close(code) {
        loaded.wires.delete(wire);
        wire.closeByClient(code);
      },
    };
  }

  now(): Millis {
    return this.#clock.now;
  }

  setTimer(run: () => void, delayMs: Millis): () => void {
    const loaded = this.#loaded;
    let isOn = true;
    this.#clock.after(Math.max(0, delayMs) + TIMER_LATE_MS, () => isOn && loaded === this.#loaded && run());
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

  isOnline(): boolean {
    return this.#network !== "broken";
  }

  watchPage(events: PageEvents): () => void {
    const loaded = this.#loaded;
    loaded.events = events;
    if (this.#isHidden) events.hidden(true);
    return () => {
      loaded.events = undefined;
    };
  }

  report(problem: string, error?: unknown): void {
    console.error(`[presence] ${problem}`, ...(error === undefined ? [] : [error]));
  }
}
