/**
 * The only file that knows the Redis driver. It opens single connections and says when one is over. It never reconnects by
 * itself, queues nothing while Redis is down and restores nothing: link.ts opens the next connection.
 */

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Millis } from "@presence-service/protocol";
import { RedisClient as Driver, ErrorReply } from "@redis/client";
import { CONSTANTS } from "../core/constants.ts";
import { PresenceError } from "../errors.ts";
import { within } from "../within.ts";
import { explain, type Failure, silence } from "./failure.ts";
import type { Place } from "./url.ts";

/** How to speak to the servers of one kind: data servers, or Sentinels. Never logged. */
export type Manners = {
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  /** undefined: no TLS. */
  readonly tls: RedisTls | undefined;
  /** Publishes and subscribes on channels that belong to the slots of the server (SPUBLISH, SSUBSCRIBE). */
  readonly isSharded?: boolean;
};

/**
 * PEM texts. `ca`: trusted instead of the public authorities; `cert` and `key`: the client certificate. Never logged. `name`: the host name
 * that certificates of Redis must be for, instead of the host that is connected to.
 */
export type RedisTls = {
  readonly name?: string;
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
};

/** `message` is a view of the bytes of one read. The listener may keep it, as the driver reads into fresh memory each time. */
export type MessageListener = (channel: string, message: Uint8Array) => void;

/**
 * From the first packet to the answer to HELLO. A local Redis takes 1 ms, one across an ocean with TLS about 1 s; a lost first
 * packet is sent again after 1 s. A Redis that takes longer counts as down, and the next attempt starts at once.
 */
export const OPEN_MS_MAX = 2000;

/** As long as a publish may be unanswered (R9): a Redis that does not hang answers in order and within a millisecond. */
const ANSWER_MS_MAX = CONSTANTS.unansweredMsMax;

/** How long to wait for a node or Sentinel that is asked where the others are: there are several to ask, and they are asked again soon. */
export const ASK_MS_MAX = 1000;

/** A health page need not wait for longer: by then Redis is not healthy. */
const PING_MS_MAX = 1000;

/** Opens connections to servers that are all spoken to alike. */
export class Dialer {
  readonly #manners: Manners;
  readonly #secureContext: SecureContext | undefined;

  constructor(manners: Manners) {
    this.#manners = manners;
    this.#secureContext = manners.tls && secureContextOf(manners.tls);
  }

