/**
 * Takes WebSocket upgrades and hands sockets to the connection manager. Only this file knows the WebSocket library, which does the
 * handshake. From then on open-websocket.ts has the socket.
 */

import assert from "node:assert/strict";
import type { IncomingMessage, Server } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import type { AddressOf } from "../address.ts";
import { arrived } from "../compilers.ts";
import type { ConnectionManager } from "../connection/manager.ts";
import { LIMIT_TEXTS } from "../connection/refusal-texts.ts";
import type { OriginRule } from "../origins.ts";
import { SUBPROTOCOLS_KNOWN, speechFor, subprotocolOf, tokenOffered, withoutToken } from "../speech/subprotocols.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Descriptors } from "./descriptors.ts";
import { OpenWebSocket } from "./open-websocket.ts";
import { isAt, pathOf, queryOf } from "./paths.ts";

export type UpgradeOptions = {
  readonly manager: ConnectionManager;
  /** Upgrades at other paths are left to other listeners. If `isAlone`, a prefix that a proxy leaves before these paths is allowed. */
  readonly paths: readonly string[];
  /** No other listener takes upgrades on this server: an upgrade at another path is answered with 404. */
  readonly isAlone: boolean;
  /** False: clients are told to come back later. */
  readonly isServing: () => boolean;
  /** Whether classic clients may give a token by `?token=`. If not, a host that authenticates knows nothing of them, and they are closed. */
  readonly tokenInUrl: boolean;
  /** Whether pages of that origin may connect. */
  readonly isAllowed: OriginRule;
  readonly descriptors: Descriptors;
  readonly addressOf: AddressOf;
  readonly log: Logger;
};

const RETRY_AFTER_S = 1;
const WARN_EVERY_MS = 10_000;

/** A client has nothing to say before its upgrade is answered. One that says more than this is not read any more until then. */
export const EARLY_BYTES_MAX = 4096;

type Reason = keyof Metrics["upgradesRefused"];

/** Log lines for reasons of refusal. Reasons that are normal at times are only counted. */
const REFUSED: { readonly [of in Reason]?: string } = {
  path: "refused a WebSocket: nothing is at this path",
  origin: "refused a WebSocket: its page has an origin that is not in allowedOrigins",
  encoding: "refused a WebSocket: this service knows none of the subprotocols or encodings that it asks for",
  handshake: "refused a WebSocket: its handshake is wrong, or a proxy has changed it",
  full: "refused a WebSocket: no file descriptor is left for it; raise `ulimit -n`, or add an instance",
  address:
    "refused a WebSocket: its network address has as many as one may have (CONNECTIONS_PER_ADDRESS). If that is your proxy, name it in TRUSTED_PROXIES",
  greeting: "refused a WebSocket: too many connections have not said hello yet",
};
/** Characters of a header that a stranger sent, in the log. */
const SHOWN_LENGTH_MAX = 200;

/** Returns a function that stops taking upgrades. */
export function acceptUpgrades(server: Server, options: UpgradeOptions): () => void {
  const { manager, paths, isAlone, isServing, isAllowed, tokenInUrl, addressOf, descriptors, log } = options;
  const warn = rateLimited(log.warn.bind(log), WARN_EVERY_MS);
  const wss = new WebSocketServer({
    noServer: true,
    WebSocket: Handshake,
    clientTracking: false,
    perMessageDeflate: false,
    handleProtocols: (offered) => subprotocolOf(offered) ?? false,
  });
  const isOurs = (path: string) => paths.some((ours) => (isAlone ? isAt(path, ours) : path === ours));

  const refuse = (request: IncomingMessage, socket: Duplex, reason: Reason, answer: Answer): void => {
    manager.metrics.upgradesRefused[reason]++;
    const words = REFUSED[reason];
    if (words !== undefined) {
      const { origin, host, "sec-websocket-protocol": subprotocols } = request.headers;
      const told = { path: pathOf(request.url), origin, host, subprotocols: subprotocols && withoutToken(subprotocols), why: answer.body };
      warn(Object.fromEntries(Object.entries(told).map(([name, text]) => [name, text?.slice(0, SHOWN_LENGTH_MAX)])), words);
    }
    end(socket, answer);
  };
  wss.on("wsClientError", (error, socket, request) => {
    const versions = { "Sec-WebSocket-Version": "13, 8" };
    refuse(request, socket, "handshake", { status: request.method === "GET" ? 400 : 405, headers: versions, body: error.message });
  });

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isOurs(pathOf(request.url))) {
      // Other listeners may take it. If there are none, it is answered here, as it would never be answered otherwise.
      if (isAlone || !hasOthers(server))
        refuse(request, socket, "path", { status: 404, body: `WebSockets connect at ${paths.join(" or ")}.` });
      return;
    }
    arrived();
    const forwarded = request.headers["x-forwarded-for"];
    const address = addressOf(request.socket.remoteAddress, Array.isArray(forwarded) ? forwarded.join(",") : forwarded);
    const ignore = () => {};
    socket.on("error", ignore); // the socket may break while it waits
    let isWaiting = true;
    let giveUp: false | (() => void) = false;
    let stopReading = () => head;
    giveUp = manager.gate.admit(address, () => {
      isWaiting = false;
      socket.removeListener("error", ignore);
      if (giveUp) socket.removeListener("close", giveUp);
      take(request, socket, stopReading(), address);
    });
    if (!giveUp) return refuse(request, socket, "waiting", LATER);
    if (!isWaiting) return;
    descriptors.waits(socket);
    socket.on("close", giveUp);
    stopReading = readWhileWaiting(socket, head);
  };
  const take = (request: IncomingMessage, socket: Duplex, head: Buffer, address: string) => {
    if (!isAllowed(request.headers))
      return refuse(request, socket, "origin", { status: 403, body: "Pages of this origin may not connect." });
    const query = queryOf(request.url);
    const speech = speechFor(request, query);
    if (speech === undefined) return refuse(request, socket, "encoding", { status: 400, body: SUBPROTOCOLS_KNOWN });
    if (!isServing()) return refuse(request, socket, "unready", LATER);
    if (!manager.gate.mayConnect(address)) {
      const body = LIMIT_TEXTS.connectionsPerAddress(manager.bounds.connectionsPerAddress);
      return refuse(request, socket, "address", { ...LATER, headers: { "Retry-After": "10" }, body });
    }
    const hasRoom = descriptors.hasRoomFor(socket);
    if (!manager.gate.makeRoom(hasRoom)) return refuse(request, socket, hasRoom ? "greeting" : "full", LATER);
    wss.handleUpgrade(request, socket, EMPTY, (handshake) => {
      assert(handshake.isDone, "this release of ws gives sockets to its WebSockets in another way");
      descriptors.upgraded(socket);
      const token = tokenOffered(request) ?? (tokenInUrl ? (query.get("token") ?? undefined) : undefined);
      const webSocket = new OpenWebSocket(socket, descriptors.closed);
      const connection = manager.open(webSocket, { speech, request, token, address });
      manager.gate.opened(connection);
      webSocket.begin(connection, head);
    });
  };
  server.on("upgrade", upgrade);
  const stopSorting = sortUpgrades(server, (request) => {
    const isWebSocket = request.method === "GET" && request.headers.upgrade?.toLowerCase() === "websocket";
    return isWebSocket && (isAlone || isOurs(pathOf(request.url)));
  });
  return () => {
    stopSorting();
    server.removeListener("upgrade", upgrade);
  };
}

