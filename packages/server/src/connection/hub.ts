/** The part of an instance that a connection needs: the clock, the core, the host, and visits. manager.ts implements it. */

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
  /** The cursor pace that clients have to keep to at the moment. */
  readonly cursorMs: Millis;
  readonly isDegraded: boolean;
  now(): Millis;
  input(input: Input): void;
  moved(seat: Seat, x: number, y: number): void;
  /** The connection has to wait; its `turn` follows. */
  waits(connection: Connection, wait: Wait): void;
  /** The number of members that a message on that board is sent to: its sender pays for each. */
  audienceOf(boardId: BoardId): number;
  /** False: updates and broadcasts on that board have used up its budget. */
  affords(seat: Seat, bytes: number): boolean;
  /** Gives the connection a seat on that board; `leave` gives it back. */
  sit(connection: Connection, boardId: BoardId): Seat;
  leave(seat: Seat): void;
  /** Has the board flushed, for sockets that have drained. */
  touch(board: BoardFanout): void;
  /** The connection refuses a message of its client; `ref` is as in the error. */
  refuses(connection: Connection, code: ErrorCode, ref: string | undefined): void;
  /** The connection is over for that reason. Gives its seats back; its members have that grace. */
  over(connection: Connection, reason: CloseReason, graceMs: Millis): void;
  /** This instance closes the connection, for that reason. */
  closes(reason: CloseReason): void;
  /** The socket is closed; nothing comes of this connection any more. */
  gone(connection: Connection): void;
  /** Has the connection visited several times a second while it `isInHurry`. */
  watch(connection: Connection): void;
}
