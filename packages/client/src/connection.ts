/**
 * One connection to the service at a time, and the way back when it is lost (C3, C5). A small state chart; what an app sees of it is
 * `status`. It knows sessions, hello and heartbeats, and no boards: those hang on to it through `ConnectionEvents`.
 */

import {
  CLOSE,
  type ClientMessage,
  closeReason,
  decodeServerBinary,
  encodeBinary,
  type Millis,
  type Retry,
  type ServerMessage,
} from "@presence-service/protocol";
import { Backoff } from "./core/backoff.ts";
import type { Driver, DriverSocket } from "./driver.ts";
import { type Identity, openIdentity, renewIdentity } from "./identity.ts";
import type { PresenceError, PresenceErrorCode, PresenceOptions, PresenceStatus } from "./types.ts";

const PROTOCOL = "presence.v2";
/** From the decision to connect, token included, to `welcome`. */
const CONNECT_TIMEOUT_MS = 10_000;
/** The server's heartbeats come every 10 s: two were missed, and a half for the way. */
const SILENCE_HEARTBEATS = 2.5;
/** Whatever `welcome` says, a moment of silence is no sign of death. */
const HEARTBEAT_MS_MIN = 1_000;
/** A connection that was open for so long was no failed attempt. */
const LIVED_MS = 5_000;
/** A network that comes back does so for many at once. */
const ONLINE_MS = 500;
/** The shortest wait that a person who is there may shorten to: the first one, in which nobody hurries, is not longer. */
const HURRY_MS = 2_000;
/** One failure or two are a restart; after so many in a row the developer is told, once. */
const FAILURES_REPORTED = 3;
/** Sessions given up in a row before we suspect that the service is at fault, and take our time. */
const RENEWALS_AT_ONCE_MAX = 3;

type Welcome = Extract<ServerMessage, { kind: "welcome" }>;

type State =
  /** No board wants a connection. */
  | { readonly phase: "idle" }
  /** Session and token are being fetched. */
  | { readonly phase: "preparing"; readonly giveUpAt: Millis }
  /** The socket is connecting. */
  | { readonly phase: "opening"; readonly giveUpAt: Millis; readonly socket: DriverSocket; readonly identity: Identity }
  /** hello, and perhaps joins, are sent; nothing was heard yet. */
  | { readonly phase: "greeting"; readonly giveUpAt: Millis; readonly socket: DriverSocket; readonly identity: Identity }
  | {
      readonly phase: "open";
      readonly openedAt: Millis;
      readonly socket: DriverSocket;
      readonly identity: Identity;
      readonly welcome: Welcome;
      heardAt: Millis;
      isDegraded: boolean;
    }
  /** `isImposed`: the service named the time, so nothing shortens it. */
  | { readonly phase: "waiting"; readonly since: Millis; readonly retryAt: Millis; readonly isImposed: boolean }
  | { readonly phase: "closed" };

export interface ConnectionEvents {
  /** Is there any board to connect for? Asked before each attempt. */
  isWanted(): boolean;
  /** hello is on its way; joins may follow without waiting. */
  greeted(): void;
  received(message: ServerMessage): void;
  /** What was joined is not any more. Always between two `greeted`. */
  lost(): void;
  /** For good, and not by `close()`. */
  ended(error: PresenceError): void;
  failed(error: PresenceError): void;
  /** After everything else: `status`, `deadline` or what was received may call for action. */
  settled(): void;
}

export class Connection {
  readonly #driver: Driver;
  readonly #options: PresenceOptions<never>;
  readonly #events: ConnectionEvents;
  readonly #backoff = new Backoff();
  #state: State = { phase: "idle" };
  #identity: Promise<Identity> | undefined;
  #goodbye: { readonly code: number; readonly retryAfterMs: Millis } | undefined;
  #wasOpen = false;
  /** Attempts in a row that came to nothing. */
  #failures = 0;
  #renewals = 0;

  constructor(driver: Driver, options: PresenceOptions<never>, events: ConnectionEvents) {
    this.#driver = driver;
    this.#options = options;
    this.#events = events;
  }

