/**
 * One connection to the service at a time, and how it is made again when it is lost (C3, C5). A small state chart; an app sees `status`
 * of it. It knows sessions, hello and heartbeats, and no boards: the client with its boards listens through `ConnectionEvents`.
 */

import {
  type BoardId,
  type CLOSE,
  type ClientMessage,
  decodeServerBinary,
  encodeClientBinary,
  isText,
  type Millis,
  type Retry,
  retryOf,
  type ServerMessage,
  TOKEN_BYTES_MAX,
  TokenBucket,
} from "@presence-service/protocol";
import { hashOf, withQuery } from "./address.ts";
import { Backoff } from "./core/backoff.ts";
import { Pulse } from "./core/pulse.ts";
import { type Debug, debugOf } from "./debugging.ts";
import type { Driver, DriverSocket, SocketEvents } from "./driver.ts";
import { freeKey, type Identity, openIdentity, renewIdentity, takeKey } from "./identity.ts";
import type { PresenceError, PresenceErrorCode, PresenceOptions, PresenceStatus } from "./types.ts";
import { unpacking } from "./unpacking.ts";

const PROTOCOL = "presence.v2";
/** An attempt to connect fails after this time: from its start, token included, to `welcome`. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that was open for so long counts as a success when it is lost. */
const LIVED_MS = 5_000;
/** An attempt to connect that began before the network came back gets so much more time. */
const STALE_MS = 3_000;
/** When a network comes back, it does so for many clients at once: they spread their attempts over this time. */
const ONLINE_MS = 500;
/** When an instance stops and names no time, its clients come back at random within this time. */
const ELSEWHERE_MS = 500;
/** So many goodbyes count as orderly, since all instances may restart one after the other. A service that only says goodbye is broken. */
const GOODBYES = { perSecond: 0.05, burst: 10 };
/** Use of the page brings a pending reconnect forward, but never to less than 2 s after the loss: the first retry comes by then anyway. */
const HURRY_MS = 2_000;
/** One or two failures are usual during a restart. After so many in a row the app gets one `unreachable` error. */
const FAILURES_REPORTED = 3;
/** So many times in a row the client replaces a refused session at once. After that it backs off, since the fault may be the service's. */
const RENEWALS_AT_ONCE_MAX = 3;

/** How the client asks for the encoding: some proxies remove the subprotocol header. */
type Way = "subprotocol" | "query";

type Welcome = Extract<ServerMessage, { kind: "welcome" }>;

type State =
  /** No board needs a connection. */
  | { readonly phase: "idle" }
  /** Session and token are being fetched. */
  | { readonly phase: "preparing"; readonly giveUpAt: Millis }
  /** The socket is connecting. */
  | { readonly phase: "opening"; readonly giveUpAt: Millis; readonly socket: DriverSocket; readonly identity: Identity }
  /** hello, and perhaps joins, are sent; the service has not answered yet. */
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
  /** Our token was refused, and so was the next one. The client tries again when the app takes a board. */
  | { readonly phase: "refused"; readonly since: Millis }
  | { readonly phase: "closed" };

type Open = Extract<State, { phase: "open" }>;

export interface ConnectionEvents {
  /** Is there any board to connect for? Asked before each attempt. */
  isWanted(): boolean;
  /** The board whose people are to be on one instance, if it matters. */
  firstBoard(): BoardId | undefined;
  /** hello is on its way; joins may follow without waiting. */
  greeted(): void;
  received(message: ServerMessage): void;
  /** All boards joined in this connection are lost. Always called between two `greeted`. */
  lost(): void;
  /** The client has ended, and not by `close()`. After a refused token the next `start()` tries again; all other ends are final. */
  ended(error: PresenceError): void;
  failed(error: PresenceError): void;
  /** `deadline` is sooner than it was. */
  hastened(): void;
  /** After everything else: `status`, `deadline` or what was received may call for action. */
  settled(): void;
}

