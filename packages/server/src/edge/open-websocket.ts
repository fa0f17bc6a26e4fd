/**
 * One WebSocket from the end of its handshake to the end of its TCP connection: reads frames off the socket and hands them to the
 * connection, pauses within a read, and closes as RFC 6455 wants it. Ten thousand of these do nothing most of the time, so what only
 * some need is made when they need it, and all of them share their listeners. It knows nothing of the messages.
 */

import type { Duplex } from "node:stream";
import { CLIENT_MESSAGE_BYTES_MAX, CLOSE, type CloseReason } from "@presence-service/protocol";
import { PRICE } from "../connection/budget.ts";
import type { Connection } from "../connection/connection.ts";
import { type ClientSocket, CONTROL, controlFrame } from "../speech/socket.ts";
import { type FrameBounds, type FrameFault, type FrameTaker, readFrames, type Unfinished } from "./frames.ts";

/** Pieces of a fragmented or trickled message: enough for the smallest pieces of a proxy, and too few to be a burden. */
const BOUNDS: FrameBounds = { messageBytesMax: CLIENT_MESSAGE_BYTES_MAX, fragmentsMax: 64, piecesMax: 1024 };
/** So many bytes that come in one read cost their connection `PRICE.slice`, whatever they hold. Most reads are shorter. */
export const SLICE_BYTES = 2048;
/** After this time the socket is destroyed, even if the client has not answered our close frame. */
export const CLOSE_TIMEOUT_MS = 5000;
/** Bytes still read from a client while its close frame is waited for: as much as was under way, unless the client floods. */
export const CLOSING_BYTES_MAX = 16 * 1024;
const REASON_BYTES_MAX = 123;
const PING = controlFrame(CONTROL.ping, Buffer.alloc(0));

/** A connection, as its socket sees it. */
export type Conversation = Pick<Connection, "received" | "pinged" | "ponged" | "owe" | "end" | "closed">;

const WEB_SOCKET = Symbol("WebSocket");
type Upgraded = Duplex & { [WEB_SOCKET]?: OpenWebSocket };

export class OpenWebSocket implements ClientSocket, FrameTaker {
  unfinished: Unfinished | undefined;
  takesFrames = false;
  readonly #socket: Duplex;
  readonly #onceClosed: () => void;
  #conversation: Conversation | undefined;
  /** `closing`: our close frame is sent and the client's is waited for. `over`: nothing is read any more. */
  #state: "open" | "closing" | "over" = "open";
  /** Made when the end begins. `bytes`: read since then. `code`: of the client's close frame. */
  #ending: { bytes: number; code: number; readonly timer: NodeJS.Timeout } | undefined;

  /** `onceClosed`: called when the TCP connection has ended. */
  constructor(socket: Duplex, onceClosed: () => void = () => {}) {
    this.#socket = socket;
    this.#onceClosed = onceClosed;
  }

  /** Begins to read. `head`: the bytes that came with the upgrade request. */
  begin(conversation: Conversation, head: Buffer): void {
    const socket: Upgraded = this.#socket;
    this.#conversation = conversation;
    socket[WEB_SOCKET] = this;
    // When the client has ended its side, ours ends too.
    socket.allowHalfOpen = false;
    if (head.length > 0) socket.unshift(head);
    socket.on("error", onError).on("close", onClose).on("data", onData);
  }

