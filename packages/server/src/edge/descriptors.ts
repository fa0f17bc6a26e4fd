/**
 * File descriptors, shared out: so many for WebSockets, some for plain HTTP, and a reserve for this process itself. So strangers never
 * take the last ones, and Redis, health and metrics can still be reached. If there are too many plain sockets, the oldest is ended: a
 * request is answered in milliseconds, and a socket that trickles or says nothing is soon the oldest.
 */

import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Millis } from "@presence-service/protocol";
import { type Logger, rateLimited } from "../telemetry/log.ts";

/** Two connections to Redis and two that replace them, pipes, those of the event loop, and files that a host opens now and then. */
const RESERVED = 64;
/** One of so many of the others is for plain HTTP, within bounds. */
const PLAIN_SHARE = 8;
const PLAIN_MIN = 16;
const PLAIN_MAX = 1024;
/** An upgrade is asked for and answered within this time, even when many come at once. */
const YOUNG_MS: Millis = 1000;
const WARN_EVERY_MS = 10_000;

export type Descriptors = {
  /** Whether one more WebSocket may be opened. */
  readonly hasRoom: boolean;
  /** The same for a socket that may have waited: it has its place. */
  hasRoomFor(socket: Duplex): boolean;
  /**
   * This socket has asked to become a WebSocket, and waits for its turn: it is no plain socket any more, and has a place if there is one. When thousands
   * come back at once, the oldest are those whose turn is next.
   */
  waits(socket: Duplex): void;
  /** This socket is a WebSocket now. Whoever has it says when it is `closed`: a listener here would be a second one, which takes 136 bytes. */
  upgraded(socket: Duplex): void;
  /** A WebSocket is closed. */
  readonly closed: () => void;
};

export type DescriptorOptions = {
  /** The number of file descriptors that this process may have. */
  readonly limit: number;
  /** Counts a plain socket that was ended for others. */
  readonly dropped: () => void;
  readonly log: Logger;
  /** The clock of tests. */
  readonly now?: () => Millis;
};

/** `server`: our own HTTP server, whose plain sockets are limited too. undefined: the server is the host's, which limits them itself. */
export function shareDescriptors(
  server: Server | undefined,
  { limit, dropped, log, now = () => performance.now() }: DescriptorOptions,
): Descriptors {
  const shared = Math.max(2, limit - RESERVED);
  const plainMax = Math.max(Math.min(PLAIN_MIN, shared / 2), Math.min(PLAIN_MAX, Math.floor(shared / PLAIN_SHARE)));
  const webSocketsMax = shared - plainMax;
  const warn = rateLimited(log.warn.bind(log), WARN_EVERY_MS);
  /** When each plain socket was opened; the oldest is first. */
  const plain = new Map<Duplex, Millis>();
  const waiting = new Set<Duplex>();
  let webSockets = 0;

  // All sockets share these functions, and none of them is given to `once`, which keeps 180 bytes for each socket.
  function plainClosed(this: Duplex): void {
    plain.delete(this);
  }
  function waitingClosed(this: Duplex): void {
    waiting.delete(this);
  }
  server?.on("connection", (socket) => {
    plain.set(socket, now());
    socket.on("close", plainClosed);
    if (plain.size <= plainMax) return;
    const [[oldest, since]] = plain as unknown as [[Duplex, Millis]];
    // When clients all come back at once, their sockets are young: these may take any descriptor that is free.
    if (now() - since < YOUNG_MS && plain.size + waiting.size + webSockets <= shared) return;
    plain.delete(oldest);
    dropped();
    warn(
      { limit, plain: plainMax, webSockets },
      "too many HTTP sockets that are no WebSockets: the oldest is ended. Raise `ulimit -n` if they are wanted",
    );
    oldest.destroy();
  });
  return {
    get hasRoom() {
      return webSockets + waiting.size < webSocketsMax;
    },
    hasRoomFor(socket) {
      return waiting.has(socket) || this.hasRoom;
    },
    waits(socket) {
      if (!this.hasRoom) return;
      plain.delete(socket);
      socket.removeListener("close", plainClosed);
      waiting.add(socket);
      socket.on("close", waitingClosed);
    },
    upgraded(socket) {
      plain.delete(socket);
      waiting.delete(socket);
      socket.removeListener("close", waitingClosed);
      socket.removeListener("close", plainClosed);
      webSockets++;
    },
    closed() {
      webSockets--;
    },
  };
}

/** The limit of this process, where the system tells it (Linux); elsewhere Infinity. Node raises the soft limit to the hard one at its start. */
export function descriptorLimit(limits = "/proc/self/limits"): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync(limits, "latin1")) ?? [];
    return soft === undefined ? Number.MAX_SAFE_INTEGER : Number(soft);
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}