/**
 * Reads a socket that waits for its turn, and ends it when its client ends: most clients that lose patience leave so, and the end of a socket
 * that nobody reads would be noticed at its turn. The function that it returns stops that and answers everything that was read; what is
 * read next is lost, unless somebody listens in the same turn of the event loop.
 */
function readWhileWaiting(socket: Duplex, head: Buffer): () => Buffer {
  const read = [head];
  let bytes = head.length;
  const onData = (more: Buffer) => {
    read.push(more);
    bytes += more.length;
    if (bytes > EARLY_BYTES_MAX) socket.pause();
  };
  // Half a connection is no WebSocket.
  const onEnd = () => void socket.destroy();
  socket.on("data", onData).on("end", onEnd);
  return () => {
    socket.removeListener("data", onData).removeListener("end", onEnd);
    socket.resume();
    return Buffer.concat(read);
  };
}

/** Whether there are other listeners for upgrades. Asked each time, as some libraries begin to listen with the first request. */
function hasOthers(server: Server): boolean {
  return server.listenerCount("upgrade") > 1;
}

/**
 * With a listener for upgrades, Node takes every request that offers an upgrade for one, and nothing answers it: curl and Java offer
 * `h2c` by themselves. From Node 24.9 on a server may say which requests are upgrades. With an older Node such requests hang, as with
 * any server that has WebSockets.
 */
function sortUpgrades(server: Server, isOurs: (request: IncomingMessage) => boolean): () => void {
  const sorting = server as { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };
  const former = sorting.shouldUpgradeCallback;
  if (former === undefined) return () => {};
  let isStopped = false;
  const sort = (request: IncomingMessage): boolean => {
    if (!isStopped && isOurs(request)) return true;
    // Other upgrades are for the host's other listeners. If it has none, its request handler takes them as requests.
    return (isStopped || hasOthers(server)) && former.call(server, request);
  };
  sorting.shouldUpgradeCallback = sort;
  return () => {
    isStopped = true;
    if (sorting.shouldUpgradeCallback === sort) sorting.shouldUpgradeCallback = former;
  };
}

/**
 * Takes the place of the library's WebSocket, which the library makes with each handshake and then gives the socket. This one leaves the
 * socket alone: an OpenWebSocket reads it, at half of the memory.
 */
class Handshake extends WebSocket {
  isDone = false;

  /** Called by the library when it has answered the upgrade. */
  setSocket(socket: Duplex & Partial<Pick<Socket, "setTimeout" | "setNoDelay">>): void {
    socket.setTimeout?.(0);
    socket.setNoDelay?.();
    this.isDone = true;
  }
}

const EMPTY = Buffer.alloc(0);

type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string };

/** An answer after which a client comes back by itself. */
const LATER: Answer = {
  status: 503,
  headers: { "Retry-After": String(RETRY_AFTER_S) },
  body: "This instance takes no connection at the moment; try again later.",
};

function end(socket: Duplex, { status, headers = {}, body }: Answer): void {
  socket.on("error", () => {}); // the client may be gone already
  // Without this, a client that does not close its side would hold the socket for ever.
  socket.once("finish", () => socket.destroy());
  const text = `${body}\n`;
  const lines = Object.entries({
    Connection: "close",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${text}`);
}
