/**
 * `presence-service tap`: shows what instances say to each other, a line for each message. It listens and says nothing, so no instance
 * notices it. Names, states and what people write are shown only if asked for.
 */

import { setTimeout as wait } from "node:timers/promises";
import { BOARD_ID_BYTES_MAX, type BoardId } from "@presence-service/protocol";
import { type Channel, Channels } from "../bus/bus.ts";
import { decodeRedisMessage } from "../bus/envelope.ts";
import { type Checked, claimedSender, SIGNED_BYTES, Signing } from "../bus/signing.ts";
import { messageInWords } from "../bus/words.ts";
import type { Settings } from "../config.ts";
import type { BusMessage } from "../core/messages.ts";
import { PresenceError } from "../errors.ts";
import { isErrorReply, type RedisConnection } from "../redis/client.ts";
import { explain } from "../redis/failure.ts";
import { topologyOf } from "../redis/target.ts";
import { inWords } from "../redis/url.ts";
import { escapeUnprintable } from "../telemetry/redact.ts";

export type TapOptions = {
  readonly settings: Settings;
  /** Empty: all. */
  readonly boards: readonly BoardId[];
  readonly kinds: readonly string[];
  /** The beginning of an instance's id; empty: all. */
  readonly instance: string;
  readonly isJson: boolean;
  /** Shows names, users, states and data. */
  readonly withContent: boolean;
};

export type TapOutput = {
  /** Takes a line of output with its end. false: it is behind, and the next lines are left out until it is not. */
  readonly write: (line: string) => boolean;
  /** Takes a sentence about the tap itself. */
  readonly tell: (sentence: string) => void;
  readonly signal: AbortSignal;
};

const RETRY_MS = 500;
const BOARD_WIDTH = 12;
const KIND_WIDTH = 12;