export class Connection {
  readonly #driver: Driver;
  #unpack: Driver["unpack"];
  /** Of the present attempt, or the last one. */
  #address = "";
  /** The place of the next one in a list. */
  #nth = 0;
  /** The error if one of the app's functions does not answer in time. */
  #waitsFor: PresenceError | undefined;
  readonly #options: PresenceOptions<never>;
  readonly #events: ConnectionEvents;
  readonly #debug: Debug | undefined;
  readonly #backoff = new Backoff();
  #state: State = { phase: "idle" };
  /** The key of our session in storage. */
  #key: string | undefined;
  #identity: Promise<Identity> | undefined;
  /** At first the session from before a reload, if there is one. Once that was superseded, only new ones. */
  #makeIdentity = openIdentity;
  #token: string | undefined;
  /** The last token that the service refused, until it accepts one. */
  #refused: { readonly token: string | undefined } | undefined;
  #way: Way = "subprotocol";
  /** The way that worked last. */
  #provenWay: Way | undefined;
  readonly #goodbyes = new TokenBucket(GOODBYES, 0);
  #goodbye: { readonly code: number; readonly retryAfterMs: Millis } | undefined;
  #isWatched = true;
  #wasOpen = false;
  /** Failed attempts in a row. */
  #failures = 0;
  #renewals = 0;

  constructor(driver: Driver, options: PresenceOptions<never>, events: ConnectionEvents) {
    this.#driver = driver;
    this.#unpack = driver.unpack?.bind(driver);
    this.#options = options;
    this.#events = events;
    this.#debug = debugOf(options.debug, driver);
  }

