/**
 * The only file that knows the Redis driver. It opens single connections and says when one is lost; it never reconnects by
 * itself, queues nothing while down and restores nothing: a link is one connection, and pubsub.ts decides about the next.
 */

import type { Millis } from "@presence-service/protocol";
import { createClient } from "@redis/client";

export type RedisTarget = {
  /** `redis://` or `rediss://`, credentials included: never log it, log `address`. */
  readonly url: string;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
};

export type MessageListener = (message: Buffer, channel: string) => void;

/** A local Redis connects in 1 ms, one across a continent in 0.3 s; what takes longer is as good as down for presence. */
const CONNECT_TIMEOUT_MS = 2000;

export class RedisClient {
  readonly #target: RedisTarget;
  /** Host and port, without credentials. */
  readonly address: string;

  constructor(target: RedisTarget) {
    this.#target = target;
    const url = new URL(target.url);
    this.address = `${url.hostname || "localhost"}:${url.port || "6379"}`;
  }

  /** One attempt. Rejects with the driver's error. `onLost` is called once, when the connection ends without `destroy()`. */
  async connect(role: string, onLost: (reason: string) => void): Promise<RedisConnection> {
    const client = createClient({
      url: this.#target.url,
      name: `${this.#target.name}:${role}`,
      RESP: 3,
      maintNotifications: "disabled",
      disableOfflineQueue: true,
      socket: { reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT_MS, noDelay: true },
    });
    let state: "connecting" | "up" | "over" = "connecting";
    const lost = (reason: string) => {
      const wasUp = state === "up";
      state = "over";
      if (wasUp) onLost(reason);
    };
    client.on("error", (error: Error) => lost(describe(error)));
    client.on("end", () => lost("closed"));
    // A server that accepts and then says nothing passes the connect timeout: the handshake has the same limit.
    const deadline = setTimeout(() => client.destroy(), 2 * CONNECT_TIMEOUT_MS);
    try {
      await client.connect();
      if (!client.isReady) throw new Error("closed while connecting");
    } catch (error) {
      state = "over";
      client.destroy();
      throw new Error(describe(error), { cause: error });
    } finally {
      clearTimeout(deadline);
    }
    state = "up";
    return {
      publish: (channel, message) => client.publish(channel, message as Buffer),
      subscribe: (channels, listener) =>
        client.subscribe([...channels], (message, channel) => listener(message, channel.toString("latin1")), true),
      unsubscribe: (channels) => client.unsubscribe([...channels]),
      ping: async () => {
        const sentAt = performance.now();
        await client.ping();
        return performance.now() - sentAt;
      },
      destroy: () => {
        state = "over";
        client.destroy();
      },
    };
  }
}

export interface RedisConnection {
  /** Resolves to the number of subscribers reached. */
  publish(channel: string, message: Uint8Array): Promise<number>;
  subscribe(channels: readonly string[], listener: MessageListener): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
  ping(): Promise<Millis>;
  /** Ends it at once and without a report; everything unanswered is rejected. */
  destroy(): void;
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join("; ");
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
