/** The scenarios by name, each a load or more. */

import type { Cluster } from "../cluster.ts";
import { wrong } from "../options.ts";
import { type CursorLoad, cursors, type Times } from "./cursors.ts";
import type { Run } from "./figures.ts";
import type { Enter } from "./person.ts";

export type Load = { readonly title: string; readonly run: (cluster: Cluster, enter: Enter, times: Times) => Promise<Run> };

const SCENARIOS: Readonly<Record<string, readonly Load[]>> = {
  "hot-board": [moving("100 on one board, 20 moves/s each", { boards: 1, boardSize: 100, movesPerSecond: 20, moving: 1 })],
  "small-boards": [
    moving("10 on one board, 20 moves/s each", { boards: 1, boardSize: 10, movesPerSecond: 20, moving: 1 }),
    moving("200 boards of 10, a fifth moves, 20 moves/s each", { boards: 200, boardSize: 10, movesPerSecond: 20, moving: 0.2 }),
  ],
};

export function scenarioNamed(name: string): readonly Load[] {
  const found = SCENARIOS[name];
  if (found === undefined) throw wrong(`--scenario is ${name}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  return found;
}

function moving(title: string, load: CursorLoad): Load {
  return { title, run: (cluster, enter, times) => cursors(cluster, enter, load, times) };
}