  /** The same, for channels that belong to slots. */
  sharded(): Dialer {
    return new Dialer({ ...this.#manners, isSharded: true });
  }

  /** One attempt to connect. `role` goes into the name that `CLIENT LIST` shows. */
  open({ host, port }: Place, role: string, onMessage: MessageListener, openMsMax: Millis = OPEN_MS_MAX): RedisConnection {
    const { username, password, name, tls, isSharded = false } = this.#manners;
    const secureContext = this.#secureContext;
    // A server of many names chooses its certificate by this name; an IP address is no name.
    const serverName = tls?.name ?? host;
    const servername = isIP(serverName) === 0 ? { servername: serverName } : {};
    const options = {
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      name: `${name}:${role}`,
      socket: {
        host,
        port,
        ...(tls === undefined ? { tls: false as const } : { tls: true as const, ...servername, ...(secureContext && { secureContext }) }),
      },
    };
    return new RedisConnection(options, onMessage, { openMsMax, isSharded });
  }
}

/** Whether Redis itself answered with an error; any other rejection means that the connection is over. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof ErrorReply;
}

type ConnectionOptions = {
  readonly username?: string;
  readonly password?: string;
  readonly name: string;
  readonly socket: { readonly host: string; readonly port: number } & (
    | { readonly tls: false }
    | { readonly tls: true; readonly servername?: string; readonly secureContext?: SecureContext }
  );
};

export class RedisConnection {
  /** Resolves when commands are answered, or when the connection is over before. */
  readonly opened: Promise<void>;
  /** Resolves when the connection is over, whichever side ended it. */
  readonly over: Promise<Failure>;
  readonly #driver: ReturnType<typeof newDriver>;
  readonly #abort = new AbortController();
  /** Hidden in errors: an old Redis, or another server, may quote a command that it does not understand. */
  readonly #secrets: readonly string[];
  readonly #deliver: (message: Buffer, channel: Buffer) => void;
  readonly #isSharded: boolean;
  /** Called when the server itself has ended a subscription, as the slot of its channel is not its own any more. */
  onEnded: (channel: string) => void = () => {};
  #isOver = false;
  #resolveOver: (failure: Failure) => void = () => {};
  #ping: Promise<Millis> | undefined;

  constructor(
    options: ConnectionOptions,
    onMessage: MessageListener,
    { openMsMax, isSharded }: { readonly openMsMax: Millis; readonly isSharded: boolean },
  ) {
    this.#isSharded = isSharded;
    this.#driver = newDriver(options, this.#abort.signal);
    // The driver tells this only while no command waits for an answer. Otherwise it takes the news for that answer, finds an answer too
    // many in the end, and ends the connection by an error: the next one subscribes anew.
    this.#driver.on("sharded-channel-moved", (channel: string) => this.onEnded(channel));
    this.#secrets = [options.username, options.password].filter((text) => text !== undefined);
    this.#deliver = (message, channel) => {
      // If a listener ends the connection, the driver goes on with the bytes at hand: their messages are ignored.
      if (this.#isOver) return;
      try {
        onMessage(channel.toString("latin1"), message);
      } catch (error) {
        // This is a defect of ours. Thrown here, the driver would take it for bad bytes from Redis.
        queueMicrotask(() => {
          throw error;
        });
      }
    };
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    this.opened = this.#open(options.socket.tls, openMsMax);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the connection at once, in any state. Unanswered commands are rejected, and no message follows. */
  end(failure: Failure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#driver.destroy();
    // The driver cannot destroy a socket that is still connecting; the signal can.
    this.#abort.abort();
    this.#resolveOver(failure);
  }

  /**
   * Resolves to the number of subscribers reached; rejects with Redis's error or when the connection is over. Publishes of
   * one turn of the event loop leave in one write. Not `driver.publish`, which costs twice as much.
   */
  publish(channel: string, message: Uint8Array): Promise<number> {
    const bytes = message instanceof Buffer ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    return this.#driver.sendCommand<number>([this.#isSharded ? "SPUBLISH" : "PUBLISH", channel, bytes]);
  }

  /**
   * Resolves when all channels are confirmed. Rejects with Redis's error, or when the connection is over: then none is subscribed, or, where
   * channels belong to slots, some may be.
   */
  subscribe(channels: readonly string[]): Promise<void> {
    if (this.#isSharded) {
      const one = (channel: string) => this.#driver.sSubscribe(channel, this.#deliver, true);
      return this.#answered("SSUBSCRIBE", ANSWER_MS_MAX, () => all(channels.map(one)));
    }
    return this.#answered("SUBSCRIBE", ANSWER_MS_MAX, () => this.#driver.subscribe([...channels], this.#deliver, true));
  }

  /** Subscribes to all channels that match a pattern, for tools that take no part. Rejects as `subscribe` does. */
  watch(pattern: string): Promise<void> {
    return this.#answered("PSUBSCRIBE", ANSWER_MS_MAX, () => this.#driver.pSubscribe(pattern, this.#deliver, true));
  }

  /** Gives the driver the listener, too: without it, a SUBSCRIBE of the channel that follows at once would not reach Redis. */
  unsubscribe(channels: readonly string[]): Promise<void> {
    if (this.#isSharded) {
      const one = (channel: string) => this.#driver.sUnsubscribe(channel, this.#deliver, true);
      return this.#answered("SUNSUBSCRIBE", ANSWER_MS_MAX, () => all(channels.map(one)));
    }
    return this.#answered("UNSUBSCRIBE", ANSWER_MS_MAX, () => this.#driver.unsubscribe([...channels], this.#deliver, true));
  }

  /** A question to the server about itself or others. Rejects with Redis's error, or when the connection is over. */
  ask(...command: readonly [string, ...string[]]): Promise<unknown> {
    return this.#answered(command[0], ASK_MS_MAX, () => this.#driver.sendCommand<unknown>(command));
  }

  /** Round trip of one PING. A call while one is under way shares it, so that PINGs do not pile up at a hung Redis. */
  healthCheck(): Promise<Millis> {
    this.#ping ??= this.#roundTrip().finally(() => {
      this.#ping = undefined;
    });
    return within(PING_MS_MAX, this.#ping, () => {
      throw new Error(silence("PING", PING_MS_MAX).reason);
    });
  }

  async #roundTrip(): Promise<Millis> {
    const sentAt = performance.now();
    await this.#driver.sendCommand(["PING"]);
    return performance.now() - sentAt;
  }

  async #open(isTls: boolean, msMax: Millis): Promise<void> {
    const fail = (error: unknown) => this.end(explain(error, this.#secrets));
    // The listener stays after the end, too: an error event without a listener would end the process.
    this.#driver.on("error", fail);
    // A Redis without TLS takes a TLS handshake for the beginning of a long command, and waits in silence for the rest.
    let awaited = isTls ? "a TLS handshake" : "a connection request";
    this.#driver.on("connect", () => {
      awaited = "HELLO";
    });
    const connected = this.#driver.connect().then(() => {
      // The connection was ended while connecting, and came up all the same.
      if (this.#isOver) this.#driver.destroy();
    }, fail);
    await within(msMax, Promise.race([connected, this.over]), () => this.end(silence(awaited, msMax)));
  }

  /** Waits for an answer, with a deadline: a Redis that does not confirm hangs, and the connection is ended. */
  async #answered<T>(what: string, msMax: Millis, send: () => Promise<T>): Promise<T> {
    // After the end the driver would keep the command for a connection that never comes.
    if (this.#isOver) throw new Error("the connection is over");
    return await within(msMax, send(), () => {
      const failure = silence(what, msMax);
      this.end(failure);
      throw new Error(failure.reason);
    });
  }
}

