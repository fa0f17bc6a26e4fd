/**
 * Takes WebSocket upgrades and hands sockets to the connection manager. It knows HTTP and the WebSocket library, of which it is the
 * only user, and nothing of what is said. Reading, masks and control frames are the library's; our frames go straight to the socket
 * beneath it (F3).
 */

import type { IncomingMessage, Server } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { CLIENT_MESSAGE_BYTES_MAX, CLOSE, type CloseReason } from "@presence-service/protocol";
import { WebSocket, WebSocketServer } from "ws";
import type { AddressOf } from "../address.ts";
import { PRICE } from "../connection/budget.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionManager } from "../connection/manager.ts";
import type { ClientSocket } from "../connection/socket.ts";
import type { Encoding } from "../connection/wires.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Descriptors } from "./descriptors.ts";
import type { OriginRule } from "./origins.ts";
import { isAt, pathOf, queryOf } from "./paths.ts";
import { sliceReads, unshiftInSlices } from "./slices.ts";

export type UpgradeOptions = {
  readonly manager: ConnectionManager;
  /** Upgrades elsewhere are left to others, if there are others. Where there are none, also below any prefix that a proxy leaves. */
  readonly paths: readonly string[];
  /** Nobody else takes upgrades on this server: what is not for us is not found. */
  readonly isAlone: boolean;
  /** False: come back later. */
  readonly isServing: () => boolean;
  /** Whether classic clients may say who they are by `?token=`; where the host authenticates, they are refused otherwise. */
  readonly tokenInUrl: boolean;
  /** Whether pages of that origin may connect. */
  readonly isAllowed: OriginRule;
  readonly descriptors: Descriptors;
  readonly addressOf: AddressOf;
  readonly log: Logger;
};

/** What a fragmented or trickled message may be made of: a proxy's smallest pieces, and still no way to fill our memory. */
const FRAGMENTS_MAX = 64;
const CHUNKS_MAX = 1024;
/** Then the socket is destroyed, whether the client has answered our close frame or not. */
const CLOSE_TIMEOUT_MS = 5000;
/** What is still read of a client whose connection is over, while its close frame is waited for: what was under way of any but a flood. */
const CLOSING_BYTES_MAX = 16 * 1024;
const RETRY_AFTER_S = 1;
const WARN_EVERY_MS = 10_000;

/** In order of preference. */
const ENCODINGS: readonly (readonly [subprotocol: string, encoding: Encoding])[] = [
  ["presence.v2", "binary"],
  ["presence.v2.json", "json"],
];

type Reason = keyof Metrics["upgradesRefused"];

/** What the log says of each; those that come in the course of events are counted only. */
const REFUSED: { readonly [of in Reason]?: string } = {
  path: "refused a WebSocket: nothing is at this path",
  origin: "refused a page of another origin; those in allowedOrigins may connect",
  encoding: "refused a WebSocket: none of the subprotocols or encodings it asks for is known",
  handshake: "refused a WebSocket: its handshake is not one, or a proxy has changed it",
  full: "refused a WebSocket: no file descriptor is left for it; raise `ulimit -n`, or add an instance",
  greeting: "refused a WebSocket: too many have connected and said nothing yet",
};
/** Of what a stranger may send. */
const SHOWN_LENGTH_MAX = 200;

