/** The parts of an instance that a connection uses, in one place: manager.ts is the hub. */

import type { Bounds } from "../bounds.ts";
import type { Clock } from "../clock.ts";
import type { Input } from "../core/effects.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Tracing } from "../telemetry/tracing.ts";
import type { Budgets } from "./budget.ts";
import type { Gate } from "./gate.ts";
import type { Host } from "./host.ts";
import type { Journal } from "./journal.ts";
import type { Guest, Lobby } from "./lobby.ts";
import type { LocalBoards } from "./local-boards.ts";
import type { Users } from "./users.ts";
import type { Watching } from "./watching.ts";

export interface Hub {
  readonly instanceId: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly journal: Journal;
  /** undefined: nobody traces. */
  readonly tracing: Tracing | undefined;
  readonly host: Host;
  readonly gate: Gate;
  readonly bounds: Bounds;
  /** Of each connection. */
  readonly budgets: Budgets;
  readonly users: Users;
  readonly lobby: Lobby<Guest>;
  readonly boards: LocalBoards;
  readonly watching: Watching;
  /** Other instances are out of reach. */
  readonly isDegraded: boolean;
  readonly isStopping: boolean;
  /** Gives the core a fact. */
  input(input: Input): void;
}
