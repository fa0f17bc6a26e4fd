/** The scenarios by name, each a load or more. */

import type { Cluster } from "../cluster.ts";
import { wrong } from "../options.ts";
import type { Crowd } from "./crowd.ts";
import { type CursorLoad, cursors, type Times } from "./cursors.ts";
import type { Run } from "./figures.ts";
import type { Enter } from "./person.ts";
import { still } from "./still.ts";
import { type StormLoad, storm } from "./storms.ts";

/** `scale` 0.1: a tenth of the people, to try the tool. */
export type Trial = Times & { readonly scale: number };

export type Load = { readonly title: string; readonly run: (cluster: Cluster, enter: Enter, trial: Trial) => Promise<Run> };

export const SCENARIOS: Readonly<Record<string, readonly Load[]>> = {
  "hot-board": [moving("100 on one board, 20 moves/s each", { boards: 1, boardSize: 100, movesPerSecond: 20, moving: 1 })],
  "small-boards": [
    moving("10 on one board, 20 moves/s each", { boards: 1, boardSize: 10, movesPerSecond: 20, moving: 1 }),
    moving("200 boards of 10, a fifth moves, 20 moves/s each", { boards: 200, boardSize: 10, movesPerSecond: 20, moving: 0.2 }),
    moving("1 000 boards of 2, a fifth moves, 20 moves/s each", { boards: 1000, boardSize: 2, movesPerSecond: 20, moving: 0.2 }),
  ],
  "mostly-idle": [
    moving("200 boards of 10, one in fifty moves, 20 moves/s each", { boards: 200, boardSize: 10, movesPerSecond: 20, moving: 0.02 }),
  ],
  "join-storm": [storms("1 000 join one board within 2 s", { boards: 1, boardSize: 1000, withinSeconds: 2, again: false })],
  "reconnect-storm": [
    storms("1 000 on one board lose their connections and come back within 2 s", {
      boards: 1,
      boardSize: 1000,
      withinSeconds: 2,
      again: true,
    }),
  ],
  "slow-readers": [
    moving("50 on one board, 20 moves/s each, and 20 more who read nothing", {
      boards: 1,
      boardSize: 50,
      movesPerSecond: 20,
      moving: 1,
      frozen: 20,
    }),
  ],
  idle: [stills("2 000 joined on boards of 10, who do nothing", { boards: 200, boardSize: 10 })],
  "huge-board": [
    moving("1 000 on one board, one in twenty moves, 10 moves/s each", { boards: 1, boardSize: 1000, movesPerSecond: 10, moving: 0.05 }),
  ],
};

export function scenarioNamed(name: string): readonly Load[] {
  const found = SCENARIOS[name];
  if (found === undefined) throw wrong(`--scenario is ${name}; there are ${Object.keys(SCENARIOS).join(", ")}`);
  return found;
}

function moving(title: string, load: CursorLoad): Load {
  return { title, run: (cluster, enter, trial) => cursors(cluster, enter, scaled(load, trial), trial) };
}

function storms(title: string, load: StormLoad): Load {
  return { title, run: (cluster, enter, trial) => storm(cluster, enter, scaled({ ...load, isKnown: true }, trial)) };
}

function stills(title: string, crowd: Crowd): Load {
  return { title, run: (cluster, enter, trial) => still(cluster, enter, scaled({ ...crowd, isKnown: true }, trial), trial) };
}

/** Fewer boards, or where there is one, fewer people on it. */
function scaled<C extends Crowd>(crowd: C, { scale }: Trial): C {
  const part = (count: number) => Math.max(2, Math.round(count * scale));
  return crowd.boards > 1 ? { ...crowd, boards: part(crowd.boards) } : { ...crowd, boardSize: part(crowd.boardSize) };
}
