/**
 * The manager's line to the bus: turns messages of the core into bytes and back, and counts them.
 * A publish that fails is counted and forgotten, since every rule of the core expects that; nothing is kept for later.
 */

import type { BoardId, InstanceId } from "@presence-service/protocol";
import { type Bus, BusRefused, type Cause, type Channel, type Channels } from "../bus/bus.ts";
import { decodeRedisMessage, encodeRedisMessage, type RedisMessage } from "../bus/envelope.ts";
import type { Announcement, BusMessage, Kick } from "../core/messages.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Journal } from "./journal.ts";

export type BusLineOptions = {
  readonly instanceId: InstanceId;
  readonly channels: Channels;
  readonly metrics: Metrics;
  readonly journal: Journal;
  /** A message for that board was taken, and reached so many subscribers. Not called for cursors. `boardId` undefined: the global channel. */
  readonly published: (boardId: BoardId | undefined, receivers: number | undefined) => void;
  /** Redis answered a message for that board with an error. Not called for cursors. */
  readonly refused: (boardId: BoardId | undefined, why: Cause) => void;
};

export class BusLine {
  readonly #options: BusLineOptions;
  readonly #bus: Bus;

  constructor(bus: Bus, options: BusLineOptions) {
    this.#bus = bus;
    this.#options = options;
  }

  /** Answers how many bytes the message takes. `boardId` undefined: the global channel. */
  publish(boardId: BoardId | undefined, message: BusMessage): number {
    const { channels, metrics, published, refused } = this.#options;
    const bytes = this.#encode(message);
    const taken = this.#hand(boardId === undefined ? channels.global : channels.board(boardId), message, bytes);
    // Most messages are cursors, and it does not matter how many subscribers they reach: so they get no closure each.
    if (message.kind === "cursors") taken.then(this.#cursorsTaken, this.#failed);
    else {
      taken.then(
        (receivers) => {
          metrics.published[message.kind]++;
          published(boardId, receivers);
        },
        (error) => {
          this.#failed(error);
          if (error instanceof BusRefused) refused(boardId, error.why);
        },
      );
    }
    return bytes.length;
  }

  /** Publishes a message of the host to all instances. Rejects if the bus did not take it, or may not have, so that the host knows. */
  async tell(message: Kick | Announcement): Promise<void> {
    const { channels, metrics } = this.#options;
    const taken = this.#hand(channels.global, message, this.#encode(message));
    taken.catch(this.#failed);
    await taken;
    metrics.published[message.kind]++;
  }

  #encode(message: BusMessage): Uint8Array {
    return encodeRedisMessage({ from: this.#options.instanceId, link: this.#bus.publisherLink, message });
  }

  #hand(channel: Channel, message: BusMessage, bytes: Uint8Array): Promise<number | undefined> {
    this.#options.metrics.busBytes.out += bytes.length;
    this.#options.journal.publishes(channel, message);
    return this.#bus.publish(channel, bytes);
  }

  /** The message that came in on that channel; undefined: it is of no use to this instance. */
  read(channel: Channel, bytes: Uint8Array): (RedisMessage & { readonly boardId: BoardId | undefined }) | undefined {
    const { instanceId, channels, metrics, journal } = this.#options;
    metrics.busBytes.in += bytes.length;
    const decoded = decodeRedisMessage(bytes);
    if (!decoded.ok) {
      journal.ignored(channel, bytes.length, decoded.why);
      return undefined;
    }
    const { from, message } = decoded.value;
    if (from !== instanceId) metrics.received[message.kind]++;
    journal.heard(channel, from === instanceId ? undefined : from, message);
    return { ...decoded.value, boardId: channels.boardOf(channel) };
  }

  readonly #cursorsTaken = () => {
    this.#options.metrics.published.cursors++;
  };

  readonly #failed = (error: unknown) => this.#options.journal.publishFailed(error);
}