  get status(): PresenceStatus {
    if (this.#state.phase === "closed" || this.#state.phase === "refused") return "closed";
    if (this.#state.phase === "open") return this.#state.isDegraded ? "degraded" : "connected";
    return this.#wasOpen ? "reconnecting" : "connecting";
  }

  get welcome(): Welcome | undefined {
    return this.#state.phase === "open" ? this.#state.welcome : undefined;
  }

  /** The connection is open, but a question is unanswered: a message sent now may be lost. */
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

  /** A board needs a connection. */
  start(): void {
    if (this.#state.phase === "refused") {
      this.#wasOpen = false;
      this.#refused = undefined;
      // An app that takes its board again on each refusal would make a hot loop: back off.
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
        if (this.#waitsFor === undefined) return;
        return this.#events.failed(this.#waitsFor);
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

  /** The page has woken up, or the network has changed: the connection may be dead. `isOnline`: the network is back. */
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

  /** Whether somebody is there to see what comes over this connection. */
  watched(isWatched: boolean): void {
    this.#isWatched = isWatched;
    if (this.#state.phase === "open") this.#state.pulse.isWatched = isWatched;
  }

  /** Brings a pending reconnect forward: somebody uses the page, or the network is back. */
  #hurry(now: Millis, isOnline: boolean): void {
    if (this.#state.phase !== "waiting" || this.#state.isImposed) return;
    const { since, retryAt } = this.#state;
    // Constant pointer moves must not make a hot loop, and the clients of a dead instance must not all come back at the same moment.
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

  /** Gives the socket up without waiting for its close event. */
  #replace(trouble?: string, quick?: "elsewhere"): void {
    if ("socket" in this.#state) this.#state.socket.close(CODE.unresponsive);
    this.#dropped(CODE.unresponsive, undefined, trouble, quick);
  }

  /** `false`: not sent, since there is no connection. */
  send(message: ClientMessage): boolean {
    if (this.#state.phase !== "greeting" && this.#state.phase !== "open") return false;
    this.#debug?.("→", message);
    this.#state.socket.send(encodeClientBinary(message));
    if (this.#state.phase === "open" && this.#state.pulse.used(this.#driver.now())) this.#events.hastened();
    return true;
  }

  /** The number of one `join`. It is stored before it is returned, so that a reloaded page continues above it. undefined: not connected. */
  nextAttempt(): number | undefined {
    return this.#state.phase === "greeting" || this.#state.phase === "open" ? this.#state.identity.nextAttempt() : undefined;
  }

  /** Another connection has our session: we need one of our own (C5). */
  renewSession(): void {
    if (this.#state.phase !== "greeting" && this.#state.phase !== "open") return;
    this.#state.socket.close(CODE.normal);
    this.#dropped(CODE.superseded);
  }

  close(): void {
    const state = this.#state;
    if (state.phase === "closed") return;
    this.#state = { phase: "closed" };
    if ("socket" in state) state.socket.close(CODE.normal);
    this.#releaseIdentity();
    if (this.#key !== undefined) freeKey(this.#driver, this.#key);
  }

  #connect(): void {
    this.#goodbye = undefined;
    const preparing: State = { phase: "preparing", giveUpAt: this.#driver.now() + CONNECT_TIMEOUT_MS };
    this.#state = preparing;
    const { url, name } = this.#options;
    this.#key ??= takeKey(this.#driver, typeof url === "string" ? url : typeof url === "function" ? "" : (url[0] ?? ""), name);
    this.#identity ??= this.#makeIdentity(this.#driver, this.#key);
    const pending = this.#identity;
    const identified = pending.catch((error: unknown) => {
      // A failure is not remembered: the next attempt asks again.
      if (this.#identity === pending) this.#identity = undefined;
      return Promise.reject({ code: "no_random", message: `${NO_RANDOM}: ${String(error)}` });
    });
    const fails = (code: "token_failed" | "url_failed", what: string) => (error: unknown) =>
      Promise.reject({ code, message: `${what}: ${String(error)}` });
    const asked = [this.#nextToken(), this.#nextAddress()] as const;
    const authorized = asked[0].catch(fails("token_failed", "no token"));
    const located = asked[1].catch(fails("url_failed", "no address of the service"));
    this.#waitsFor =
      typeof url === "function" ? { code: "url_failed", message: "no address of the service: url() has given none for 10 s" } : undefined;
    located.then(
      () => {
        if (this.#state === preparing) this.#waitsFor = typeof this.#options.token === "function" ? NO_TOKEN : undefined;
      },
      () => {},
    );
    Promise.all([identified, authorized, located]).then(
      ([identity, token, address]) => {
        if (this.#state !== preparing) return;
        this.#token = token;
        this.#address = address;
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

  async #nextAddress(): Promise<string> {
    const { url } = this.#options;
    const given: unknown = typeof url === "function" ? await url() : typeof url === "string" ? url : url[this.#nth % url.length];
    if (typeof given !== "string" || given === "")
      throw new TypeError(`url() must give an address, not ${given === "" ? "an empty one" : typeof given}`);
    return given;
  }

  async #nextToken(): Promise<string | undefined> {
    const { token } = this.#options;
    const given: unknown = typeof token === "function" ? await token(this.#refused?.token) : token;
    if (given !== undefined && typeof given !== "string") throw new TypeError(`token() must give a string, not ${typeof given}`);
    if (given !== undefined && !isText(given, TOKEN_BYTES_MAX))
      throw new RangeError(`a token must be text of up to ${TOKEN_BYTES_MAX} bytes`);
    return given;
  }

  #open(identity: Identity, token: string | undefined, giveUpAt: Millis): void {
    this.#debug?.(`connects to ${bare(this.#address)}`);
    // Ignore events of a socket that we have given up.
    const isMine = () => "socket" in this.#state && this.#state.socket === socket;
    const isBySubprotocol = this.#way === "subprotocol";
    let socket: DriverSocket;
    const events: SocketEvents = {
      opened: (protocol) => {
        if (!isMine()) return;
        if (protocol !== "" || !isBySubprotocol) return this.#greet(socket, identity, token, giveUpAt);
        // Browsers fail such a handshake; other runtimes open a socket whose other end speaks something else.
        socket.close(CODE.normal);
        this.#dropped(CODE.lost, undefined, HEADER_LOST, "elsewhere");
        this.#events.settled();
      },
      received: (bytes) => isMine() && this.#received(bytes),
      closed: (code, reason) => {
        if (!isMine()) return;
        this.#dropped(code, reason);
        this.#events.settled();
      },
    };
    const broken = (error: unknown) => {
      if (!isMine()) return;
      // Whatever is wrong with it, the next connection does without.
      this.#unpack = undefined;
      this.#replace(`a packed message is broken: ${String(error)}`);
      this.#events.settled();
    };
    const unpack = this.#unpack;
    try {
      socket = this.#driver.connect(
        this.#url,
        isBySubprotocol ? PROTOCOL : undefined,
        unpack === undefined ? events : unpacking(events, unpack, broken),
      );
    } catch (error) {
      return this.#end("bad_url", `cannot connect to "${this.#address}": ${String(error)}`);
    }
    this.#state = { phase: "opening", giveUpAt, socket, identity };
  }

  get #url(): string {
    const board = this.#options.affinity ? this.#events.firstBoard() : undefined;
    const url = board === undefined ? this.#address : withQuery(this.#address, "b", hashOf(board));
    return this.#way === "subprotocol" ? url : withQuery(url, "encoding", PROTOCOL);
  }

  #greet(socket: DriverSocket, identity: Identity, token: string | undefined, giveUpAt: Millis): void {
    this.#state = { phase: "greeting", giveUpAt, socket, identity };
    this.send({
      kind: "hello",
      resumeToken: identity.resumeToken,
      ...(token !== undefined && { token }),
      ...(this.#unpack && { packs: true }),
    });
    this.#events.greeted();
    this.#events.settled();
  }

  #received(bytes: Uint8Array): void {
    const now = this.#driver.now();
    if (this.#state.phase === "open") this.#state.pulse.heard(now);
    const message = decodeServerBinary(bytes);
    this.#debug?.(message ? "←" : "← a message that this release does not know", message);
    // An unknown message comes from a newer service: ignore it.
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
          pulse: new Pulse(message.heartbeatMs, now, this.#isWatched),
          isDegraded: false,
        };
        this.#wasOpen = true;
        this.#failures = 0;
        this.#refused = undefined;
        this.#provenWay = this.#way;
        break;
      case "heartbeat":
        if (state.phase !== "open" || !state.pulse.isAnswer(now)) this.send({ kind: "heartbeat" });
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

  /** Asks for a fresh token. If none comes, the service reminds us again before it closes. A token that is a string cannot be renewed. */
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

  /**
   * The socket is gone: decides how to go on. `said`: the words of the service. `trouble`: our own, where the code does not tell what is wrong.
   * `quick`: retry as for `elsewhere`.
   */
  #dropped(code: number, said = "", trouble?: string, quick?: "elsewhere"): void {
    const { phase } = this.#state;
    if (this.#state.phase === "open" && this.#driver.now() - this.#state.openedAt >= LIVED_MS) {
      this.#backoff.reset();
      this.#renewals = 0;
    }
    const reason = this.#goodbye?.code ?? code;
    const retry = retryOf(reason);
    const words = said && `: ${said}`;
    this.#debug?.(`the connection has ended with ${code}${trouble ? `: ${trouble}` : words}`);
    if (reason === CODE.superseded || code === CODE.superseded) this.#renew();
    else if (reason === CODE.unauthorized && this.#hasAnotherToken) {
      this.#refused = { token: this.#token };
      this.#retry("elsewhere");
    } else if (retry === "never") this.#end(ENDS[reason] ?? "ended", said || `closed with ${code}`);
    else if (this.#goodbye || retry === "elsewhere") this.#sentAway(this.#goodbye?.retryAfterMs);
    else {
      this.#retry(quick ?? retry);
      if (phase !== "open")
        this.#missed(
          trouble ??
            (phase === "opening" ? NO_SOCKET + (this.#driver.watchPage ? OF_PAGES : "") : `closed with ${code} before welcome${words}`),
        );
    }
    const hadJoined = phase === "greeting" || phase === "open";
    if (hadJoined && this.#state.phase !== "closed" && this.#state.phase !== "refused") this.#events.lost();
  }

  /** A refused token may have been an old one, so `token()` is called once more. */
  get #hasAnotherToken(): boolean {
    return typeof this.#options.token === "function" && this.#refused === undefined;
  }

  /** After an orderly goodbye, which is no failure: come back when the service says, else at a random moment. */
  #sentAway(retryAfterMs: Millis = this.#driver.random() * ELSEWHERE_MS): void {
    const now = this.#driver.now();
    if (!this.#goodbyes.take(now)) return this.#retry("backoff", retryAfterMs);
    this.#backoff.sentAway(now + retryAfterMs);
    this.#waitFor(retryAfterMs, this.#goodbye !== undefined);
  }

  /** An attempt failed. The next one asks for the encoding in the other way, unless this way has worked before: then it was a restart. */
  #missed(trouble: string): void {
    this.#failures++;
    this.#nth++;
    const { url: given } = this.#options;
    // Each address of a list is tried in one way before the other way has its turn.
    const isRoundOver = this.#failures % (typeof given === "object" ? given.length : 1) === 0;
    if (isRoundOver && (this.#provenWay === undefined || this.#failures >= FAILURES_REPORTED)) {
      this.#way = this.#way === "subprotocol" ? "query" : "subprotocol";
    }
    if (this.#failures !== FAILURES_REPORTED) return;
    this.#events.failed({ code: "unreachable", message: `cannot reach ${bare(this.#address)}, trying again. ${trouble}` });
  }

  #renew(): void {
    this.#releaseIdentity();
    this.#makeIdentity = renewIdentity;
    if (this.#renewals++ < RENEWALS_AT_ONCE_MAX) this.#waitFor(0, false);
    else this.#retry("backoff");
  }

  #retry(retry: Exclude<Retry, "never">, retryAfterMs: Millis = 0): void {
    this.#waitFor(this.#backoff.delayMs(retry, this.#driver.random(), this.#driver.now(), retryAfterMs), retryAfterMs > 0);
  }

  #waitFor(delayMs: Millis, isImposed: boolean): void {
    const since = this.#driver.now();
    this.#debug?.(`connects again in ${Math.round(delayMs)} ms`);
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
      () => {}, // there is none: `#connect` has reported it
    );
    this.#identity = undefined;
  }
}

/** The rest of the address may hold a secret of the app. */
function bare(address: string): string {
  return address.replace(/[?#].*/, "");
}

const NO_SOCKET = "No connection could be made. Does the service run there, on this path?";
const OF_PAGES =
  " Does it allow this page's origin? Does the page's Content-Security-Policy allow it (connect-src)? See the browser's console";
const NO_TOKEN: PresenceError = { code: "token_failed", message: "no token: token() has given none for 10 s" };
const NO_ANSWER = "No connection was made within 10 s. Does the service run there, and does a firewall let WebSockets pass?";
const NO_WELCOME = "There is a WebSocket, but no welcome came within 10 s. Is that the presence service?";
const HEADER_LOST =
  "A proxy on the way removes the header Sec-WebSocket-Protocol. Let it pass; ?encoding=presence.v2 in the URL, which is tried instead, did not help";
const NO_RANDOM =
  "no session: it takes crypto.getRandomValues (React Native: the package react-native-get-random-values) or a driver with randomBytes";

/** The close codes of which the client makes something, as in the table of the protocol, whose words it has no use for: the service says them. */
const CODE: { readonly [N in "normal" | "lost" | "unresponsive" | "superseded" | "unauthorized"]: (typeof CLOSE)[N]["code"] } = {
  normal: 1000,
  lost: 1006,
  unresponsive: 4001,
  superseded: 4409,
  unauthorized: 4401,
};

type Ends = { readonly [N in "unauthorized" | "kicked" | "abuse" as (typeof CLOSE)[N]["code"]]: N };

/** After these the client does not come back: the code of the `error` event. */
const ENDS: Ends & { readonly [code: number]: PresenceErrorCode } = { 4401: "unauthorized", 4403: "kicked", 4411: "abuse" };
