/**
 * `presence-service doctor`: looks at a configuration the way an instance would use it, and says what is wrong with it. It ends by
 * itself. It is no instance: others do not see it, and all that they hear of it is an announcement, twice, to a board on which nobody is.
 */

import { randomBytes, randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import { type Channel, Channels } from "../bus/bus.ts";
import { encodeRedisMessage } from "../bus/envelope.ts";
import { Signing } from "../bus/signing.ts";
import type { Settings } from "../config.ts";
import { isErrorReply, type RedisConnection } from "../redis/client.ts";
import { explain, type Failure } from "../redis/failure.ts";
import { topologyOf } from "../redis/target.ts";
import type { Topology } from "../redis/topology.ts";
import { inWords, type Place, redisUrlOf } from "../redis/url.ts";
import { redactUrl } from "../telemetry/redact.ts";
import { within } from "../within.ts";
import type { Finding } from "./finding.ts";
import { otherFindings, signingFinding, strangerFindings } from "./other-findings.ts";
import { Others } from "./others.ts";
import { portFinding } from "./port-finding.ts";
import { LEAD_TO_MASTER, limitFindings, otherPrefixes, serverFindings } from "./server-findings.ts";

export type DoctorOptions = {
  readonly settings: Settings;
  /** Sentences about settings that were found and that nothing reads. */
  readonly warnings: readonly string[];
  /** Boards whose channels are to be looked at, beside one that is made up. */
  readonly boards: readonly BoardId[];
};

export type Say = (finding: Finding) => void;

/** A script that waits for the end waits no longer than this, since the process began. */
const TOTAL_MS_MAX = 9500;
/** Boards that doctors make up begin like this. */
const DOCTORS_BOARD = "doctor-";
/** A name is looked up, and a port answers, within this. */
const REACH_MS_MAX = 2000;
/** Six heartbeats of up to 100 instances, and one of 600. */
const LISTEN_MS = 3000;
const ECHOES = 5;
const ECHO_MS_MAX = 1000;

const OVER: Failure = { reason: "done", advice: "" };

/** Says each finding as soon as it is known. */
export async function examine(options: DoctorOptions, say: Say): Promise<void> {
  const { settings, warnings } = options;
  for (const text of warnings) say({ check: "settings", status: "warning", text });
  if (settings.redisUrl === "memory:") {
    const text = "REDIS_URL=memory: an instance alone, which sees nobody else's people; there is no Redis to look at";
    say({ check: "settings", status: "note", text });
    return say(await portFinding(settings));
  }
  say({ check: "settings", status: "ok", text: `valid: ${redactUrl(settings.redisUrl)}, prefix ${settings.redisPrefix}` });
  if (settings.redisSharded)
    say({ check: "settings", status: "note", text: "REDIS_SHARDED is on: of boards only classic pub/sub is tried" });
  say(await portFinding(settings));
  const examination = new Examination(options, say);
  const late = () =>
    say({
      check: "time",
      status: "error",
      text: `not done in ${TOTAL_MS_MAX / 1000} s`,
      advice: "The last line above says how far it came.",
    });
  try {
    // A process that took long to start has still time for what it is asked.
    await within(Math.max(TOTAL_MS_MAX - performance.now(), 2 * LISTEN_MS), examination.run(), late);
  } finally {
    examination.end();
  }
}

class Examination {
  readonly #options: DoctorOptions;
  readonly #say: Say;
  readonly #topology: Topology;
  readonly #channels: Channels;
  readonly #signing: Signing;
  readonly #others: Others;
  readonly #id = randomUUID() as InstanceId;
  /** A board that nobody else names. */
  readonly #board = `${DOCTORS_BOARD}${randomBytes(8).toString("hex")}` as BoardId;
  readonly #open: RedisConnection[] = [];
  #echoed: (() => void) | undefined;

  constructor(options: DoctorOptions, say: Say) {
    const { redisUrl: url, redisTls: tls, redisSentinel: sentinel, redisPrefix, busSecret } = options.settings;
    this.#options = options;
    this.#say = say;
    this.#topology = topologyOf({ url, name: "presence-doctor", tls, sentinel });
    this.#channels = new Channels(redisPrefix);
    this.#signing = new Signing(busSecret);
    this.#others = new Others(new Signing(busSecret));
  }

  end(): void {
    for (const connection of this.#open) connection.end(OVER);
    this.#topology.close();
  }

  async run(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      const failure = await this.#open.find(({ isOver }) => isOver)?.over;
      if (failure === undefined) throw error;
      if (failure !== OVER) this.#say({ check: "connection", status: "error", text: failure.reason, advice: failure.advice });
    }
  }

  async #look(): Promise<void> {
    const place = await this.#locate();
    if (place === undefined || !(await this.#reach(place))) return;
    const links = await this.#logIn(place);
    if (links === undefined) return;
    const { publisher, subscriber, listener } = links;
    const since = performance.now();
    await this.#listen(listener);
    const server = await serverFindings(publisher, this.#topology.mode);
    for (const finding of server) this.#say(finding);
    // On a replica everything seems to work; of a server that is no data server nothing more is worth saying.
    if (server.some(({ status, advice }) => status === "error" && advice !== LEAD_TO_MASTER)) return;
    const mayPublish = await this.#rights(publisher, subscriber);
    for (const finding of await limitFindings(publisher)) this.#say(finding);
    await wait(Math.max(0, LISTEN_MS - (performance.now() - since)));
    // In a Cluster the answer counts the subscribers of one node.
    const isCounted = mayPublish && this.#topology.mode !== "cluster";
    const receivers = isCounted ? await this.#announce(publisher) : undefined;
    const { redisSharded: isSpread, redisPrefix } = this.#options.settings;
    const prefixes = await otherPrefixes(publisher, redisPrefix);
    const listening = { now: performance.now(), receivers, own: OWN_SUBSCRIPTIONS, isSpread, prefixes };
    for (const finding of otherFindings(this.#others, listening)) this.#say(finding);
    for (const finding of strangerFindings(this.#others)) this.#say(finding);
    this.#say(signingFinding(this.#signing));
  }

  async #locate(): Promise<Place | undefined> {
    const { mode, address } = this.#topology;
    const found = await this.#topology.locate("publisher");
    if ("reason" in found) {
      this.#say({ check: mode, status: "error", text: `${address}: ${found.reason}`, advice: found.advice });
      return undefined;
    }
    if (mode !== "standalone") this.#say({ check: mode, status: "ok", text: `${address}: it is at ${inWords(found)}` });
    return found;
  }

  /** Looks the name up, and whether anything listens there. */
  async #reach({ host, port }: Place): Promise<boolean> {
    const at = inWords({ host, port });
    const fail = ({ reason, advice }: Failure) => {
      this.#say({ check: "address", status: "error", text: `${at}: ${reason}`, advice });
      return false;
    };
    try {
      const late = () => {
        throw Object.assign(new Error(`no answer to the look-up of ${host} in ${REACH_MS_MAX / 1000} s`), { code: "EAI_AGAIN" });
      };
      const found = await within(REACH_MS_MAX, lookup(host, { all: true }), late);
      const startedAt = performance.now();
      await tcp(host, port);
      const ms = performance.now() - startedAt;
      const addresses = found.map(({ address }) => address).filter((address) => address !== host);
      const names = addresses.length > 0 ? `${host} is ${addresses.slice(0, 4).join(", ")}; ` : "";
      this.#say({ check: "address", status: "ok", text: `${names}${at} answers in ${ms.toFixed(1)} ms` });
      return true;
    } catch (error) {
      return fail(explain(error));
    }
  }

  /** Opens the two connections of an instance, and one to listen. */
  async #logIn(place: Place) {
    const { dialer } = this.#topology;
    const url = redisUrlOf(this.#options.settings.redisUrl);
    const elsewhere = await this.#topology.locate("subscriber");
    const second = "host" in elsewhere ? elsewhere : place;
    const publisher = dialer.open(place, "publisher", () => {});
    const subscriber = dialer.open(second, "subscriber", () => this.#echoed?.());
    const listener = dialer.open(second, "listener", (channel, bytes) => {
      // The probes of doctors are nobody's messages.
      if (!this.#channels.boardOf(channel)?.startsWith(DOCTORS_BOARD)) this.#others.hear(channel, bytes, performance.now());
    });
    this.#open.push(publisher, subscriber, listener);
    await Promise.all(this.#open.map(({ opened }) => opened));
    const lost = this.#open.find(({ isOver }) => isOver);
    const failure = await lost?.over;
    if (failure === OVER) return undefined;
    const isTls = url?.isTls === true;
    const isTlsFailure = isTls && failure !== undefined && /TLS|certificate/i.test(failure.reason);
    if (isTlsFailure) this.#say({ check: "tls", status: "error", text: failure.reason, advice: failure.advice });
    else if (isTls) this.#say({ check: "tls", status: "ok", text: "its certificate is accepted" });
    else if (failure === undefined) this.#say(unencrypted(place));
    if (failure !== undefined) {
      if (!isTlsFailure) this.#say({ check: "login", status: "error", text: failure.reason, advice: failure.advice });
      return undefined;
    }
    const isUserGiven = url?.username !== undefined;
    const text = isUserGiven
      ? "with user and password of REDIS_URL"
      : url?.password !== undefined
        ? "with the password of REDIS_URL"
        : "without a password";
    this.#say({ check: "login", status: "ok", text });
    return { publisher, subscriber, listener };
  }

  /** Everything on the channels of the prefix, or, without the right to that, on those that an instance would listen to. */
  async #listen(listener: RedisConnection): Promise<void> {
    const channels = [this.#channels.global, ...this.#options.boards.map((board) => this.#channels.board(board))];
    try {
      await listener.watch(`${this.#options.settings.redisPrefix}:*`);
    } catch {
      // `#rights` says what is refused.
      for (const channel of channels) await listener.subscribe([channel]).catch(() => {});
    }
  }

  /** Does what an instance does. Answers whether it may speak to all instances. */
  async #rights(publisher: RedisConnection, subscriber: RedisConnection): Promise<boolean> {
    const trial = this.#channels.board(this.#board);
    const boards = this.#options.boards.map((board) => this.#channels.board(board));
    const granted: string[] = [];
    let areAllGranted = true;
    const attempt = async (right: string, channel: Channel | undefined, act: () => Promise<unknown>): Promise<boolean> => {
      const rule =
        channel === undefined ? `+${right}` : `+${right} &${channel === trial ? `${this.#options.settings.redisPrefix}:*` : channel}`;
      try {
        await act();
        granted.push(right);
        return true;
      } catch (error) {
        if (this.#open.some(({ isOver }) => isOver)) throw error;
        areAllGranted = false;
        const { reason, advice } = explain(error);
        const shown = channel === trial ? `${channel} (a board that was made up)` : channel;
        const isMissing = isErrorReply(error) && error.message.startsWith("NOPERM");
        this.#say({
          check: "rights",
          status: channel === undefined ? "warning" : "error",
          text: `${right}${shown === undefined ? "" : ` on ${shown}`}: ${reason}`,
          advice: isMissing ? `Give the user of REDIS_URL this right: ACL SETUSER … ${rule}` : advice,
        });
        return false;
      }
    };
    let mayHear = true;
    for (const channel of [this.#channels.global, ...boards, trial]) {
      const may = await attempt("subscribe", channel, () => subscriber.subscribe([channel]));
      if (channel === trial) mayHear = may;
    }
    // Of a board in use only the subscription is tried: its people would be asked about nothing.
    const mayTry = await attempt("publish", trial, () => publisher.publish(trial, this.#probe()));
    const mayAnnounce = await attempt("publish", this.#channels.global, () => this.#announce(publisher));
    await attempt("ping", undefined, () => publisher.healthCheck());
    if (mayHear && mayTry) await this.#echo(publisher);
    await attempt("unsubscribe", undefined, () => subscriber.unsubscribe([trial]));
    if (areAllGranted) {
      this.#say({
        check: "rights",
        status: "ok",
        text: `${[...new Set(granted)].join(", ")} on the channels of ${this.#options.settings.redisPrefix}`,
      });
    }
    return mayAnnounce;
  }

  /** Whether own messages come back, and how fast. */
  async #echo(publisher: RedisConnection): Promise<void> {
    const channel = this.#channels.board(this.#board);
    const times: Millis[] = [];
    for (let nth = 0; nth < ECHOES; nth++) {
      const startedAt = performance.now();
      const back = new Promise<boolean>((resolve) => {
        this.#echoed = () => resolve(true);
      });
      await publisher.publish(channel, this.#probe()).catch(() => {});
      if (!(await within(ECHO_MS_MAX, back, () => false))) {
        const text = `an own message did not come back within ${ECHO_MS_MAX / 1000} s, though Redis took it and confirmed the subscription`;
        const advice =
          "Do both connections lead to the same server? A proxy between may spread them. In a Cluster, look at the links between its nodes.";
        return this.#say({ check: "echo", status: "error", text, advice });
      }
      times.push(performance.now() - startedAt);
    }
    const median = times.sort((a, b) => a - b)[ECHOES >> 1] ?? 0;
    const isSlow = median > SLOW_ECHO_MS;
    const text = `own messages come back after ${median.toFixed(1)} ms (median of ${ECHOES})`;
    const advice =
      "People see each other's cursors so much later: put Redis near the instances, and look at its load (redis-cli --latency).";
    this.#say(isSlow ? { check: "echo", status: "warning", text, advice } : { check: "echo", status: "ok", text });
  }

  #probe(): Uint8Array {
    return this.#signing.sign(this.#channels.board(this.#board), randomBytes(16));
  }

  /** Answers how many subscribers of the global channel it reached, our own included. */
  #announce(publisher: RedisConnection): Promise<number> {
    const { global } = this.#channels;
    const message = { kind: "announcement", text: "", boardId: this.#board } as const;
    return publisher.publish(global, this.#signing.sign(global, encodeRedisMessage({ from: this.#id, link: 1, message })));
  }
}

const SLOW_ECHO_MS = 50;
/** Of the global channel: by name, and in order to listen. */
const OWN_SUBSCRIPTIONS = 2;

function unencrypted({ host }: Place): Finding {
  const isLocal = /^(?:localhost|127\.|::1$)/.test(host);
  const text = "none: redis:// is not encrypted";
  return { check: "tls", status: "note", text: isLocal ? `${text}, which is fine on one machine` : `${text}; rediss:// is` };
}

/** Rejects with an error of the system, or in time. */
function tcp(host: string, port: number): Promise<void> {
  const socket = connect({ host, port });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const late = () => {
    throw Object.assign(new Error(`no answer in ${REACH_MS_MAX / 1000} s`), { code: "ETIMEDOUT" });
  };
  return within(REACH_MS_MAX, connected, late).finally(() => socket.destroy());
}
