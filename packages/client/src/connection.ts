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
import { Pulse } from "./core/pulse.ts";
import { TokenBucket } from "./core/token-bucket.ts";
import type { Driver, DriverSocket } from "./driver.ts";
import { freeKey, type Identity, openIdentity, renewIdentity, takeKey } from "./identity.ts";
import type { PresenceError, PresenceErrorCode, PresenceOptions, PresenceStatus } from "./types.ts";

const PROTOCOL = "presence.v2";
/** From the decision to connect, token included, to `welcome`. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that was open for so long was no failed attempt. */
const LIVED_MS = 5_000;
/** What was begun before the network came back gets so long to succeed. */
const STALE_MS = 3_000;
/** A network that comes back does so for many at once. */
const ONLINE_MS = 500;
/** An instance that stops without naming a time for our return. */
const ELSEWHERE_MS = 500;
/** Orderly goodbyes that we take as such: all instances may restart one after the other, but a service that only says goodbye is ill. */
const GOODBYES = { perSecond: 0.05, burst: 10 };
/** The shortest wait that a person who is there may shorten to: the first one, in which nobody hurries, is not longer. */
const HURRY_MS = 2_000;
/** One failure or two are a restart; after so many in a row the developer is told, once. */
const FAILURES_REPORTED = 3;
/** Sessions given up in a row before we suspect that the service is at fault, and take our time. */
const RENEWALS_AT_ONCE_MAX = 3;

/** How the encoding is asked for: proxies that know nothing of subprotocols remove that header. */
type Way = "subprotocol" | "query";

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
      readonly pulse: Pulse;
      isDegraded: boolean;
    }
  /** `isImposed`: the service named the time, so nothing shortens it. */
  | { readonly phase: "waiting"; readonly since: Millis; readonly retryAt: Millis; readonly isImposed: boolean }
  /** Our token was refused, and so was the one after it. Another board tries again. */
  | { readonly phase: "refused"; readonly since: Millis }
  | { readonly phase: "closed" };

type Open = Extract<State, { phase: "open" }>;

export interface ConnectionEvents {
  /** Is there any board to connect for? Asked before each attempt. */
  isWanted(): boolean;
  /** hello is on its way; joins may follow without waiting. */
  greeted(): void;
  received(message: ServerMessage): void;
  /** What was joined is not any more. Always between two `greeted`. */
  lost(): void;
  /** Not by `close()`. For good, unless `status` is `closed` only until the next `start()`. */
  ended(error: PresenceError): void;
  failed(error: PresenceError): void;
  /** `deadline` is sooner than it was. */
  hastened(): void;
  /** After everything else: `status`, `deadline` or what was received may call for action. */
  settled(): void;
}

