/**
 * The page's own line to the service: a driver of the SDK that shows every frame, and can be cut, paused and made slow. It changes no frame, and
 * keeps their order. It knows no message.
 */

import type { Driver, DriverSocket, SocketEvents } from "@presence-service/client";
import type { Bytes } from "@presence-service/protocol";

export type Direction = "in" | "out";

export type LineWatch = {
  /** A frame gets through. */
  passed(direction: Direction, bytes: Uint8Array): void;
  /** `code`: with which it ended. */
  happened(what: "connecting" | "opened" | "closed" | "cut", code?: number): void;
};

type Waiting = { readonly dueAt: number; readonly run: () => void; readonly isClose: boolean };

/** A busy board that is paused for long: then the line is cut, and the SDK gets a fresh roster. */
const WAITING_MAX = 5000;
/**
 * A page cannot break a connection, so it is closed with the code for that: the service keeps the member as long as if it had broken ("unresponsive" in
 * docs/PROTOCOL.md).
 */
const BROKEN = 4001;
const LOST = 1006;

export class Line {
  readonly #base: Driver;
  readonly #watch: LineWatch;
  #isPaused = false;
  #delayMs = 0;
  /** In order, and so are their times. */
  readonly #waiting: Waiting[] = [];
  #cancelTimer = () => {};
  /** Breaks each connection that is open. */
  readonly #live = new Set<() => void>();

  constructor(base: Driver, watch: LineWatch) {
    this.#base = base;
    this.#watch = watch;
  }

  /** Without storage: a session of this page ends with it. */
  get driver(): Driver {
    const { sessions: _, ...rest } = this.#base;
    return { ...rest, connect: (url, protocol, events) => this.#connect(url, protocol, events) };
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    this.#pump();
  }

  /** Each way takes so much longer. */
  set delayMs(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** Breaks the connection, once: the SDK makes another one. */
  cut(): void {
    for (const breakNow of [...this.#live]) breakNow();
  }

  #connect(url: string, protocol: string | undefined, events: SocketEvents): DriverSocket {
    /** Nothing more is told: it was closed by either side. */
    let isOver = false;
    const live = (run: () => void) => this.#after(() => isOver || run());
    const end = () => {
      isOver = true;
      this.#live.delete(breakNow);
    };
    const socket = this.#base.connect(url, protocol, {
      opened: (agreed) =>
        live(() => {
          this.#watch.happened("opened");
          events.opened(agreed);
        }),
      received: (bytes) =>
        live(() => {
          this.#watch.passed("in", bytes);
          events.received(bytes);
        }),
      closed: (code, reason) =>
        live(() => {
          end();
          this.#watch.happened("closed", code);
          events.closed(code, reason);
        }),
    });
    const breakNow = () => {
      end();
      socket.close(BROKEN);
      this.#watch.happened("cut");
      events.closed(LOST);
    };
    this.#live.add(breakNow);
    this.#watch.happened("connecting");
    return {
      send: (bytes: Bytes) =>
        live(() => {
          this.#watch.passed("out", bytes);
          socket.send(bytes);
        }),
      close: (code) => {
        // A connection that still waits is given up by the page, and the service hears of it when the line lets that through.
        const wasOver = isOver;
        end();
        if (wasOver) return;
        this.#after(() => socket.close(code), true);
        this.#watch.happened("closed", code);
      },
    };
  }

  #after(run: () => void, isClose = false): void {
    if (!this.#isPaused && this.#delayMs === 0 && this.#waiting.length === 0) return run();
    const last = this.#waiting.at(-1)?.dueAt ?? 0;
    this.#waiting.push({ dueAt: Math.max(last, this.#base.now() + this.#delayMs), run, isClose });
    // Not within this call: it may be one of the SDK's.
    if (this.#waiting.length > WAITING_MAX) this.#base.setTimer(() => this.#overflow(), 0);
    else this.#pump();
  }

  #overflow(): void {
    if (this.#waiting.length <= WAITING_MAX) return;
    // Sockets that the SDK has given up are closed all the same.
    this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter(({ isClose }) => isClose));
    this.cut();
  }

  /** Lets through what is due, from a timer and never within the call of a driver. */
  #pump(): void {
    this.#cancelTimer();
    const [next] = this.#waiting;
    if (next === undefined || this.#isPaused) return;
    this.#cancelTimer = this.#base.setTimer(
      () => {
        while (!this.#isPaused && (this.#waiting[0]?.dueAt ?? Number.POSITIVE_INFINITY) <= this.#base.now()) this.#waiting.shift()?.run();
        this.#pump();
      },
      Math.max(0, next.dueAt - this.#base.now()),
    );
  }
}
