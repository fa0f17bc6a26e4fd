/**
 * The path of a fast cursor, for clients and for the bus: when its mover was at the place that is told, by the mover's own clock, and
 * where it was shortly before. Only movers that ask for it tell one; all others cost nothing here.
 */

import type { Reader, Writer } from "./bytes.ts";
import { optional, PATH_KEY, paths, struct } from "./fields.ts";
import type { CursorPathOf } from "./messages.ts";
import { read } from "./reading.ts";
import { write } from "./writing.ts";

/** At the end of `cursors`, between instances as towards clients. */
const PATHS = struct<{ readonly paths?: readonly CursorPathOf[] }>({ paths: optional(PATH_KEY, paths) });

export function writePaths(to: Writer, paths: readonly CursorPathOf[] | undefined): void {
  if (paths !== undefined && paths.length > 0) write(to, PATHS, { paths });
}

/** Without a path nothing is created. */
export function readPaths(from: Reader): { readonly paths?: readonly CursorPathOf[] } {
  return from.remaining > 0 ? read(from, PATHS) : NONE;
}

const NONE = {};
