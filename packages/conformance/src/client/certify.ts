/** Certifies a client: plays all cases about clients, each with a process of its own. */

import { type Results, runCases } from "../cases.ts";
import { CLIENT_BOARD_CASES } from "./cases-boards.ts";
import { CLIENT_CONNECTION_CASES } from "./cases-connecting.ts";
import { CLIENT_ROSTER_CASES } from "./cases-rosters.ts";
import { CLIENT_WATCH_CASES } from "./cases-watching.ts";
import type { Also, ClientCase } from "./play.ts";

/** Most cases wait; a slow machine must still start this many programs at once. */
const AT_ONCE = 12;

/** First those that take long. */
export const CLIENT_CASES: readonly ClientCase[] = [
  ...CLIENT_CONNECTION_CASES,
  ...CLIENT_BOARD_CASES,
  ...CLIENT_ROSTER_CASES,
  ...CLIENT_WATCH_CASES,
];

export function certifyClient(
  command: string,
  isWanted: (name: string) => boolean = () => true,
  also: readonly Also[] = [],
): Promise<Results> {
  return runCases(
    CLIENT_CASES.filter(({ name }) => isWanted(name)),
    () => ({ command, also }),
    AT_ONCE,
  );
}
