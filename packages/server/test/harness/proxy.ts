/**
 * A TCP proxy that breaks links on purpose: each direction can be delayed, stalled or closed on its own, and all connections can be cut.
 * It passes bytes in order and unchanged. Like a slow network it holds the sender back, instead of buffering without limit.
 */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./ports.ts";
import type { Scope } from "./scope.ts";

/** A link holds so many bytes before it stops reading: about as much as a socket buffer. */
const HELD_BYTES_MAX = 262_144;

/** One direction of all connections, open ones and later ones. */
export class Direction {
  #delayMs = 0;
  #isStalled = false;
  readonly #pipes = new Set<Pipe>();
  #lost: string | undefined;

  get delayMs(): number {
    return this.#delayMs;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Bytes that were read and not passed on. */
  get heldBytes(): number {
    let bytes = 0;
    for (const pipe of this.#pipes) bytes += pipe.heldBytes;
    return bytes;
  }

  /** From now on bytes are passed on after this delay, in order. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Bytes are no longer passed on; the connections stay open, and the sender notices nothing until its buffers are full. */
  stall(): void {
    this.#isStalled = true;
  }

  /** Ends `stall` and `delay`, and passes on the bytes that were held back. */
  pass(): void {
    this.#isStalled = false;
    this.#delayMs = 0;
    for (const pipe of this.#pipes) pipe.pump();
  }

  /** As `stall`, for good, but only for the connections of now: half-open ones, while later ones work. */
  strand(): void {
    for (const pipe of this.#pipes) pipe.strand();
  }

  /** The receiver sees an orderly end of this direction on all open connections, while the other direction goes on. */
  halfClose(): void {
    for (const pipe of this.#pipes) pipe.endNow();
  }

  /** @internal */
  add(from: Socket, to: Socket): Pipe {
    const pipe = new Pipe(this, from, to);
    this.#pipes.add(pipe);
    from.once("close", () => this.#pipes.delete(pipe));
    return pipe;
  }

  /** @internal */
  get pipes(): Iterable<Pipe> {
    return this.#pipes;
  }

  /** @internal */
  lose(channel: string | undefined): void {
    this.#lost = channel;
  }

  /** @internal */
  altered(chunk: Buffer): Buffer {
    if (this.#lost === undefined) return chunk;
    // A push of Redis is `message`, the length of the channel, the channel. Confirmations of subscriptions stay as they are.
    const head = `message\r\n$${Buffer.byteLength(this.#lost)}\r\n`;
    const other = "x".repeat(this.#lost.length);
    return Buffer.from(chunk.toString("latin1").replaceAll(`${head}${this.#lost}`, `${head}${other}`), "latin1");
  }
}

export class FaultProxy {
  readonly port: number;
  /** From the connecting side to the target. */
  readonly toTarget = new Direction();
  readonly toClient = new Direction();
  readonly #server: Server;
  /** With the target of each. */
  #taken = 0;
  readonly #pairs = new Map<readonly [Socket, Socket], number>();
  #refuses = false;
  #target: number;

  private constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      if (this.#refuses) return reset(client);
      this.#link(client, connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true, noDelay: true }));
    });
  }

  /** Listens in front of `target`, a port on 127.0.0.1; ends with the test. Default: on a free port there. */
  static async start(
    scope: Scope,
    { target, host = "127.0.0.1", port }: { readonly target: number; readonly host?: string; readonly port?: number },
  ): Promise<FaultProxy> {
    const proxy = new FaultProxy(port ?? (await freePort()), target);
    proxy.#server.listen(proxy.port, host);
    await once(proxy.#server, "listening");
    scope.after(async () => {
      const closed = once(proxy.#server, "close");
      proxy.#server.close();
      proxy.cut();
      await closed;
    });
    return proxy;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** The number of connections so far, those that have ended included: one that was cut and has come back at once shows here. */
  get taken(): number {
    return this.#taken;
  }

  /** Resets all open connections at both ends, or those of one link of an instance. New ones are still taken. */
  cut(link?: "publisher" | "subscriber"): void {
    for (const pipe of this.toTarget.pipes) {
      if (link !== undefined && pipe.isSubscriber !== (link === "subscriber")) continue;
      pipe.reset();
    }
  }

  /** Resets those that lead elsewhere than new ones would. */
  recall(): void {
    for (const [pair, target] of this.#pairs) if (target !== this.#target) pair.forEach(reset);
  }

  /** New connections are reset at once, until `accept()`. */
  refuse(): void {
    this.#refuses = true;
  }

  accept(): void {
    this.#refuses = false;
  }

  /** Stalls both directions of one link of an instance, and no other connection, until it is replaced. */
  hang(link: "publisher" | "subscriber"): void {
    for (const pipe of this.toTarget.pipes) {
      if (pipe.isSubscriber === (link === "subscriber")) for (const one of [pipe, pipe.other]) one?.strand();
    }
  }

  /** From now on messages of that channel come as those of another one, of the same length, that nobody wants: they are lost. */
  loseMessagesOf(channel: string): void {
    this.toClient.lose(channel);
  }

  keepMessages(): void {
    this.toClient.lose(undefined);
  }

  /** New connections go to this port from now on: a load balancer that has chosen another server. */
  lead(target: number): void {
    this.#target = target;
  }

  #link(client: Socket, target: Socket): void {
    const pair = [client, target] as const;
    this.#taken++;
    this.#pairs.set(pair, this.#target);
    const there = this.toTarget.add(client, target);
    const back = this.toClient.add(target, client);
    there.other = back;
    for (const [socket, other] of [pair, [target, client] as const]) {
      socket.on("error", () => reset(other));
      socket.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
  }
}

class Pipe {
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  /** The other direction of the same connection. */
  other: Pipe | undefined;
  /** A client of Redis has subscribed over it. */
  isSubscriber = false;
  #held: { readonly chunk: Buffer | "end"; readonly dueAt: number }[] = [];
  #heldBytes = 0;
  #isStranded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(direction: Direction, from: Socket, to: Socket) {
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    from.on("data", (chunk: Buffer) => this.#hold(chunk));
    from.on("end", () => this.#hold("end"));
    from.on("close", () => clearTimeout(this.#timer));
    to.on("drain", () => this.pump());
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  strand(): void {
    this.#isStranded = true;
  }

  pump(): void {
    clearTimeout(this.#timer);
    if (this.#isStranded) return;
    for (let first = this.#held[0]; first !== undefined && !this.#direction.isStalled; first = this.#held[0]) {
      const waitMs = this.#direction.delayMs === 0 ? 0 : first.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      if (this.#to.writableNeedDrain) return;
      this.#held.shift();
      if (first.chunk === "end") this.#to.end();
      else {
        this.#heldBytes -= first.chunk.length;
        if (this.#to.writable) this.#to.write(first.chunk);
      }
    }
    if (this.#heldBytes < HELD_BYTES_MAX) this.#from.resume();
  }

  reset(): void {
    for (const socket of [this.#from, this.#to]) reset(socket);
  }

  endNow(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#to.end();
    // Bytes that still come are read and dropped, as by a receiver that no longer listens.
    this.#from.removeAllListeners("data");
    this.#from.resume();
  }

  #hold(read: Buffer | "end"): void {
    const chunk = read === "end" ? read : this.#direction.altered(read);
    this.isSubscriber ||= chunk !== "end" && /\nsubscribe\r/i.test(chunk.toString("latin1"));
    this.#held.push({ chunk, dueAt: performance.now() + this.#direction.delayMs });
    if (chunk !== "end") this.#heldBytes += chunk.length;
    if (this.#heldBytes >= HELD_BYTES_MAX) this.#from.pause();
    this.pump();
  }
}

/** Node cannot reset a socket while its end is being sent: the handle would leak, and the process would spin instead of exiting. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
