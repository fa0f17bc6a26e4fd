/**
 * A driver whose clock stands still until the test moves it, and whose sockets are served by the test. Randomness is fixed: jitter takes
 * the middle of its window. Messages pass through the real codec in both directions.
 */

import {
  type Bytes,
  CLIENT_MESSAGE_BYTES_MAX,
  CLOSE,
  type ClientMessage,
  closeReason,
  decodeClientBinary,
  encodeBinary,
  type ServerMessage,
} from "@presence-service/protocol";
import type { Driver, DriverSocket, PageEvents, SessionStorage, SocketEvents } from "../driver.ts";

export class FakeSocket implements DriverSocket {
  readonly url: string;
  readonly protocol: string | undefined;
  readonly #events: SocketEvents;
  readonly #sent: ClientMessage[] = [];
  /** The code with which the client closed the socket. */
  closedWith: number | undefined;

  constructor(url: string, protocol: string | undefined, events: SocketEvents) {
    this.url = url;
    this.protocol = protocol;
    this.#events = events;
  }

  send(bytes: Uint8Array): void {
    const message = decodeClientBinary(bytes);
    if (!message || bytes.length > CLIENT_MESSAGE_BYTES_MAX) throw new Error(`the service would refuse ${bytes}`);
    if (this.closedWith === undefined) this.#sent.push(message);
  }

  close(code: number): void {
    this.closedWith = code;
  }

  /** Opens the socket. `protocol`: the agreed subprotocol; by default the offered one, as without a proxy that removes it. */
  accept(protocol = this.protocol ?? ""): void {
    this.#events.opened(protocol);
  }

  /** Also reaches a client that has given this socket up, as late events of real ones do. */
  serve(...messages: ServerMessage[]): void {
    for (const message of messages) this.serveBytes(encodeBinary(message));
  }

  /** Serves what no message of this release encodes to. */
  serveBytes(bytes: Uint8Array): void {
    this.#events.received(bytes);
  }

  /** The service says the meaning of its codes in the close frame. A connection that breaks says nothing. */
  drop(code: number, reason = code === CLOSE.lost.code ? "" : closeReason(code).meaning): void {
    this.#events.closed(code, reason);
  }

  /** All messages of the kind so far. */
  sent<K extends ClientMessage["kind"]>(kind: K): Extract<ClientMessage, { kind: K }>[] {
    return this.#sent.filter((message): message is Extract<ClientMessage, { kind: K }> => message.kind === kind);
  }

  /** The kinds of all messages, in order. */
  get kinds(): string[] {
    return this.#sent.map(({ kind }) => kind);
  }
}

/** sessionStorage and Web Locks of one browser. `copy()` is what a duplicated tab sees: its own storage, the same locks. */
export class FakeSessions implements SessionStorage {
  readonly texts: Map<string, string>;
  readonly taken = new Set<string>();
  readonly #locks: Set<string>;

  constructor(texts = new Map<string, string>(), locks = new Set<string>()) {
    this.texts = texts;
    this.#locks = locks;
  }

  copy(): FakeSessions {
    return new FakeSessions(new Map(this.texts), this.#locks);
  }

  /** The page is gone, and its clients' locks with it. */
  unload(): void {
    this.#locks.clear();
    this.taken.clear();
  }

  load(key: string): string | null {
    return this.texts.get(key) ?? null;
  }

  save(key: string, text: string): void {
    this.texts.set(key, text);
  }

  async claim(name: string): Promise<(() => void) | undefined> {
    if (this.#locks.has(name)) return undefined;
    this.#locks.add(name);
    return () => this.#locks.delete(name);
  }
}

let secrets = 0;

export class FakeDriver implements Driver {
  readonly sockets: FakeSocket[] = [];
  readonly reports: string[] = [];
  readonly sessions?: SessionStorage;
  isOnline?: () => boolean;
  shown?: () => Promise<void>;
  /** For tests that need it, before the first board: this package has no hash of its own. */
  hash?: (bytes: Uint8Array) => Promise<ArrayBuffer>;
  /** For tests that need it, before the client is made. */
  unpack?: (bytes: Uint8Array) => Promise<Bytes>;
  page: PageEvents | undefined;
  /** Until this time, timers do not fire: a hidden tab. */
  timersSleepUntil = 0;
  connectError: Error | undefined;
  #now = 1_000_000;
  readonly #timers = new Map<object, { readonly at: number; readonly run: () => void }>();

  constructor(sessions?: SessionStorage) {
    if (sessions) this.sessions = sessions;
  }

  connect(url: string, protocol: string | undefined, events: SocketEvents): DriverSocket {
    if (this.connectError) throw this.connectError;
    const socket = new FakeSocket(url, protocol, events);
    this.sockets.push(socket);
    return socket;
  }

  now(): number {
    return this.#now;
  }

  setTimer(run: () => void, delayMs: number): () => void {
    const key = {};
    this.#timers.set(key, { at: this.#now + delayMs, run });
    return () => this.#timers.delete(key);
  }

  random(): number {
    return 0.5;
  }

  /** No two results are equal, in any driver of this process. */
  randomBytes(count: number): Uint8Array {
    secrets++;
    return Uint8Array.from({ length: count }, (_, at) => (at < 4 ? secrets >>> (8 * at) : 0xab));
  }

  watchPage(events: PageEvents): () => void {
    this.page = events;
    return () => {
      this.page = undefined;
    };
  }

  report(problem: string, error?: unknown): void {
    this.reports.push(error === undefined ? problem : `${problem}: ${error}`);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** The connection made last. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("the client has not connected");
    return socket;
  }

  /** Lets promises run, then moves the clock, firing each timer at its time, and lets promises run after each. */
  async advance(ms = 0): Promise<void> {
    await settle();
    const end = this.#now + ms;
    for (let fired = 0; ; fired++) {
      if (fired > 10_000) throw new Error("timers never come to rest");
      const next = [...this.#timers]
        .filter(([, { at }]) => at <= end && end >= this.timersSleepUntil)
        .sort(([, a], [, b]) => a.at - b.at)[0];
      if (!next) break;
      const [key, { at, run }] = next;
      this.#timers.delete(key);
      this.#now = Math.max(this.#now, at, Math.min(end, this.timersSleepUntil));
      run();
      await settle();
    }
    this.#now = end;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
