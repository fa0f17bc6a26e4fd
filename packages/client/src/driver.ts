/**
 * The SDK's environment behind one interface: socket, clock, storage, randomness, the page. Tests and the in-process test server give
 * a driver of their own; the default one works in browsers and in Node 22 and later. Nothing here knows presence.
 */

import type { Bytes, Millis } from "@presence-service/protocol";
import { inflaterOf } from "./inflater.ts";

export interface Driver {
  /** Begins to connect, without a subprotocol if none is given. Never calls `events` before it has returned. Throws if the URL is no good. */
  connect(url: string, protocol: string | undefined, events: SocketEvents): DriverSocket;
  /** Only ever grows, also while the machine sleeps. */
  now(): Millis;
  /** Calls `run` once, perhaps late. Returns a function that cancels it. */
  setTimer(run: () => void, delayMs: Millis): () => void;
  /**
   * Calls `run` before the next frame is drawn, with its time on the clock of `now`. Returns a function that cancels it. Absent: a timer
   * does instead.
   */
  nextFrame?(run: (at: Millis) => void): () => void;
  /** In [0, 1). For jitter. */
  random(): number;
  /** For secrets. */
  randomBytes(count: number): Uint8Array;
  /** SHA-256. Absent: not to be had here, as in pages without TLS. A client that comes back is then told the whole roster. */
  hash?(bytes: Bytes): Promise<ArrayBuffer>;
  /** Raw DEFLATE, of at most `SERVER_MESSAGE_BYTES_MAX` bytes unpacked; rejects anything else. Absent: long messages come as they are. */
  unpack?(bytes: Bytes): Promise<Bytes>;
  /** Whether there is a network, as far as the runtime knows. Absent: it does not know. */
  isOnline?(): boolean;
  /**
   * Resolves when the page is shown; undefined: it is. A browser may load a page before its user has chosen it, and then drop it: nobody is on
   * it, so it does not connect.
   */
  shown?(): Promise<void> | undefined;
  /** Storage in which a session survives a page reload; absent: sessions do not survive. */
  readonly sessions?: SessionStorage;
  /** Absent: there is no page. Returns a function that ends the watching. */
  watchPage?(events: PageEvents): () => void;
  /** Shows a problem to the developer, where the app cannot be told in another way. Must not throw. */
  report(problem: string, error?: unknown): void;
}

/** Binary only. After `closed`, and after our own `close`, nothing is called any more. */
export interface SocketEvents {
  /** `protocol`: the subprotocol that was agreed on, empty if none was. */
  opened(protocol: string): void;
  received(bytes: Uint8Array): void;
  /** Also when the connection could not be made: 1006. `reason`: the text of the close frame; absent or empty: there was none. */
  closed(code: number, reason?: string): void;
}

export interface DriverSocket {
  /** Only after `opened`. Never throws; bytes for a socket that is closing are lost. */
  send(bytes: Bytes): void;
  /** `code`: 1000 or 3000–4999. */
  close(code: number): void;
}

export interface SessionStorage {
  /** Keys that clients of this page have in use; one object for all of them, however many drivers there are. */
  readonly taken: Set<string>;
  load(key: string): string | null;
  save(key: string, text: string): void;
  /** Takes a lock until it is released or the page ends; `undefined`: another page has it, as with a duplicated tab. */
  claim(name: string): Promise<(() => void) | undefined>;
}

export interface PageEvents {
  /** Timers may have slept, or the network has changed. `isOnline`: it has just come back. */
  awake(isOnline: boolean): void;
  /** Somebody uses the page. Cheap: call it for every move. */
  active(): void;
  /** The page has lost the focus: the cursor must be hidden. */
  blurred(): void;
  /** The page cannot be seen any more, as another tab covers it; or it can be seen again. */
  hidden(isHidden: boolean): void;
  /** The page is being left; the browser may bring it back. */
  ended(): void;
}

/** The part of the WebSocket class that is used; that of `ws` fits as well. */
export type WebSocketClass = new (
  url: string,
  protocols?: string,
) => {
  readonly protocol: string;
  binaryType: string;
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(bytes: Bytes): void;
  close(code?: number): void;
};

/** Browsers and Node. `WebSocket`: for runtimes without a global one, such as Node 20. Throws there if it is not given. */
export function createDriver(options: { readonly WebSocket?: WebSocketClass } = {}): Driver {
  const Socket = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
  if (!Socket)
    throw new Error(
      'This runtime has no WebSocket; Node has one from 22 on. Pass one: createPresence({ driver: createDriver({ WebSocket }) }), with the class of the package "ws"',
    );
  const sessions = pageSessions();
  const now = sleeplessClock();
  const unpack = inflaterOf(globalThis);
  return {
    connect: (url, protocol, events) => connect(Socket, url, protocol, events),
    now,
    setTimer(run, delayMs) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    ...(typeof requestAnimationFrame === "function" && {
      nextFrame(run: (at: Millis) => void) {
        const frame = requestAnimationFrame((at) => run(now() + at - performance.now()));
        return () => cancelAnimationFrame(frame);
      },
    }),
    random: Math.random,
    randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
    ...(globalThis.crypto?.subtle && { hash: (bytes: Bytes) => crypto.subtle.digest("SHA-256", bytes) }),
    ...(unpack && { unpack }),
    isOnline: () => globalThis.navigator?.onLine !== false,
    ...(sessions && { sessions }),
    ...(typeof window === "object" && typeof document === "object" && { watchPage, shown }),
    report: calmReport(now),
  };
}

