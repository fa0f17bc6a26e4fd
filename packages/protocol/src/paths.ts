/**
 * The path of a fast cursor, for clients and for the bus: when its mover was at the place that is told, by the mover's own clock, and
 * where it was shortly before. Only movers that ask for it tell one; all others cost nothing here.
 */

import type { Reader, Writer } from "./bytes.ts";
import * as f from "./fields.ts";
import { type Field, list, optional, type Shape, struct } from "./fields.ts";
import * as limits from "./limits.ts";
import type { CursorPath, CursorPathOf, PathPoint } from "./messages.ts";

/** The key of the extra field that holds paths, in `cursor`, in `cursors` and on the bus. */
export const PATH_KEY = 1;

export const u16: Field<number> = { write: (to, value) => to.u16(value), read: (from) => from.u16(), check: f.integer(0, 0xffff) };

/** 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …: a short way is a short number in either direction. */
const distance: Field<number> = {
  write: (to, value) => to.varint(value < 0 ? -2 * value - 1 : 2 * value),
  read(from) {
    const folded = from.varint(2 * limits.COORDINATE_MAX);
    return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
  },
  check: f.xy.check,
};

const ms: Field<number> = {
  write: (to, value) => to.u8(value),
  read(from) {
    const value = from.u8();
    if (value === 0) from.fail();
    return value;
  },
  check: f.integer(1, limits.PATH_MS_MAX),
};

const earlier = list(listed<PathPoint>({ ms, dx: distance, dy: distance }), limits.PATH_POINTS_MAX);

export const path = listed<CursorPath>({ stamp: u16, earlier });
const pathOf = listed<CursorPathOf>({ actor: f.actor, stamp: u16, earlier });

export const paths = list(pathOf);

/** At the end of `cursors`, between instances as towards clients. */
const PATHS = struct<{ readonly paths?: readonly CursorPathOf[] }>({ paths: optional(PATH_KEY, paths) });

export function writePaths(to: Writer, paths: readonly CursorPathOf[] | undefined): void {
  if (paths !== undefined && paths.length > 0) PATHS.write(to, { paths });
}

/** Without a path nothing is created. */
export function readPaths(from: Reader): { readonly paths?: readonly CursorPathOf[] } {
  return from.remaining > 0 ? PATHS.read(from) : NONE;
}

const NONE = {};

/** Fields in a row. Something else follows them, so there is no room for extra fields. */
function listed<T extends object>(fields: Shape<T>): Field<T> {
  const { write, check } = struct<T>(fields);
  const inOrder = Object.entries(fields) as [keyof T, Field<T[keyof T]>][];
  return {
    write,
    read(from) {
      const value: Partial<T> = {};
      for (const [name, field] of inOrder) value[name] = field.read(from);
      return value as T;
    },
    check,
  };
}