export class Connection {
  readonly #driver: Driver;
  readonly #options: PresenceOptions<never>;
  readonly #events: ConnectionEvents;
  readonly #backoff = new Backoff();
  #state: State = { phase: "idle" };
  /** Of our session in storage. */
  #key: string | undefined;
  #identity: Promise<Identity> | undefined;
  #token: string | undefined;
  /** The last one that the service did not take, until it takes one. */
  #refused: { readonly token: string | undefined } | undefined;
  #way: Way = "subprotocol";
  /** The one that has worked last. */
  #provenWay: Way | undefined;
  readonly #goodbyes = new TokenBucket(GOODBYES);
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
    if (this.#state.phase === "closed" || this.#state.phase === "refused") return "closed";
    if (this.#state.phase === "open") return this.#state.isDegraded ? "degraded" : "connected";
    return this.#wasOpen ? "reconnecting" : "connecting";
  }

  get welcome(): Welcome | undefined {
    return this.#state.phase === "open" ? this.#state.welcome : undefined;
  }

  /** Open, but it has not answered when it was asked: whatever is sent now may reach nobody. */
  get isDoubtful(): boolean {
    return this.#state.phase === "open" && this.#state.pulse.isDoubtful(this.#driver.now());
  }

  /** When `tick` will have something to do. */
  get deadline(): Millis {
    switch (this.#state.phase) {
      case "idle":
      case "refused":
      case "closed":
        return Number.POSITIVE_INFINITY;
      case "preparing":
      case "opening":
      case "greeting":
        return this.#state.giveUpAt;
      case "open":
        return this.#state.pulse.deadline;
      case "waiting":
        return this.#state.retryAt;
    }
  }

  /** A board wants a connection. */
  start(): void {
    if (this.#state.phase === "refused") {
      this.#wasOpen = false;
      this.#refused = undefined;
      // Asked for again in the same breath it would be a loop through the app.
      if (this.#driver.now() < this.#state.since + LIVED_MS) return this.#retry("backoff");
      this.#backoff.reset();
      this.#connect();
    } else if (this.#state.phase === "idle") this.#connect();
  }

  tick(now: Millis): void {
    if (now < this.deadline) return;
    switch (this.#state.phase) {
      case "preparing":
        this.#retry("backoff");
        if (typeof this.#options.token !== "function") return;
        return this.#events.failed({ code: "token_failed", message: "no token: token() has given none for 10 s" });
      case "opening":
        return this.#replace(NO_ANSWER);
      case "greeting":
        return this.#replace(NO_WELCOME);
      case "open":
        return this.#examine(this.#state, now);
      case "waiting":
        if (this.#events.isWanted()) this.#connect();
        else this.#state = { phase: "idle" };
    }
  }

  /** Page or network say that the world is not what it was. `isOnline`: the network is back. */
  awake(now: Millis, isOnline: boolean): void {
    const state = this.#state;
    if (state.phase === "open") {
      state.pulse.doubt(now);
      this.#examine(state, now);
    } else if (isOnline && (state.phase === "opening" || state.phase === "greeting")) {
      this.#state = { ...state, giveUpAt: Math.min(state.giveUpAt, now + STALE_MS) };
    } else this.#hurry(now, isOnline);
  }

  /** Somebody uses the page. */
  active(now: Millis): void {
    if (this.#state.phase !== "open") this.#hurry(now, false);
    else if (this.#state.pulse.used(now)) this.#examine(this.#state, now);
  }

  /** Somebody is there who waits, or the network is back: no need to sit out a delay that was meant for nobody, or for no network. */
  #hurry(now: Millis, isOnline: boolean): void {
    if (this.#state.phase !== "waiting" || this.#state.isImposed) return;
    const { since, retryAt } = this.#state;
    // A hand that moves all the time must neither make a hot loop, nor bring all of a dead instance's clients back as one.
    const soonest = isOnline ? now + this.#driver.random() * ONLINE_MS : Math.max(now, since + HURRY_MS);
    this.#state = { ...this.#state, retryAt: Math.min(retryAt, soonest) };
  }

  #examine({ pulse }: Open, now: Millis): void {
    switch (pulse.check(now)) {
      case "ask":
        return void this.send({ kind: "heartbeat" });
      case "unanswered":
        return this.#replace(undefined, "elsewhere");
      case "silent":
        return this.#replace();
    }
  }

  /** Gives the socket up, without waiting for it to agree. */
  #replace(trouble?: string, quick?: "elsewhere"): void {
    if ("socket" in this.#state) this.#state.socket.close(CLOSE.unresponsive.code);
    this.#dropped(CLOSE.unresponsive.code, trouble, quick);
  }

  /** `false`: there is nobody to send it to. */
  send(message: ClientMessage): boolean {
    if (this.#state.phase !== "greeting" && this.#state.phase !== "open") return false;
    this.#state.socket.send(encodeBinary(message));
    if (this.#state.phase === "open" && this.#state.pulse.used(this.#driver.now())) this.#events.hastened();
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
    if (this.#key !== undefined) freeKey(this.#driver, this.#key);
  }

  #connect(): void {
    this.#goodbye = undefined;
    const preparing: State = { phase: "preparing", giveUpAt: this.#driver.now() + CONNECT_TIMEOUT_MS };
    this.#state = preparing;
    this.#key ??= takeKey(this.#driver, this.#options.url, this.#options.name);
    this.#identity ??= openIdentity(this.#driver, this.#key);
    const pending = this.#identity;
    const identified = pending.catch((error: unknown) => {
      // A failure is not remembered: the next attempt asks again.
      if (this.#identity === pending) this.#identity = undefined;
      return Promise.reject({ code: "no_random", message: `${NO_RANDOM}: ${String(error)}` });
    });
    const authorized = this.#nextToken().catch((error: unknown) =>
      Promise.reject({ code: "token_failed", message: `no token: ${String(error)}` }),
    );
    Promise.all([identified, authorized]).then(
      ([identity, token]) => {
        if (this.#state !== preparing) return;
        this.#token = token;
        this.#open(identity, token, preparing.giveUpAt);
        this.#events.settled();
      },
      (error: PresenceError) => {
        if (this.#state !== preparing) return;
        this.#retry("backoff");
        this.#events.failed(error);
        this.#events.settled();
      },
    );
  }

  async #nextToken(): Promise<string | undefined> {
    const { token } = this.#options;
    const given: unknown = typeof token === "function" ? await token(this.#refused?.token) : token;
    if (given !== undefined && typeof given !== "string") throw new TypeError(`token() gave ${typeof given} instead of a string`);
    return given;
  }

  #open(identity: Identity, token: string | undefined, giveUpAt: Millis): void {
    // Events of a socket that we have given up are no longer ours.
    const isMine = () => "socket" in this.#state && this.#state.socket === socket;
    const isBySubprotocol = this.#way === "subprotocol";
    let socket: DriverSocket;
    try {
      socket = this.#driver.connect(this.#url, isBySubprotocol ? PROTOCOL : undefined, {
        opened: (protocol) => {
          if (!isMine()) return;
          if (protocol !== "" || !isBySubprotocol) return this.#greet(socket, identity, token, giveUpAt);
          // Browsers fail such a handshake; other runtimes open a socket whose other end speaks something else.
          socket.close(CLOSE.normal.code);
          this.#dropped(CLOSE.lost.code, HEADER_LOST, "elsewhere");
          this.#events.settled();
        },
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

  get #url(): string {
    const { url } = this.#options;
    return this.#way === "subprotocol" ? url : `${url}${url.includes("?") ? "&" : "?"}encoding=${PROTOCOL}`;
  }

  #greet(socket: DriverSocket, identity: Identity, token: string | undefined, giveUpAt: Millis): void {
    this.#state = { phase: "greeting", giveUpAt, socket, identity };
    this.send({ kind: "hello", resumeToken: identity.resumeToken, ...(token !== undefined && { token }) });
    this.#events.greeted();
    this.#events.settled();
  }

  #received(bytes: Uint8Array): void {
    const now = this.#driver.now();
    if (this.#state.phase === "open") this.#state.pulse.heard(now);
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
          pulse: new Pulse(message.heartbeatMs, now),
          isDegraded: false,
        };
        this.#wasOpen = true;
        this.#failures = 0;
        this.#refused = undefined;
        this.#provenWay = this.#way;
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
      case "token_expiring":
        return this.#renewToken();
      default:
    }
    this.#events.received(message);
  }

  /** If no fresh token comes the service asks again while it can. A token that is no function has no successor. */
  #renewToken(): void {
    const state = this.#state;
    if (typeof this.#options.token !== "function") return;
    this.#nextToken().then(
      (token) => {
        if (this.#state !== state || token === undefined) return;
        this.#token = token;
        this.send({ kind: "auth", token });
      },
      (error: unknown) => {
        if (this.#state !== state) return;
        this.#events.failed({ code: "token_failed", message: `no fresh token: ${String(error)}` });
        this.#events.settled();
      },
    );
  }

  /** The socket is gone: what now? `trouble`: why, where the code does not say it. `quick`: of its own accord the client knows of a way. */
  #dropped(code: number, trouble?: string, quick?: "elsewhere"): void {
    const { phase } = this.#state;
    if (this.#state.phase === "open" && this.#driver.now() - this.#state.openedAt >= LIVED_MS) {
      this.#backoff.reset();
      this.#renewals = 0;
    }
    const { code: reason, retry, meaning } = closeReason(this.#goodbye?.code ?? code);
    if (reason === CLOSE.superseded.code || code === CLOSE.superseded.code) this.#renew();
    else if (reason === CLOSE.unauthorized.code && this.#hasAnotherToken) {
      this.#refused = { token: this.#token };
      this.#retry("elsewhere");
    } else if (retry === "never") this.#end(END_CODES.get(reason) ?? "ended", meaning);
    else if (this.#goodbye || retry === "elsewhere") this.#sentAway(this.#goodbye?.retryAfterMs);
    else {
      this.#retry(quick ?? retry);
      if (phase !== "open") this.#missed(trouble ?? (phase === "opening" ? NO_SOCKET : `closed with ${code} before welcome: ${meaning}`));
    }
    const hadJoined = phase === "greeting" || phase === "open";
    if (hadJoined && this.#state.phase !== "closed" && this.#state.phase !== "refused") this.#events.lost();
  }

  /** A token that was refused may have been an old one: whoever gives tokens is asked once more. */
  get #hasAnotherToken(): boolean {
    return typeof this.#options.token === "function" && this.#refused === undefined;
  }

  /** In order, which is no failure: back when the service says, or at a moment of our own. */
  #sentAway(retryAfterMs: Millis = this.#driver.random() * ELSEWHERE_MS): void {
    const now = this.#driver.now();
    if (!this.#goodbyes.take(now)) return this.#retry("backoff", retryAfterMs);
    this.#backoff.sentAway(now + retryAfterMs);
    this.#waitFor(retryAfterMs, this.#goodbye !== undefined);
  }

  /** An attempt came to nothing. The next one asks for the encoding the other way; one that has worked is not given up for a restart. */
  #missed(trouble: string): void {
    this.#failures++;
    if (this.#provenWay === undefined || this.#failures >= FAILURES_REPORTED) {
      this.#way = this.#way === "subprotocol" ? "query" : "subprotocol";
    }
    if (this.#failures !== FAILURES_REPORTED) return;
    // What follows may be a secret of the app's.
    const url = this.#options.url.replace(/[?#].*/, "");
    this.#events.failed({ code: "unreachable", message: `cannot reach ${url}, trying again. ${trouble}` });
  }

  #renew(): void {
    this.#releaseIdentity();
    this.#key ??= takeKey(this.#driver, this.#options.url, this.#options.name);
    this.#identity = renewIdentity(this.#driver, this.#key);
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
    if (code === "unauthorized") this.#state = { phase: "refused", since: this.#driver.now() };
    else this.close();
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

const NO_SOCKET =
  "No connection could be made. Does the host exist, does the path lead to the service, does it allow this page's origin, and does the page's Content-Security-Policy allow it (connect-src)? The browser's console says which";
const NO_ANSWER = "No connection was made within 10 s. Does the host exist, and does a firewall let WebSockets pass?";
const NO_WELCOME = "There is a WebSocket, but no welcome came within 10 s. Is that the presence service?";
const HEADER_LOST =
  "A proxy on the way removes the header Sec-WebSocket-Protocol. Let it pass; ?encoding=presence.v2 in the URL, which is tried instead, did not help";
const NO_RANDOM =
  "no session: it takes crypto.getRandomValues (React Native: the package react-native-get-random-values) or a driver with randomBytes";

/** Closings that nobody comes back from, as `error` events. */
const END_CODES: ReadonlyMap<number, PresenceErrorCode> = new Map([
  [CLOSE.unauthorized.code, "unauthorized"],
  [CLOSE.kicked.code, "kicked"],
  [CLOSE.abuse.code, "abuse"],
]);