/** One command may name channels of one slot only, so each has its own. Waits for all answers, and then rejects if one is an error. */
async function all(answers: readonly Promise<unknown>[]): Promise<void> {
  const settled = await Promise.allSettled(answers);
  for (const answer of settled) if (answer.status === "rejected") throw answer.reason;
}

/**
 * With RESP 3 messages come as pushes, apart from answers; it needs Redis 6. The factory is made once: `createClient` puts hundreds of
 * commands on a new class whenever its options change, which holds up the event loop for 20 ms.
 */
const driverOf = Driver.factory({ RESP: 3 });

function newDriver({ socket, ...options }: ConnectionOptions, signal: AbortSignal) {
  // The driver's time-out and PINGs are off: the deadlines here, and the own echoes in the core (R9), notice more.
  const socketOptions = { ...socket, reconnectStrategy: false as const, connectTimeout: 0, signal };
  return driverOf({
    ...options,
    maintNotifications: "disabled",
    // Two features are off, as a Redis user with the least rights may not use their commands.
    disableClientInfo: true,
    disableOfflineQueue: true,
    // The driver's default gives each command an abort signal of its own: 4 to 5 µs of CPU, more than the publish.
    commandOptions: { timeout: 0 },
    socket: socketOptions,
  });
}

/** Made once, at the start, so that a mistake in the PEM texts stops the start. */
function secureContextOf({ ca, cert, key }: RedisTls): SecureContext | undefined {
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) throw new PresenceError("BAD_SETTINGS", "redisTls needs cert and key together");
  try {
    // OpenSSL ignores a certificate authority that it cannot read, and then trusts none. This throws instead.
    if (ca !== undefined) new X509Certificate(ca);
    return createSecureContext({ ca, cert, key });
  } catch {
    // The error of OpenSSL is not passed on as cause, as it may quote the key.
    throw new PresenceError(
      "BAD_SETTINGS",
      "redisTls cannot be used: ca, cert and key must be PEM texts, and key must belong to cert and have no passphrase",
    );
  }
}
