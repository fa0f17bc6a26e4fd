/** Fields that grow at the end of messages between instances: the same extra fields as towards clients, ready for the envelope of the service. */

import type { Reader, Writer } from "./bytes.ts";
import { bool, list, optional, recipients, type Shape, struct, varint } from "./fields.ts";
import * as limits from "./limits.ts";
import { OCCUPANCY as OCCUPANCY_FIELDS } from "./message-fields.ts";
import type { Occupancy, Recipients } from "./messages.ts";
import { read } from "./reading.ts";
import { write } from "./writing.ts";

export type BusFields<T> = { readonly write: (to: Writer, value: T) => void; readonly read: (from: Reader) => T };

function extra<T extends object>(shape: Shape<T>): BusFields<T> {
  const fields = struct<T>(shape);
  return { write: (to, value) => write(to, fields, value), read: (from) => read(from, fields) };
}

export const OCCUPANCY: BusFields<Occupancy> = {
  write: (to, value) => write(to, OCCUPANCY_FIELDS, value),
  read: (from) => read(from, OCCUPANCY_FIELDS),
};

export const RECIPIENTS = extra<Recipients>(recipients);

/** Beside the standing of a slice: its owner has clients that observe the board. */
export const OBSERVED = extra<{ readonly observed?: boolean }>({ observed: optional(1, bool) });

type Near = { readonly reach: number; readonly since: number; readonly turn: number };
const count = varint(limits.U32_MAX);
/** Milliseconds since the start of an instance. */
const at = varint(Number.MAX_SAFE_INTEGER);
/**
 * At the end of a heartbeat: its sender has not heard which counts are wanted; it says some of its beats to its group only; its own time; its
 * boards are spread over the masters of a Cluster; it hears moves on a channel of its own.
 */
export const HEARTBEAT = extra<{
  readonly wanting?: boolean;
  readonly near?: Near;
  readonly at?: number;
  readonly spread?: boolean;
  readonly moves?: boolean;
}>({
  wanting: optional(1, bool),
  near: optional(2, struct<Near>({ reach: count, since: count, turn: count })),
  at: optional(3, at),
  spread: optional(4, bool),
  moves: optional(5, bool),
});

/** At the end of a change of a slice, or of a whole one: when a member came or left by the last change. */
export const TIMED = extra<{ readonly at?: number }>({ at: optional(1, at) });
/** At the end of a kick: tokens of that person that were issued at this time since 1970 or before are void. */
export const VOIDING = extra<{ readonly voidBefore?: number }>({ voidBefore: optional(1, varint(limits.TIME_MAX)) });
/** The same as `TIMED` for each of several changes; 0: nobody came or left by it. */
export const TIMES = extra<{ readonly times?: readonly number[] }>({ times: optional(1, list(at)) });