/** Answers how to stop taking upgrades. */
export function acceptUpgrades(server: Server, options: UpgradeOptions): () => void {
  const { manager, paths, isAlone, isServing, isAllowed, tokenInUrl, addressOf, descriptors, log } = options;
  const warn = rateLimited(log.warn.bind(log), WARN_EVERY_MS);
  // Apart from the call, as the types of `ws` do not know `closeTimeout` yet.
  const settings = {
    noServer: true,
    WebSocket: PresenceWebSocket,
    clientTracking: false,
    // Pongs have their price: the connection answers.
    autoPong: false,
    perMessageDeflate: false,
    maxPayload: CLIENT_MESSAGE_BYTES_MAX,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered: Set<string>) => ENCODINGS.find(([subprotocol]) => offered.has(subprotocol))?.[0] ?? false,
  };
  const wss = new WebSocketServer(settings);
  const isOurs = (path: string) => paths.some((ours) => (isAlone ? isAt(path, ours) : path === ours));

  const refuse = (request: IncomingMessage, socket: Duplex, reason: Reason, answer: Answer): void => {
    manager.metrics.upgradesRefused[reason]++;
    const words = REFUSED[reason];
    if (words !== undefined) {
      const { origin, host, "sec-websocket-protocol": subprotocols } = request.headers;
      const told = { path: pathOf(request.url), origin, host, subprotocols, why: answer.body };
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
      // Left to the others, if there are others: without, nobody would ever answer.
      if (isAlone || !hasOthers(server))
        refuse(request, socket, "path", { status: 404, body: `WebSockets connect at ${paths.join(" or ")}.` });
      return;
    }
    const forwarded = request.headers["x-forwarded-for"];
    const address = addressOf(request.socket.remoteAddress, Array.isArray(forwarded) ? forwarded.join(",") : forwarded);
    const ignore = () => {};
    socket.on("error", ignore); // it may break while it waits
    const isAdmitted = manager.gate.admit(address, () => {
      socket.removeListener("error", ignore);
      take(request, socket, head, address);
    });
    if (!isAdmitted) refuse(request, socket, "waiting", LATER);
  };
  const take = (request: IncomingMessage, socket: Duplex, head: Buffer, address: string) => {
    if (!isAllowed(request.headers))
      return refuse(request, socket, "origin", { status: 403, body: "Pages of this origin may not connect." });
    const query = queryOf(request.url);
    const encoding = encodingOf(request, query);
    if (encoding === undefined) return refuse(request, socket, "encoding", { status: 400, body: ENCODINGS_KNOWN });
    if (!isServing()) return refuse(request, socket, "unready", LATER);
    const { hasRoom } = descriptors;
    if (!manager.gate.makeRoom(hasRoom)) return refuse(request, socket, hasRoom ? "greeting" : "full", LATER);
    unshiftInSlices(socket, head);
    wss.handleUpgrade(request, socket, EMPTY, (ws) => {
      descriptors.upgraded(socket);
      const token = tokenInUrl ? (query.get("token") ?? undefined) : undefined;
      const connection = manager.open(new WsSocket(ws, socket), { encoding, request, token, address });
      manager.gate.opened(connection);
      ws.connection = connection;
      sliceReads(socket, chargeSlices(ws, connection));
      ws.on("message", onMessage).on("ping", onPing).on("pong", onPong).on("error", onError).on("close", onClose);
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

const ENCODINGS_KNOWN = `Known are the subprotocols ${ENCODINGS.map(([subprotocol]) => subprotocol).join(" and ")}, or one of them as ?encoding= where a proxy removes the header; none of both is the classic protocol.`;

/**
 * By subprotocol; where none is offered, by `?encoding=`, for those whose proxy removes the header; classic if neither is there.
 * undefined: only unknown ones are asked for. A browser would fail such a connection without an answer that it offered.
 */
function encodingOf({ headers }: IncomingMessage, query: URLSearchParams): Encoding | undefined {
  const header = headers["sec-websocket-protocol"]?.trim();
  // Emptied by a proxy is not offered; the library would take it for a mistake.
  if (header === "") delete headers["sec-websocket-protocol"];
  if (header) {
    const offered = header.split(",").map((name) => name.trim());
    return ENCODINGS.find(([subprotocol]) => offered.includes(subprotocol))?.[1];
  }
  const asked = query.get("encoding");
  return asked === null ? "classic" : ENCODINGS.find(([subprotocol]) => subprotocol === asked)?.[1];
}

/** Whether anybody but us listens for upgrades; asked each time, as some begin with the first request. */
function hasOthers(server: Server): boolean {
  return server.listenerCount("upgrade") > 1;
}

/**
 * A listener for upgrades makes Node take every request that offers one for an upgrade, and then nobody answers it: curl and Java offer
 * `h2c` of their own accord. From Node 24.9 on the server may say which ones are meant. Before that, they hang as in any server
 * with WebSockets.
 */
function sortUpgrades(server: Server, isOurs: (request: IncomingMessage) => boolean): () => void {
  const sorting = server as { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };
  const former = sorting.shouldUpgradeCallback;
  if (former === undefined) return () => {};
  let isStopped = false;
  const sort = (request: IncomingMessage): boolean => {
    if (!isStopped && isOurs(request)) return true;
    // Not ours: for the host's other listeners, and if it has none, for its request handler.
    return (isStopped || hasOthers(server)) && former.call(server, request);
  };
  sorting.shouldUpgradeCallback = sort;
  return () => {
    isStopped = true;
    if (sorting.shouldUpgradeCallback === sort) sorting.shouldUpgradeCallback = former;
  };
}

/** Knows its connection, so that all sockets share the four listeners below. */
class PresenceWebSocket extends WebSocket {
  connection: Connection | undefined;
  /** Read in long pieces since the connection is over. */
  closingBytes = 0;
}

function connectionOf(ws: WebSocket): Connection | undefined {
  return (ws as PresenceWebSocket).connection;
}

/** Made here, so that it keeps nothing of the upgrade alive: a request is 6 KB. */
function chargeSlices(ws: PresenceWebSocket, connection: Connection): (bytes: number) => void {
  return (bytes) => {
    connection.owe(PRICE.slice);
    ws.closingBytes += ws.readyState === WebSocket.OPEN ? 0 : bytes;
    if (ws.closingBytes > CLOSING_BYTES_MAX) ws.terminate();
  };
}

function onMessage(this: WebSocket, data: WebSocket.RawData, isBinary: boolean): void {
  connectionOf(this)?.received(data as Buffer, isBinary); // `binaryType` is "nodebuffer"
}

function onPing(this: WebSocket, data: Buffer): void {
  connectionOf(this)?.pinged(data);
}

function onPong(this: WebSocket): void {
  connectionOf(this)?.ponged();
}

/** The library has sent its close frame already, if one makes sense. */
function onError(this: WebSocket, error: Error & { readonly code?: string }): void {
  connectionOf(this)?.broken(error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? CLOSE.tooBig : CLOSE.lost);
}

function onClose(this: WebSocket, code: number): void {
  connectionOf(this)?.closed(code);
}

class WsSocket implements ClientSocket {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;

  constructor(ws: WebSocket, socket: Duplex) {
    this.#ws = ws;
    this.#socket = socket;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(frames: Buffer): void {
    // Between the other side's end and its report there is nobody to write to.
    if (this.#socket.writable) this.#socket.write(frames);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  ping(): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping();
  }

  pong(data: Buffer): void {
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.pong(data);
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  onceDrained(callback: () => void): void {
    this.#socket.once("drain", callback);
  }

  close({ code, meaning }: CloseReason): void {
    // A paused socket would never read the answer. But one with far more to say is not heard any further: its client gets our word and the end.
    if (this.#socket.readableLength <= CLOSING_BYTES_MAX) this.#ws.resume();
    this.#ws.close(code, meaning);
    if (this.#ws.isPaused) this.#socket.end();
  }

  terminate(): void {
    this.#ws.terminate();
  }
}

const EMPTY = Buffer.alloc(0);

type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string };

/** The client comes back by itself. */
const LATER: Answer = { status: 503, headers: { "Retry-After": String(RETRY_AFTER_S) }, body: "Not now; try again." };

function end(socket: Duplex, { status, headers = {}, body }: Answer): void {
  socket.on("error", () => {}); // whoever is refused may be gone already
  // Without it a client that does not close its side would hold the socket for ever.
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
