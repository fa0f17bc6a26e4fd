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

/** Close codes: of a page that goes, and of a connection that broke. */
const [GOING_AWAY, LOST] = [1001, 1006];

/** A socket of the page, as `createPresence` wants it. */
type Socket = { send(bytes: Uint8Array): void; close(code: number): void };
type SocketEvents = { opened(protocol: string): void; received(bytes: Uint8Array): void; closed(code: number): void };
type PageEvents = { awake(isOnline: boolean): void; active(): void; blurred(): void; hidden(isHidden: boolean): void; ended(): void };
/** Where a connection goes: to the service; to nobody, and it fails; into the void, and nothing is told. */
type Network = "up" | "broken" | "silent";
type Connect = (client: WireEvents, network: Network, request: { readonly url: URL; readonly protocol: string | undefined }) => Wire;

/** A page keeps the sessions of its clients over a reload. */
class Sessions {
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

/** A page that has not been unloaded. */
type Page = { events: PageEvents | undefined; readonly wires: Set<Wire> };

export class TestDriver {
  readonly sessions = new Sessions();
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #connect: Connect;
  #network: Network = "up";
  /** Ends the attempts to connect that nothing answers. */
  readonly #unanswered = new Set<() => void>();
  #isHidden = false;
  #page: Page = { events: undefined, wires: new Set() };

  /** Only `server.driver()` makes one. */
  constructor(clock: VirtualClock, random: Random, connect: Connect) {
    this.#clock = clock;
    this.#random = random;
    this.#connect = connect;
  }

  // For the test.

  /**
   * The network of this page is gone: its connections break, and no new one can be made until `reconnect`. `silently`: neither end is told, as when
   * a laptop leaves its Wi-Fi; the client and the service notice by the silence.
   */
  disconnect({ silently = false }: { readonly silently?: boolean } = {}): void {
    this.#network = silently ? "silent" : "broken";
    for (const wire of this.#page.wires) {
      if (silently) wire.silence();
      else wire.breakOff();
    }
  }

  /** The network is back, and the page is told (`online`): its clients connect at once. */
  reconnect(): void {
    this.#network = "up";
    for (const fail of this.#unanswered) fail();
    this.#unanswered.clear();
    this.#page.events?.awake(true);
  }

  /** Another tab covers the page. */
  hide(): void {
    this.#isHidden = true;
    this.#page.events?.hidden(true);
  }

  /** The page can be seen again. */
  show(): void {
    this.#isHidden = false;
    this.#page.events?.hidden(false);
    this.#page.events?.awake(false);
  }

  /** Its user moves the pointer or presses a key. A user who does nothing for five minutes is `idle`. */
  use(): void {
    this.#page.events?.active();
  }

  /**
   * The page is gone: its tab is closed, or it is reloaded. Its clients do nothing any more. A `createPresence` with this driver afterwards is that of
   * the page reloaded, and goes on with the sessions.
   */
  unload(): void {
    const { events, wires } = this.#page;
    events?.blurred();
    events?.ended();
    for (const wire of wires) wire.closeByClient(GOING_AWAY);
    this.#page = { events: undefined, wires: new Set() };
    this.sessions.unload();
  }

  // For `createPresence`.

  /** For `createPresence`. */
  connect(url: string, protocol: string | undefined, events: SocketEvents): Socket {
    const page = this.#page;
    const tell = (say: () => void) => page === this.#page && say();
    const client: WireEvents = {
      opened: () => tell(() => events.opened(protocol ?? "")),
      received: (payload) => tell(() => events.received(new Uint8Array(payload))),
      closed: (code) => {
        page.wires.delete(wire);
        tell(() => events.closed(code));
      },
    };
    if (this.#network === "silent") this.#unanswered.add(() => page.wires.has(wire) && client.closed(LOST));
    const wire = this.#connect(client, this.#network, { url: new URL(url), protocol });
    page.wires.add(wire);
    return {
      send: (bytes) => wire.send(bytes),
      close(code) {
        page.wires.delete(wire);
        wire.closeByClient(code);
      },
    };
  }

  /** The milliseconds since the server was created. */
  now(): Millis {
    return this.#clock.now;
  }

  /** For `createPresence`. */
  setTimer(run: () => void, delayMs: Millis): () => void {
    const page = this.#page;
    let isOn = true;
    this.#clock.after(Math.max(0, delayMs) + TIMER_LATE_MS, () => isOn && page === this.#page && run());
    return () => {
      isOn = false;
    };
  }

  /** For `createPresence`. */
  random(): number {
    return this.#random.next();
  }

  /** For `createPresence`. */
  randomBytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.#random.next() * 256));
  }

  /** For `createPresence`. */
  async hash(bytes: Uint8Array): Promise<ArrayBuffer> {
    return Uint8Array.from(createHash("sha256").update(bytes).digest()).buffer;
  }

  /** For `createPresence`. */
  watchPage(events: PageEvents): () => void {
    const page = this.#page;
    page.events = events;
    if (this.#isHidden) events.hidden(true);
    return () => {
      page.events = undefined;
    };
  }

  /** Prints a problem, as a page does. */
  report(problem: string, error?: unknown): void {
    console.error(`[presence] ${problem}`, ...(error === undefined ? [] : [error]));
  }
}
