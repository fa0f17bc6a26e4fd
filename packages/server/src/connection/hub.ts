/** The part of an instance that a connection needs: the clock, the core, the host, and visits. manager.ts implements it. */

import type { CloseReason, ErrorCode, Millis } from "@presence-service/protocol";
import type { Input } from "../core/effects.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Wait } from "./budget.ts";
import type { Connection } from "./connection.ts";
import type { Host } from "./host.ts";
import type { LocalBoards } from "./local-boards.ts";

export interface Hub {
  readonly instanceId: string;
  readonly metrics: Metrics;
  readonly host: Host;
  readonly boards: LocalBoards;
  readonly isDegraded: boolean;
  now(): Millis;
  input(input: Input): void;
  /** The connection has to wait; its `turn` follows. */
  waits(connection: Connection, wait: Wait): void;
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
