/**
 * Events at this instance, for its operators: counted in the metrics and told in the log. The sentences of the log about clients,
 * other instances and Redis are all here; a sentence that may come by the thousand is written once in ten seconds. It decides nothing.
 */

import { type BoardId, CLOSE, type CloseReason, type ErrorCode, type Millis } from "@presence-service/protocol";
import { BusRefused, type Cause, type Channel, type FailedAttempt, type Link } from "../bus/bus.ts";
import type { Distrust } from "../bus/signing.ts";
import { messageInWords } from "../bus/words.ts";
import { assertNever } from "../core/assert-never.ts";
import type { ConnectionId, Counted, DegradedWhy, Effect, RosterChange } from "../core/effects.ts";
import type { BusMessage, Kick } from "../core/messages.ts";
import type { Encoding } from "../speech/speech.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

const EVERY_MS = 10_000;
/** For sentences that an outage of hours repeats. */
const RARELY_MS = 60_000;
/** Ends that no well-behaved client comes to. */
const NOTEWORTHY: ReadonlySet<number> = new Set(
  [CLOSE.tooBig, CLOSE.slowReader, CLOSE.helloTimeout, CLOSE.abuse, CLOSE.unauthorized].map(({ code }) => code),
);

const RECYCLED = {
  unanswered: "Redis does not answer on this connection: replacing it",
  unechoed: "own messages do not come back through this connection to Redis: replacing it",
  unheard:
    "no other instance acknowledges this one, or all others are gone: replacing the publishing connection, in case this instance is the one that is cut off",
};

const DEGRADED: Record<DegradedWhy | "unsigned", string> = {
  unechoed:
    "degraded: own messages do not come back through Redis, so the people on this instance see only each other. It connects anew by itself; `presence-service doctor` looks for the cause",
  unsigned:
    "degraded: no other instance hears this one, though they are heard. They sign what they say and this one does not: give it their BUS_SECRET",
  unheard:
    "degraded: this instance hears others, but none hears it, and connecting anew does not help. Is REDIS_URL the address of a replica (a reader endpoint)? It must lead to the master",
};

const DISTRUSTED: Record<Distrust, string> = {
  unsigned:
    "ignored a message without a signature: from an instance without BUS_SECRET, or from somebody else who may publish on this Redis. docs/OPERATIONS.md says how to set BUS_SECRET while instances run",
  signature:
    "ignored a message that is signed with another secret: from an instance with another BUS_SECRET, or from somebody who does not know ours",
  stale:
    "ignored a message whose signature is right but which is too old: Redis or this process stalled, the clock of an instance that has just started is wrong (that passes within a second), or somebody repeats what was said",
};

const SPREADS =
  "another instance has REDIS_SHARDED=on and this one has not: on boards neither hears the other, so their people do not see each other. It must be the same at all instances";
const SPREADS_NOT =
  "another instance has not REDIS_SHARDED=on, as this one has: on boards neither hears the other, so their people do not see each other. It must be the same at all instances";

const PEER = {
  up: "another instance is up",
  suspect: "another instance is silent",
  down: "another instance was silent for too long: its people leave the rosters here",
  left: "another instance has left",
};

const REFUSED: Record<Act, string> = {
  subscribe:
    "Redis refuses a subscription: on that channel this instance hears no other one. It is tried again; a new connection would not help",
  publish:
    "Redis refuses what this instance publishes: on that channel no other instance hears it. It is tried again; a new connection would not help",
};

/** The acts that Redis may refuse. */
export type Act = "subscribe" | "publish";

export class Journal {
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #warn: ReturnType<typeof rateLimited>;
  readonly #inform: ReturnType<typeof rateLimited>;
  readonly #warnRarely: ReturnType<typeof rateLimited>;
  readonly #informRarely: ReturnType<typeof rateLimited>;
  /** The servers of the last connections. */
  readonly #at: Record<Link, string | undefined> = { publisher: undefined, subscriber: undefined };

  constructor(metrics: Metrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
    this.#warn = rateLimited(log.warn.bind(log), EVERY_MS);
    this.#inform = rateLimited(log.info.bind(log), EVERY_MS);
    this.#warnRarely = rateLimited(log.warn.bind(log), RARELY_MS);
    this.#informRarely = rateLimited(log.info.bind(log), RARELY_MS);
  }

  // Clients.

  opened(connection: ConnectionId, encoding: Encoding): void {
    this.#metrics.connections[encoding]++;
    this.#debug({ connection, encoding }, "connected");
  }

  ended(connection: ConnectionId, encoding: Encoding, { code, meaning }: CloseReason, graceMs: Millis): void {
    this.#metrics.connections[encoding]--;
    this.#debug({ connection, code, reason: meaning, graceMs }, "disconnected");
  }