  get status(): PresenceStatus {
    if (this.#state.phase === "closed") return "closed";
    if (this.#state.phase === "open") return this.#state.isDegraded ? "degraded" : "connected";
    return this.#wasOpen ? "reconnecting" : "connecting";
  }

  get welcome(): Welcome | undefined {
    return this.#state.phase === "open" ? this.#state.welcome : undefined;
  }

  /** When `tick` will have something to do. */
  get deadline(): Millis {
    switch (this.#state.phase) {
      case "idle":
      case "closed":
        return Number.POSITIVE_INFINITY;
      case "preparing":
      case "opening":
      case "greeting":
        return this.#state.giveUpAt;
      case "open":
        return this.#state.heardAt + SILENCE_HEARTBEATS * Math.max(HEARTBEAT_MS_MIN, this.#state.welcome.heartbeatMs);
      case "waiting":
        return this.#state.retryAt;
    }
  }

  /** A board wants a connection. */
  start(): void {
    if (this.#state.phase === "idle") this.#connect();
  }

  tick(now: Millis): void {
    if (now < this.deadline) return;
    switch (this.#state.phase) {
      case "preparing":
        return this.#retry("backoff");
      case "opening":
      case "greeting":
      case "open":
        this.#state.socket.close(CLOSE.unresponsive.code);
        return this.#dropped(CLOSE.unresponsive.code);
      case "waiting":
        if (this.#events.isWanted()) this.#connect();
        else this.#state = { phase: "idle" };
    }
  }

  /** Somebody is there who waits, or the network is back: no need to sit out a delay that was meant for nobody, or for no network. */
  hurry(now: Millis, isOnline: boolean): void {
    if (this.#state.phase !== "waiting" || this.#state.isImposed) return;
    const { since, retryAt } = this.#state;
    // A hand that moves all the time must neither make a hot loop, nor bring all of a dead instance's clients back as one.
    const soonest = isOnline ? now + this.#driver.random() * ONLINE_MS : Math.max(now, since + HURRY_MS);
    this.#state = { ...this.#state, retryAt: Math.min(retryAt, soonest) };
  }

  /** `false`: there is nobody to send it to. */
  send(message: ClientMessage): boolean {
    if (this.#state.phase !== "greeting" && this.#state.phase !== "open") return false;
    this.#state.socket.send(encodeBinary(message));
    return true;
  }

  /** For one `join`; stored before it is given out, so that a reloaded page continues above it. undefined: not connected. */
  nextAttempt(): number | undefined {
    return this.#state.phase === "greeting" || this.#state.phase === "open" ? this.#state.identity.nextAttempt() : undefined;
  }

  /** Another connection has our session: we need one of our own (C5). */
  renewSession(): void {
    if (this.#state.phase !== "greeting" && this.#state.phase !== "open") return;
    this.#state.socket.close(CLOSE.normal.code);
    this.#dropped(CLOSE.superseded.code);
  }

  close(): void {
    const state = this.#state;
    if (state.phase === "closed") return;
    this.#state = { phase: "closed" };
    if ("socket" in state) state.socket.close(CLOSE.normal.code);
    this.#releaseIdentity();
  }

  #connect(): void {
    this.#goodbye = undefined;
    const preparing: State = { phase: "preparing", giveUpAt: this.#driver.now() + CONNECT_TIMEOUT_MS };
    this.#state = preparing;
    this.#identity ??= openIdentity(this.#driver, this.#options.url);
    Promise.all([this.#identity, this.#token()]).then(
      ([identity, token]) => {
        if (this.#state !== preparing) return;
        this.#open(identity, token, preparing.giveUpAt);
        this.#events.settled();
      },
      (error: unknown) => {
        if (this.#state !== preparing) return;
        this.#retry("backoff");
        this.#events.failed({ code: "token_failed", message: `no token: ${String(error)}` });
        this.#events.settled();
      },
    );
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    const given: unknown = typeof token === "function" ? await token() : token;
    if (given !== undefined && typeof given !== "string") throw new TypeError(`token() gave ${typeof given} instead of a string`);
    return given;
  }

  #open(identity: Identity, token: string | undefined, giveUpAt: Millis): void {
    // Events of a socket that we have given up are no longer ours.
    const isMine = () => "socket" in this.#state && this.#state.socket === socket;
    let socket: DriverSocket;
    try {
      socket = this.#driver.connect(this.#options.url, PROTOCOL, {
        opened: () => isMine() && this.#greet(socket, identity, token, giveUpAt),
        received: (bytes) => isMine() && this.#received(bytes),
        closed: (code) => {
          if (!isMine()) return;
          this.#dropped(code);
          this.#events.settled();
        },
      });
    } catch (error) {
      return this.#end("bad_url", `cannot connect to "${this.#options.url}": ${String(error)}`);
    }
    this.#state = { phase: "opening", giveUpAt, socket, identity };
  }

  #greet(socket: DriverSocket, identity: Identity, token: string | undefined, giveUpAt: Millis): void {
    this.#state = { phase: "greeting", giveUpAt, socket, identity };
    this.send({ kind: "hello", resumeToken: identity.resumeToken, ...(token !== undefined && { token }) });
    this.#events.greeted();
    this.#events.settled();
  }

  #received(bytes: Uint8Array): void {
    const now = this.#driver.now();
    if (this.#state.phase === "open") this.#state.heardAt = now;
    const message = decodeServerBinary(bytes);
    // From a newer service: messages we do not know are not for us.
    if (message) this.#handle(message, now);
    this.#events.settled();
  }

  #handle(message: ServerMessage, now: Millis): void {
    const state = this.#state;
    switch (message.kind) {
      case "welcome":
        if (state.phase !== "greeting") return;
        this.#state = {
          phase: "open",
          socket: state.socket,
          identity: state.identity,
          welcome: message,
          openedAt: now,
          heardAt: now,
          isDegraded: false,
        };
        this.#wasOpen = true;
        this.#failures = 0;
        break;
      case "heartbeat":
        this.send({ kind: "heartbeat" });
        return;
      case "degraded":
        if (state.phase === "open" && message.board === undefined) state.isDegraded = message.on;
        break;
      case "goodbye":
        this.#goodbye = message;
        return;
      default:
    }
    this.#events.received(message);
  }

  /** The socket is gone: what now? */
  #dropped(code: number): void {
    const hadJoined = this.#state.phase === "greeting" || this.#state.phase === "open";
    if (this.#state.phase === "open" && this.#driver.now() - this.#state.openedAt >= LIVED_MS) {
      this.#backoff.reset();
      this.#renewals = 0;
    }
    if (this.#state.phase !== "open" && ++this.#failures === FAILURES_REPORTED) {
      // What follows may be a secret of the app's.
      this.#driver.report(`cannot reach ${this.#options.url.replace(/[?#].*/, "")}: trying again`);
    }
    const { code: reason, retry, meaning } = closeReason(this.#goodbye?.code ?? code);
    if (reason === CLOSE.superseded.code || code === CLOSE.superseded.code) this.#renew();
    else if (retry === "never") this.#end(END_CODES.get(reason) ?? "ended", meaning);
    else this.#retry(retry, this.#goodbye?.retryAfterMs);
    if (hadJoined && this.#state.phase !== "closed") this.#events.lost();
  }

  #renew(): void {
    this.#releaseIdentity();
    this.#identity = renewIdentity(this.#driver, this.#options.url);
    if (this.#renewals++ < RENEWALS_AT_ONCE_MAX) this.#waitFor(0, false);
    else this.#retry("backoff");
  }

  #retry(retry: Exclude<Retry, "never">, retryAfterMs: Millis = 0): void {
    this.#waitFor(this.#backoff.delayMs(retry, this.#driver.random(), this.#driver.now(), retryAfterMs), retryAfterMs > 0);
  }

  #waitFor(delayMs: Millis, isImposed: boolean): void {
    const since = this.#driver.now();
    this.#state = { phase: "waiting", since, retryAt: since + delayMs, isImposed };
  }

  #end(code: PresenceErrorCode, message: string): void {
    this.close();
    this.#events.ended({ code, message });
  }

  #releaseIdentity(): void {
    this.#identity?.then(
      (identity) => identity.release(),
      () => {}, // there is none: `#connect` has said so
    );
    this.#identity = undefined;
  }
}

/** Closings that nobody comes back from, as `error` events. */
const END_CODES: ReadonlyMap<number, PresenceErrorCode> = new Map([
  [CLOSE.unauthorized.code, "unauthorized"],
  [CLOSE.kicked.code, "kicked"],
  [CLOSE.abuse.code, "abuse"],
]);
