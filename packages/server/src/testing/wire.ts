/**
 * One WebSocket between a client and a whole instance, on virtual time, with the faults of networks: it is slow, it breaks, or nothing passes
 * any more and neither end is told. It keeps order and knows no messages.
 */

import { CLOSE, type CloseReason, type Millis } from "@presence-service/protocol";
import type { Connection } from "../connection/connection.ts";
import type { Random } from "../core/random.ts";
import type { ClientSocket } from "../speech/socket.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export type WireEvents = {
  readonly opened: () => void;
  readonly received: (payload: Uint8Array) => void;
  /** `reason`: the text of the close frame, where one came. */
  readonly closed: (code: number, reason?: string) => void;
};

export type WireSurroundings = {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Each message takes something from … to, one way. */
  readonly latencyMs?: readonly [from: Millis, to: Millis];
};

const LATENCY_MS: readonly [from: Millis, to: Millis] = [0.5, 30];
/** The WebSocket library waits so long for the other side's close frame. */
const CLOSING_MS: Millis = 30_000;

export class Wire implements ClientSocket {
  readonly queuedBytes = 0;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #latencyMs: readonly [from: Millis, to: Millis];
  readonly #client: WireEvents;
  /** Lets the process of the instance do something, now or when it goes on. */
  readonly #run: (act: () => void) => void;
  #connection: Connection | undefined;
  #pieces: Buffer = Buffer.alloc(0);
  readonly #arrivesAt = { client: 0, server: 0 };
  #isSilent = false;
  #isClosedAtClient = false;
  #isClosedAtServer = false;

  constructor(client: WireEvents, run: (act: () => void) => void, { clock, random, latencyMs = LATENCY_MS }: WireSurroundings) {
    this.#client = client;
    this.#run = run;
    this.#clock = clock;
    this.#random = random;
    this.#latencyMs = latencyMs;
  }

  // The network.

  /** Nothing passes any more, and nobody is told. */
  silence(): void {
    this.#isSilent = true;
  }

  /** The connection is lost, and both ends are told. */
  breakOff(): void {
    this.#closeClient(CLOSE.lost.code);
    this.#closeServer(CLOSE.lost.code);
  }

  /** The server's process has ended: its system says so to the client. */
  lost(): void {
    this.#isClosedAtServer = true;
    this.#closeClient(CLOSE.lost.code);
  }

  // The instance.

  /** `connection` undefined: no WebSocket is to be had here. */
  answer(open: () => Connection | undefined): void {
    this.#toServer(() => {
      this.#connection = open();
      if (this.#connection === undefined) return this.lost();
      this.#toClient(() => this.#client.opened());
    });
  }

  write(frames: Buffer): void {
    this.#pieces = Buffer.concat([this.#pieces, frames]);
    for (let frame = firstFrame(this.#pieces); frame !== undefined; frame = firstFrame(this.#pieces)) {
      const { payload, bytes } = frame;
      this.#pieces = this.#pieces.subarray(bytes);
      this.#toClient(() => this.#client.received(payload));
    }
  }

  cork(): void {}
  uncork(): void {}
  ping(): void {}
  pong(): void {}
  pause(): void {}
  resume(): void {}
  onceDrained(callback: () => void): void {
    this.#clock.after(0, () => this.#run(callback));
  }

  close({ code, meaning }: CloseReason): void {
    this.#closeClient(code, meaning);
    if (this.#isSilent) this.#clock.after(CLOSING_MS, () => this.#run(() => this.#ended(code)));
    else this.#clock.after(2 * this.#latencyMs[1], () => this.#run(() => this.#ended(code)));
  }

  terminate(): void {
    this.#closeClient(CLOSE.lost.code);
    this.#clock.after(0, () => this.#run(() => this.#ended(CLOSE.lost.code)));
  }

  // The client.

  send(bytes: Uint8Array): void {
    const data = Buffer.from(bytes);
    this.#toServer(() => this.#connection?.received(data, true));
  }

  closeByClient(code: number): void {
    this.#isClosedAtClient = true;
    this.#closeServer(code);
  }

  #closeClient(code: number, reason?: string): void {
    this.#toClient(() => {
      this.#isClosedAtClient = true;
      this.#client.closed(code, reason);
    });
  }

  #closeServer(code: number): void {
    this.#toServer(() => this.#ended(code));
  }

  #ended(code: number): void {
    if (this.#isClosedAtServer) return;
    this.#isClosedAtServer = true;
    this.#connection?.closed(code);
  }

  #toClient(arrive: () => void): void {
    this.#pass("client", () => this.#isClosedAtClient || arrive());
  }

  #toServer(arrive: () => void): void {
    this.#pass("server", () => this.#run(() => this.#isClosedAtServer || arrive()));
  }

  #pass(to: "client" | "server", arrive: () => void): void {
    this.#arrivesAt[to] = Math.max(this.#arrivesAt[to], this.#clock.now + this.#random.between(...this.#latencyMs));
    this.#clock.at(this.#arrivesAt[to], () => this.#isSilent || arrive());
  }
}

/** The first whole frame, as servers send them; undefined: more is to come. */
function firstFrame(bytes: Buffer): { readonly payload: Buffer; readonly bytes: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1] ?? 0;
  const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < headerBytes) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < headerBytes + length) return undefined;
  return { payload: bytes.subarray(headerBytes, headerBytes + length), bytes: headerBytes + length };
}
