/** What a connection needs of its instance: the clock, the core, the host, and to be looked after. manager.ts is one. */

import type { BoardId, CloseReason, ErrorCode, Millis } from "@presence-service/protocol";
import type { Input } from "../core/effects.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { BoardFanout, Seat } from "./board-fanout.ts";
import type { Wait } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { Host } from "./host.ts";

export interface Hub {
  readonly instanceId: string;
  readonly metrics: Metrics;
  readonly host: Host;
  /** The pace for clients at the moment. */
  readonly cursorMs: Millis;
  readonly isDegraded: boolean;
  now(): Millis;
  input(input: Input): void;
  moved(seat: Seat, x: number, y: number): void;
  /** The connection has to wait; its `turn` follows. */
  waits(connection: Connection, wait: Wait): void;
  /** How many members such a message is told to: what it costs its sender. */
  audienceOf(boardId: BoardId): number;
  /** False: too much is told on that board already. */
  affords(seat: Seat, bytes: number): boolean;
  /** A place on that board; given back by `leave`. */
  sit(connection: Connection, boardId: BoardId): Seat;
  leave(seat: Seat): void;
  /** The board is due for sockets that have drained. */
  touch(board: BoardFanout): void;
  /** It refuses a message of its client; `ref` as the client is told. */
  refuses(connection: Connection, code: ErrorCode, ref: string | undefined): void;
  /** For that reason its seats are given back; its members are lost with that grace. */
  over(connection: Connection, reason: CloseReason, graceMs: Millis): void;
  /** We close it, and why. */
  closes(reason: CloseReason): void;
  /** The socket is closed; nothing comes of this connection any more. */
  gone(connection: Connection): void;
  /** It is to be looked after several times a second, while it `isInHurry`. */
  watch(connection: Connection): void;
}