  // Called by the connection.

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(frames: Buffer): void {
    // The other side may have ended the socket, which is reported later: then there is nothing to write to.
    if (this.#state === "open" && this.#socket.writable) this.#socket.write(frames);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  ping(): void {
    this.write(PING);
  }

  pong(data: Buffer): void {
    this.write(controlFrame(CONTROL.pong, data));
  }

  pause(): void {
    // Bytes that were read before the socket closed are handed on to their end.
    if (this.#socket.destroyed) return;
    this.takesFrames = false;
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  onceDrained(callback: () => void): void {
    this.#socket.once("drain", callback);
  }

  close({ code, meaning }: CloseReason): void {
    if (this.#state !== "open") return;
    // A paused socket would never read the client's close frame. If too much waits unread, the client gets our close frame and the end.
    if (this.#socket.readableLength <= CLOSING_BYTES_MAX) this.#socket.resume();
    this.#beginEnd(closePayload(code, meaning));
    this.#state = "closing";
    if (this.#socket.isPaused()) this.#socket.end();
  }

  terminate(): void {
    this.#state = "over";
    this.takesFrames = false;
    this.#socket.destroy();
  }

  // Called by the socket.

  read(bytes: Buffer): void {
    let rest: Buffer | undefined = bytes;
    if (this.#state === "open") {
      this.takesFrames = true;
      rest = readFrames(this, bytes, BOUNDS);
      const readBytes = bytes.length - (rest?.length ?? 0);
      if (readBytes >= SLICE_BYTES) this.#conversation?.owe(Math.floor(readBytes / SLICE_BYTES) * PRICE.slice);
      if (rest === undefined) return;
      // Paused: the stream keeps the rest.
      if (this.#state === "open") return void this.#socket.unshift(rest);
    }
    if (this.#ending === undefined) return;
    this.#ending.bytes += rest.length;
    if (this.#ending.bytes > CLOSING_BYTES_MAX) return this.terminate();
    this.takesFrames = this.#state === "closing";
    if (this.takesFrames) readFrames(this, rest, BOUNDS);
  }

  closed(): void {
    this.#onceClosed();
    const { readableLength } = this.#socket;
    // A paused socket may hold the client's close frame. If it holds more than this, it was paused for its excess, or cut off.
    if (this.#state !== "over" && readableLength > 0 && readableLength <= SLICE_BYTES) {
      // Without a length Node 26 gives one piece only.
      const rest = this.#socket.read(readableLength) as Buffer | null;
      if (rest !== null) this.read(rest);
    }
    this.#state = "over";
    this.unfinished = undefined;
    clearTimeout(this.#ending?.timer);
    this.#conversation?.closed(this.#ending?.code ?? CLOSE.lost.code);
  }

  // Called with the client's frames. While the end goes on, messages are not wanted any more.

  message(data: Buffer, isBinary: boolean): void {
    if (this.#state === "open") this.#conversation?.received(data, isBinary);
  }

  pinged(data: Buffer): void {
    if (this.#state === "open") this.#conversation?.pinged(data);
  }

  ponged(): void {
    if (this.#state === "open") this.#conversation?.ponged();
  }

  closing(code: number, payload: Buffer): void {
    // The answer to a close frame is the same frame.
    this.#beginEnd(payload).code = code;
    this.#end();
  }

  broken(fault: FrameFault): void {
    this.#beginEnd(closePayload(fault, ""));
    this.#end();
    this.#conversation?.end(fault === CLOSE.tooBig.code ? CLOSE.tooBig : CLOSE.lost, "broken");
  }

  /** Sends a close frame, unless one is sent already. */
  #beginEnd(payload: Buffer): { code: number } {
    if (this.#state === "open") this.write(controlFrame(CONTROL.close, payload));
    const socket = this.#socket;
    this.#ending ??= { bytes: 0, code: CLOSE.lost.code, timer: setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS) };
    return this.#ending;
  }

  /** Both close frames are sent, or the client's would not be understood. */
  #end(): void {
    this.#state = "over";
    this.takesFrames = false;
    this.#socket.end();
  }
}

function closePayload(code: number, meaning: string): Buffer {
  const payload = Buffer.allocUnsafe(2 + REASON_BYTES_MAX);
  const end = payload.writeUInt16BE(code, 0);
  // A character that does not fit any more is left out as a whole.
  return payload.subarray(0, end + payload.write(meaning, end));
}

// All sockets share these listeners, as there may be many thousands of them.

function onData(this: Upgraded, bytes: Buffer): void {
  this[WEB_SOCKET]?.read(bytes);
}

function onError(this: Upgraded): void {
  this.destroy();
}

function onClose(this: Upgraded): void {
  this[WEB_SOCKET]?.closed();
}
