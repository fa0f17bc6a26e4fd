/**
 * Takes WebSocket upgrades and hands sockets to the connection manager. Only this file knows the WebSocket library; it knows nothing of
 * the messages. The library does reading, masks and control frames; our frames go straight to the socket beneath it.
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
import { LIMIT_TEXTS } from "../connection/refusal-texts.ts";
import type { OriginRule } from "../origins.ts";
import type { ClientSocket } from "../speech/socket.ts";
import { SUBPROTOCOLS_KNOWN, speechFor, subprotocolOf, tokenOffered, withoutToken } from "../speech/subprotocols.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Descriptors } from "./descriptors.ts";
import { isAt, pathOf, queryOf } from "./paths.ts";
import { type SliceListener, sliceReads, unshiftInSlices } from "./slices.ts";

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

/** Pieces of a fragmented or trickled message: enough for the smallest pieces of a proxy, and too few to fill our memory. */
const FRAGMENTS_MAX = 64;
const CHUNKS_MAX = 1024;
/** After this time the socket is destroyed, even if the client has not answered our close frame. */
const CLOSE_TIMEOUT_MS = 5000;
/** Bytes still read from a client while its close frame is waited for: as much as was under way, unless the client floods. */
const CLOSING_BYTES_MAX = 16 * 1024;
const RETRY_AFTER_S = 1;
const WARN_EVERY_MS = 10_000;

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
  // The settings stand apart from the call, as the types of `ws` do not know `closeTimeout` yet.
  const settings = {
    noServer: true,
    WebSocket: PresenceWebSocket,
    clientTracking: false,
    // The connection answers pings itself, as pongs have their price.
    autoPong: false,
    perMessageDeflate: false,
    maxPayload: CLIENT_MESSAGE_BYTES_MAX,
    maxFragments: FRAGMENTS_MAX,
    maxBufferedChunks: CHUNKS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered: Set<string>) => subprotocolOf(offered) ?? false,
  };
  const wss = new WebSocketServer(settings);
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
    const forwarded = request.headers["x-forwarded-for"];
    const address = addressOf(request.socket.remoteAddress, Array.isArray(forwarded) ? forwarded.join(",") : forwarded);
    const ignore = () => {};
    socket.on("error", ignore); // the socket may break while it waits
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
    const speech = speechFor(request, query);
    if (speech === undefined) return refuse(request, socket, "encoding", { status: 400, body: SUBPROTOCOLS_KNOWN });
    if (!isServing()) return refuse(request, socket, "unready", LATER);
    if (!manager.gate.mayConnect(address)) {
      const body = LIMIT_TEXTS.connectionsPerAddress(manager.bounds.connectionsPerAddress);
      return refuse(request, socket, "address", { ...LATER, headers: { "Retry-After": "10" }, body });
    }
    const { hasRoom } = descriptors;
    if (!manager.gate.makeRoom(hasRoom)) return refuse(request, socket, hasRoom ? "greeting" : "full", LATER);
    unshiftInSlices(socket, head);
    wss.handleUpgrade(request, socket, EMPTY, (ws) => {
      descriptors.upgraded(socket);
      const token = tokenOffered(request) ?? (tokenInUrl ? (query.get("token") ?? undefined) : undefined);
      const connection = manager.open(new WsSocket(ws, socket), { speech, request, token, address });
      manager.gate.opened(connection);
      ws.connection = connection;
      sliceReads(socket, ws);
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

/** A WebSocket that knows its connection, so that all sockets share the four listeners below. */
class PresenceWebSocket extends WebSocket implements SliceListener {
  connection: Connection | undefined;
  /** Bytes of long reads since the connection has ended. */
  #closingBytes = 0;

  sliced(bytes: number): void {
    this.connection?.owe(PRICE.slice);
    this.#closingBytes += this.readyState === WebSocket.OPEN ? 0 : bytes;
    if (this.#closingBytes > CLOSING_BYTES_MAX) this.terminate();
  }
}

function connectionOf(ws: WebSocket): Connection | undefined {
  return (ws as PresenceWebSocket).connection;
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

/** The library has sent a close frame already, if one makes sense. */
function onError(this: WebSocket, error: Error & { readonly code?: string }): void {
  connectionOf(this)?.end(error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? CLOSE.tooBig : CLOSE.lost, "broken");
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
    // The other side may have ended the socket, which is reported later: then there is nothing to write to.
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
    // A paused socket would never read the client's close frame. If too much waits unread, the client gets our close frame and the end.
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