/** Goes on across reconnects until the signal aborts. Rejects if Redis refuses to let it listen. */
export async function tap(options: TapOptions, { write, tell, signal }: TapOutput): Promise<void> {
  const { settings } = options;
  if (settings.redisUrl === "memory:") throw new PresenceError("BAD_SETTINGS", "REDIS_URL=memory: there is no bus to listen to");
  const topology = topologyOf({ url: settings.redisUrl, name: "presence-tap", tls: settings.redisTls, sentinel: settings.redisSentinel });
  const show = new Shower(options);
  let skipped = 0;
  const take = (channel: Channel, bytes: Uint8Array) => {
    const line = show.line(channel, bytes, new Date());
    if (line === undefined) return;
    if (write(line)) skipped = 0;
    else if (skipped++ === 0) tell("the reader of this output is too slow: lines are left out");
  };
  let connection: RedisConnection | undefined;
  const stop = () => connection?.end({ reason: "stopped", advice: "" });
  signal.addEventListener("abort", stop);
  let said = "";
  try {
    while (!signal.aborted) {
      const place = await topology.locate("subscriber");
      let reason: string;
      if ("reason" in place) reason = place.reason;
      else {
        const opened = topology.dialer.open(place, "tap", take);
        connection = opened;
        await opened.opened;
        if (!opened.isOver && !signal.aborted) {
          await listen(opened, options, tell);
          tell(`listening at ${inWords(place)}`);
          said = "";
        }
        if (signal.aborted) stop();
        ({ reason } = await opened.over);
      }
      if (signal.aborted) return;
      // An outage of hours is told once.
      if (reason !== said) tell(`no connection to ${topology.address}: ${reason}; trying again`);
      said = reason;
      await wait(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    topology.close();
  }
}

async function listen(connection: RedisConnection, { settings, boards }: TapOptions, tell: TapOutput["tell"]): Promise<void> {
  const channels = new Channels(settings.redisPrefix);
  if (settings.redisSharded) tell("REDIS_SHARDED is on: messages on boards pass through single nodes, and are not shown");
  try {
    if (boards.length > 0) return await connection.subscribe(boards.map((board) => channels.board(board)));
    return await connection.watch(`${settings.redisPrefix}:*`);
  } catch (error) {
    if (!isErrorReply(error)) return;
    const { reason } = explain(error);
    const rights = `ACL SETUSER … +psubscribe +subscribe &${settings.redisPrefix}:*`;
    if (boards.length > 0) throw new PresenceError("BUS_REFUSED", `Redis does not let this user listen: ${reason}. Give it ${rights}`);
    tell(`may not listen to all channels: ${reason}. Showing ${channels.global} only; --board names others, or give the user ${rights}`);
    await connection.subscribe([channels.global]).catch((error) => {
      if (isErrorReply(error))
        throw new PresenceError("BUS_REFUSED", `Redis does not let this user listen: ${explain(error).reason}. Give it ${rights}`);
    });
  }
}

/** Turns bytes into lines, and leaves out those that were not asked for. */
export class Shower {
  readonly #options: TapOptions;
  readonly #channels: Channels;
  readonly #signing: Signing;

  constructor(options: TapOptions) {
    this.#options = options;
    this.#channels = new Channels(options.settings.redisPrefix);
    this.#signing = new Signing(options.settings.busSecret);
  }

  line(channel: Channel, received: Uint8Array, at: Date): string | undefined {
    const { kinds, instance, isJson, withContent } = this.#options;
    const checked = this.#signing.check(channel, received);
    const { from, link, message, ignored } = read(checked, received);
    const kind = message?.kind ?? ignored ?? "unknown";
    if (kinds.length > 0 && !kinds.includes(kind)) return undefined;
    if (instance !== "" && !(from ?? "").startsWith(instance)) return undefined;
    const board = this.#channels.boardOf(channel);
    const size = received.length;
    if (isJson) {
      const signature = signatureOf(checked, this.#signing.isOn);
      const words = message && messageInWords(message, !withContent);
      const content = withContent && message !== undefined ? { message } : {};
      return `${JSON.stringify({ at, channel, board, from, link, kind, bytes: size, signature, words, ...content })}\n`;
    }
    const words =
      message === undefined ? ignoredInWords(kind) : messageInWords(message, !withContent).replace(new RegExp(`^${kind} ?`), "");
    const content = withContent && message !== undefined ? ` ${JSON.stringify(message)}` : "";
    const where = (board === undefined ? channel.slice(this.#options.settings.redisPrefix.length + 1) : `board ${board}`)
      .slice(0, BOARD_ID_BYTES_MAX)
      .padEnd(BOARD_WIDTH);
    const who = (from ?? "?").slice(0, 8).padEnd(8);
    const wrong = checked.ok ? (checked.isSigned || !this.#signing.isOn ? "" : "UNSIGNED ") : `${WRONG[checked.why]} `;
    const line = `${timeOf(at)} ${where} ${who} ${kind.padEnd(KIND_WIDTH)} ${String(size).padStart(5)} B  ${wrong}${words}${content}`;
    return `${escapeUnprintable(line.trimEnd())}\n`;
  }
}

const WRONG = { unsigned: "UNSIGNED", signature: "WRONG SIGNATURE", stale: "STALE" };

type Read = {
  /** By the message's own account. */
  readonly from?: string | undefined;
  readonly link?: number;
  readonly message?: BusMessage;
  /** Why it cannot be read. */
  readonly ignored?: string;
};

/** A message that an instance would not take is shown all the same: who listens wants to know what it says. */
function read(checked: Checked, received: Uint8Array): Read {
  const isPacked = !checked.ok && checked.why !== "unsigned";
  const bytes = checked.ok ? checked.bytes : isPacked ? received.subarray(SIGNED_BYTES) : received;
  const decoded = decodeRedisMessage(bytes);
  if (decoded.ok) return decoded.value;
  return { ignored: decoded.why, ...(decoded.why !== "foreign" && { from: claimedSender(received) }) };
}

/** For scripts: how an instance with these settings would judge it. */
function signatureOf(checked: Checked, isOn: boolean): string {
  if (!checked.ok) return checked.why === "signature" ? "wrong" : checked.why;
  if (!checked.isSigned) return isOn ? "unsigned, taken" : "none";
  return isOn ? "right" : "not checked";
}

function ignoredInWords(why: string): string {
  if (why === "foreign") return "not ours: no message of an instance begins like this";
  return why === "version" ? "of another release" : "broken";
}

/** UTC, as the log. */
function timeOf(at: Date): string {
  return at.toISOString().slice(11, 23);
}
