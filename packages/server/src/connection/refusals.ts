/**
 * The refusals of Redis at present, with their causes: for the log, the metrics and the health page. The core decides which boards are
 * out of reach and which clients are told. Channels are named in the log and nowhere else, as they hold the names of boards.
 */

import type { BoardId } from "@presence-service/protocol";
import type { Cause, Channels } from "../bus/bus.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export type Act = "subscribe" | "publish";

const WARN_EVERY_MS = 10_000;
const WORDS: Record<Act, string> = {
  subscribe:
    "Redis refuses a subscription: on that channel nobody of another instance is heard. It is tried again; a new connection would not help",
  publish:
    "Redis refuses what this instance publishes: on that channel no other instance hears it. It is tried again; a new connection would not help",
};

export class Refusals {
  readonly #channels: Channels;
  readonly #metrics: Metrics;
  readonly #warn: ReturnType<typeof rateLimited>;
  readonly #refused: Record<Act, Map<BoardId | undefined, Cause>> = { subscribe: new Map(), publish: new Map() };

  constructor({ channels, metrics, log }: { readonly channels: Channels; readonly metrics: Metrics; readonly log: Logger }) {
    this.#channels = channels;
    this.#metrics = metrics;
    this.#warn = rateLimited(log.warn.bind(log), WARN_EVERY_MS);
  }

  /** `boardId` undefined, here and below: the global channel. */
  refused(act: Act, boardId: BoardId | undefined, { reason, gist, advice }: Cause): void {
    this.#metrics.refusals[act]++;
    const channel = boardId === undefined ? this.#channels.global : this.#channels.board(boardId);
    const channels = this.#refused[act].set(boardId, { reason, gist, advice }).size;
    // The missing right, as ACL SETUSER takes it.
    const right = reason.includes("NOPERM") ? { right: `+${act} &${channel}` } : undefined;
    this.#warn({ channel, channels, reason, ...right, advice }, WORDS[act]);
  }

  granted(act: Act, boardId: BoardId | undefined): void {
    this.#refused[act].delete(boardId);
  }

  /** This instance has left the board: its refusals do not matter any more. */
  forget(boardId: BoardId): void {
    for (const refused of Object.values(this.#refused)) refused.delete(boardId);
  }

  /** A sentence or two that name neither channels nor users; undefined: nothing is refused. */
  inWords(): string | undefined {
    for (const [act, refused] of Object.entries(this.#refused)) {
      const [cause] = refused.values();
      if (cause !== undefined) return `Redis refuses to ${act}: ${cause.gist}. ${cause.advice}`;
    }
    return undefined;
  }
}