  /** This instance closes a connection. */
  closes({ code, meaning }: CloseReason): void {
    this.#metrics.closes[`${code}` as keyof Metrics["closes"]]++;
    if (NOTEWORTHY.has(code)) this.#warn({ code }, `closing clients: ${meaning}`);
  }

  /** A message of a client is refused; `ref` is as in the error. */
  refuses(connection: ConnectionId, code: ErrorCode, ref: string | undefined): void {
    this.#metrics.clientRejected[code]++;
    this.#debug({ connection, code, ref }, "refused a message");
  }

  kicked({ whom, boardId, reason }: Kick): void {
    this.#log.info(
      { ...whom, ...(boardId !== undefined && { board: boardId }), ...(reason !== "" && { reason }) },
      "kicked by an operator",
    );
  }

  changed(boardId: BoardId, change: RosterChange): void {
    if (this.#isWordy()) this.#log.debug({ board: boardId, actor: change.actor }, changeInWords(change));
  }

  // Other instances.

  judged({ instanceId, state, isProven }: Extract<Effect, { kind: "peer" }>): void {
    // A stranger may not exist: names that somebody makes up get neither a log line each nor a count.
    if (!isProven) return this.#debug({ peer: instanceId }, `a stranger: ${PEER[state]}`);
    if (state === "suspect") this.#metrics.suspects++;
    if (state === "down") this.#metrics.downs++;
    const isWell = state === "up" || state === "left";
    this.#log[isWell ? "info" : "warn"]({ peer: instanceId }, PEER[state]);
  }

  /** `trouble`: the cause, in words, where Redis refuses something or there is no connection. */
  degraded(on: boolean, why: DegradedWhy | "unsigned" | undefined, redis: string, trouble: string | undefined): void {
    this.#metrics.degraded = on ? 1 : 0;
    this.#metrics.unheard = why === "unheard" || why === "unsigned" ? 1 : 0;
    if (on) this.#log.warn({ redis, ...(trouble !== undefined && { reason: trouble }) }, DEGRADED[why ?? "unechoed"]);
    else this.#log.info("no longer degraded: other instances are within reach again");
  }

  /** `boards`: so many are degraded now. `isExplained`: the log says already what Redis refuses, with the channel and the missing right. */
  boardDegraded(board: BoardId, on: boolean, boards: number, isExplained: boolean): void {
    // The last one is always said: an operator who was warned has to read that it is over.
    if (!on && boards === 0) this.#log.info({ board }, "no board is degraded any more: other instances are heard on all of them");
    else if (!on) this.#inform({ board, boards }, "a board is no longer degraded: other instances are heard there again");
    else if (!isExplained)
      this.#warn(
        { board, boards },
        "degraded on a board: own messages do not come back there, though a new subscription was confirmed and Redis refuses nothing. Something between here and Redis loses them: `presence-service doctor --board <id>` looks",
      );
  }

  echoed(ms: Millis | undefined): void {
    this.#metrics.echoes++;
    if (ms !== undefined) this.#metrics.echoSeconds.observe(ms / 1000);
  }

  counted(what: Counted): void {
    switch (what) {
      case "ask":
        this.#metrics.asks++;
        return;
      case "replay":
        this.#metrics.replays++;
        return;
      case "resync":
        this.#metrics.resyncs++;
        return;
      case "divergence":
        this.#metrics.divergences++;
        return this.#warn(
          {},
          "the members held of another instance differ from what that instance says; they are asked for again. Please report this",
        );
      case "old_link":
        this.#metrics.busDropped.old_link++;
        return;
      case "forged":
        this.#metrics.busDropped.foreign++;
        return this.#warn({}, "somebody else publishes in the name of this instance: keep Redis private, and change REDIS_PREFIX");
      case "mute":
        return; // `recycled` says it
      default:
        return assertNever(what);
    }
  }

  measured(measured: Extract<Effect, { kind: "measured" }>): void {
    const seconds = measured.ms / 1000;
    switch (measured.what) {
      case "ghost":
        return this.#metrics.ghostSeconds.observe({ cause: measured.cause }, seconds);
      case "false_leave":
        return this.#metrics.falseLeaveSeconds.observe({ how: measured.how }, seconds);
      case "blind":
        return this.#metrics.blindSeconds.observe({ scope: measured.scope }, seconds);
      case "join":
        return this.#metrics.joinSeconds.observe(seconds);
      default:
        return assertNever(measured);
    }
  }

  // Redis.

  subscribes(act: "subscribe" | "unsubscribe" | "resubscribe", board: BoardId): void {
    this.#debug({ board }, act);
  }

  recycled({ link, why }: Extract<Effect, { kind: "recycle" }>): void {
    this.#metrics.recycles[link]++;
    const tell = why === "unheard" ? this.#informRarely : this.#warnRarely;
    tell({ link }, RECYCLED[why]);
  }

  linkUp(link: Link, number: number, at: string | undefined): void {
    this.#metrics.linkUp[link] = 1;
    this.#metrics.connects[link]++;
    if (number > 1 && at !== this.#at[link]) this.#metrics.moves[link]++;
    this.#at[link] = at;
    if (number > 1) this.#log.info({ link, at, connection: number }, "connected to Redis again");
    else this.#debug({ link, at }, "connected to Redis");
  }

  linkDown(link: Link, reason: string): void {
    this.#metrics.linkUp[link] = 0;
    // When this instance itself drops a connection, it has logged the reason before.
    if (reason === "recycled") this.#debug({ link }, "dropped a connection to Redis");
    else this.#log.warn({ link, reason }, "lost a connection to Redis; trying again");
  }

  attemptFailed({ retryMs, ...attempt }: FailedAttempt, isStarting: boolean): void {
    // The start lasts seconds, and a person may watch it: then each failure is logged. Later an outage may last for hours.
    const warn = isStarting ? this.#log.warn.bind(this.#log) : this.#warnRarely;
    warn({ ...attempt, retryMs: Math.round(retryMs) }, "cannot connect to Redis; trying again");
  }

  /** `channels`: so many are refused now. `isSaid`: not only counted. */
  redisRefuses(act: Act, channel: Channel, channels: number, { reason, advice }: Cause, isSaid: boolean): void {
    this.#metrics.refusals[act]++;
    if (!isSaid) return;
    // The missing right, as ACL SETUSER takes it.
    const right = reason.includes("NOPERM") ? { right: `+${act} &${channel}` } : undefined;
    this.#warn({ channel, channels, reason, ...right, advice }, REFUSED[act]);
  }

  /** The same for the channel of an instance for moves, without which everything works. It is a sentence of its own, so that it hides no other one. */
  movesRefused(act: Act, channel: Channel, { reason, advice }: Cause, isSaid: boolean): void {
    this.#metrics.refusals[act]++;
    if (!isSaid) return;
    const right = reason.includes("NOPERM") ? { right: `+${act} &${channel}` } : undefined;
    this.#warn(
      { channel, reason, ...right, advice },
      "Redis refuses the channel on which one instance is told of moves: they go over the channels of boards, which works as well and costs more",
    );
  }

  /** So many channels are affected. */
  redisLost(channels: number, { reason, advice }: Cause): void {
    this.#log.warn({ channels, reason, advice }, "a node of the Cluster is out of reach: on these channels no other instance is heard");
  }

  publishFailed(error: unknown): void {
    this.#metrics.publishFailures++;
    // `redisRefuses` says it, with the channel.
    if (error instanceof BusRefused) return;
    this.#warn(
      { reason: error instanceof Error ? error.message : String(error) },
      "publishing failed: other instances did not get this message, and ask later for what they lack",
    );
  }

  publishes(channel: Channel, message: BusMessage): void {
    if (this.#isWordy()) this.#log.debug({ channel }, `publish: ${messageInWords(message)}`);
  }

  /** Moves of so many boards, for one instance. */
  tells(channel: Channel, boards: number): void {
    if (this.#isWordy()) this.#log.debug({ channel }, `publish: moves of boards: ${boards}`);
  }

  /** `from` undefined: an own message came back. */
  heard(channel: Channel, from: string | undefined, message: BusMessage): void {
    if (this.#isWordy()) this.#log.debug({ channel }, `${from === undefined ? "own echo" : `heard ${from}`}: ${messageInWords(message)}`);
  }

  /** `claimed`: the instance that the message says it is from, proved by nothing. */
  distrusted(channel: Channel, bytes: number, why: Distrust, claimed: string | undefined): void {
    this.#metrics.busDropped[why]++;
    this.#warn({ channel, bytes, claimed }, DISTRUSTED[why]);
  }

  othersSign(claimed: string | undefined): void {
    this.#warn(
      { peer: claimed },
      "other instances sign what they say, and this one has no BUS_SECRET: it believes everybody, and those that demand signatures ignore it. Give it the same secret",
    );
  }

  isApart(peer: string, spread: boolean): void {
    this.#warnRarely({ peer }, spread ? SPREADS : SPREADS_NOT);
  }

  ignored(channel: Channel, bytes: number, why: "foreign" | "invalid" | "version"): void {
    this.#metrics.busDropped[why]++;
    if (this.#isWordy()) this.#log.debug({ channel, bytes }, `ignored a message that is ${why}`);
  }

  #isWordy(): boolean {
    return this.#log.isLevelEnabled?.("debug") !== false;
  }

  #debug(fields: object, words: string): void {
    if (this.#isWordy()) this.#log.debug(fields, words);
  }
}

function changeInWords(change: RosterChange): string {
  switch (change.change) {
    case "joined":
      return `"${change.member.username}" joins`;
    case "updated":
      return `"${change.member.username}" changes ${Object.keys(change.patch).join(" and ")}`;
    case "left":
      return `leaves (${change.reason})`;
  }
}