/** Reports to the console. An equal problem is not repeated for a while, so that one mistake in a loop does not bury all others. */
function calmReport(now: () => Millis): Driver["report"] {
  const REPEAT_MS = 10_000;
  const KNOWN_MAX = 100;
  const saidAt = new Map<string, Millis>();
  return (problem, error) => {
    const text = `${problem} ${String(error)}`;
    if (now() < (saidAt.get(text) ?? Number.NEGATIVE_INFINITY) + REPEAT_MS) return;
    if (saidAt.size >= KNOWN_MAX) saidAt.clear();
    saidAt.set(text, now());
    console.error(`[presence] ${problem}`, ...(error === undefined ? [] : [error]));
  };
}

function connect(Socket: WebSocketClass, url: string, protocol: string | undefined, events: SocketEvents): DriverSocket {
  const socket = new Socket(url, ...(protocol === undefined ? [] : [protocol]));
  socket.binaryType = "arraybuffer";
  socket.onopen = () => events.opened(socket.protocol);
  socket.onmessage = ({ data }: { data: unknown }) => {
    if (data instanceof ArrayBuffer) events.received(new Uint8Array(data));
  };
  socket.onclose = ({ code, reason }: { code: number; reason: string }) => events.closed(code, reason);
  // `close` follows and tells the same; but without a listener `ws` would throw.
  socket.onerror = () => {};
  return {
    send: (bytes) => socket.send(bytes),
    close(code) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(code);
    },
  };
}

/** `performance.now()` stands still while some machines sleep; the wall clock does not. So jumps of the wall clock are added to it. */
function sleeplessClock(): () => Millis {
  const JUMP_MS = 2_000;
  let offset = Date.now() - performance.now();
  let slept = 0;
  return () => {
    const jump = Date.now() - performance.now() - offset;
    if (Math.abs(jump) > JUMP_MS) {
      offset += jump;
      slept += Math.max(0, jump);
    }
    return performance.now() + slept;
  };
}

const TAKEN = new Set<string>();

/** sessionStorage is copied into a duplicated tab; a Web Lock says which of the two is the original. Without both: no storage. */
function pageSessions(): SessionStorage | undefined {
  // A page that has just been reloaded may have to wait until the old page has released the lock.
  const PATIENCE_MS = 300;
  // Newer versions of Node have locks and a sessionStorage too, but no page that could be reloaded.
  if (typeof document !== "object" || !navigator.locks) return undefined;
  try {
    const storage = globalThis.sessionStorage;
    if (!storage) return undefined;
    return {
      taken: TAKEN,
      load: (key) => storage.getItem(key),
      save: (key, text) => storage.setItem(key, text),
      claim: (name) =>
        new Promise((claimed) => {
          const patience = new AbortController();
          const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
          const held = navigator.locks.request(name, { signal: patience.signal }, () => {
            clearTimeout(timer);
            return new Promise<void>((release) => claimed(release));
          });
          held.catch(() => claimed(undefined));
        }),
    };
  } catch {
    return undefined; // storage is forbidden here, as in sandboxed frames
  }
}

function shown(): Promise<void> | undefined {
  if (!(document as { readonly prerendering?: boolean }).prerendering) return undefined;
  return new Promise((resolve) => document.addEventListener("prerenderingchange", () => resolve(), { once: true }));
}

function watchPage(events: PageEvents): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  const on = (target: EventTarget, name: string, run: () => void, capture = false) =>
    target.addEventListener(name, run, { signal, capture, passive: true });
  on(window, "online", () => events.awake(true));
  on(window, "offline", () => events.awake(false));
  on(window, "pageshow", () => events.awake(false));
  // A change from one network to another. Not all browsers tell it.
  const { connection } = navigator as { readonly connection?: EventTarget };
  if (connection?.addEventListener) on(connection, "change", () => events.awake(false));
  on(document, "visibilitychange", () => {
    events.hidden(document.hidden);
    if (!document.hidden) events.awake(false);
  });
  // A page may be opened in the background.
  if (document.hidden) events.hidden(true);
  // In the capturing phase, so that an event counts even if the app stops its propagation.
  for (const sign of ["focus", "keydown", "pointerdown", "pointermove"]) on(window, sign, () => events.active(), true);
  on(window, "blur", () => events.blurred());
  on(window, "pagehide", () => {
    events.blurred();
    events.ended();
  });
  return () => stop.abort();
}
