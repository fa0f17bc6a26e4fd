/** A board's roster, as it is shown at one moment. */

import type { RosterEntry } from "@presence-service/protocol";
import type { Board } from "./board.ts";
import type { Counts, RosterView } from "./effects.ts";

/** `board` undefined: it is not here, and nobody is shown on it. */
export function rosterView(board: Board | undefined, settling: boolean, counts: Counts): RosterView {
  let entries: readonly RosterEntry[] | undefined;
  return {
    settling,
    degraded: board?.isDegraded === true,
    ...counts,
    get entries() {
      entries ??= board?.roster.entries() ?? [];
      return entries;
    },
  };
}
