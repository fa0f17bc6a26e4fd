/** A client's socket in memory: keeps the written bytes, reads them frame by frame, and is as slow as the test wants. */

import { inflateRawSync } from "node:zlib";
import {
  type ClassicMessage,
  type CloseReason,
  decodeClassic,
  decodeServerBinary,
  decodeServerJson,
  PACKED,
  type ServerMessage,
} from "@presence-service/protocol";
import type { ClientSocket } from "../speech/socket.ts";

export type Frame = { readonly isText: boolean; readonly payload: Buffer };

export class FakeSocket implements ClientSocket {
  /** The socket reports so many unsent bytes; writes do not add to it. */
  queuedBytes = 0;
  /** The written buffers, piece by piece; shared buffers are the same objects. */
  written: Buffer[] = [];
  pings = 0;
  pongs: string[] = [];
  isPaused = false;
  closedWith: CloseReason | undefined;
  isTerminated = false;
  #corks = 0;
  #onDrained: (() => void)[] = [];

  write(frames: Buffer): void {
    if (this.closedWith !== undefined || this.isTerminated) throw new Error("written to after the end");
    this.written.push(frames);
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    if (--this.#corks < 0) throw new Error("uncorked more often than corked");
  }

  get isCorked(): boolean {
    return this.#corks > 0;
  }

  ping(): void {
    this.pings++;
  }

  pong(data: Buffer): void {
    this.pongs.push(data.toString());
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  onceDrained(callback: () => void): void {
    this.#onDrained.push(callback);
  }

  close(reason: CloseReason): void {
    this.closedWith = reason;
  }

  terminate(): void {
    this.isTerminated = true;
  }

  /** The client has read everything. */
  drain(): void {
    this.queuedBytes = 0;
    for (const callback of this.#onDrained.splice(0)) callback();
  }

  /** All frames since the last call. Throws if the bytes are not whole frames. */
  takeFrames(): Frame[] {
    const bytes = Buffer.concat(this.written.splice(0));
    const frames: Frame[] = [];
    for (let at = 0; at < bytes.length; ) {
      const first = bytes[at];
      const short = bytes[at + 1] ?? 0;
      const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
      const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      const payload = bytes.subarray(at + headerBytes, at + headerBytes + length);
      if ((first !== 0x81 && first !== 0x82) || payload.length !== length) throw new Error(`not a whole frame at ${at}`);
      frames.push({ isText: first === 0x81, payload });
      at += headerBytes + length;
    }
    return frames;
  }

  /** The same, decoded as messages of a server in `presence.v2` or its JSON. */
  takeMessages(): ServerMessage[] {
    return this.takeFrames().map(({ isText, payload }) => {
      const plain = !isText && payload[0] === PACKED ? inflateRawSync(payload.subarray(1)) : payload;
      const message = isText ? decodeServerJson(payload.toString()) : decodeServerBinary(plain);
      if (message === undefined) throw new Error(`not decodable: ${payload.toString("hex")}`);
      return message;
    });
  }

  takeClassic(): ClassicMessage[] {
    return this.takeFrames().map(({ payload }) => {
      const message = decodeClassic(payload);
      if (message === undefined) throw new Error(`not decodable: ${payload.toString("hex")}`);
      return message;
    });
  }
}
