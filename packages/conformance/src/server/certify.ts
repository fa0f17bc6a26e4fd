/** Certifies a server: plays all cases about servers against it, in each encoding. */

import { type Case, type Results, runCases } from "../cases.ts";
import { BOARD_CASES } from "./cases-boards.ts";
import { CLASSIC_CASES } from "./cases-classic.ts";
import { CONNECTION_CASES, UPGRADE_CASES } from "./cases-connecting.ts";
import { HOST_CASES } from "./cases-host.ts";
import { INPUT_CASES } from "./cases-input.ts";
import { ROSTER_CASES } from "./cases-rosters.ts";
import { type Host, Scene } from "./scene.ts";
import type { Encoding } from "./visitor.ts";

export type { Host };

/** Most cases wait for the longest ones: a client that says nothing is lost after 20 to 25 s. */
const AT_ONCE = 24;
const ENCODINGS: readonly Encoding[] = ["presence.v2", "presence.v2.json"];
const SCENES = [...CONNECTION_CASES, ...HOST_CASES, ...BOARD_CASES, ...ROSTER_CASES, ...INPUT_CASES];

export const SERVER_CASES: readonly Case<Host>[] = [
  ...SCENES.flatMap((one) => ENCODINGS.map((encoding) => inEncoding(one, encoding))),
  ...UPGRADE_CASES,
  ...CLASSIC_CASES.map((one) => ({ ...one, name: `classic: ${one.name}` })),
];

export function certifyServer(host: Host, isWanted: (name: string) => boolean = () => true): Promise<Results> {
  const wanted = SERVER_CASES.filter(({ name }) => isWanted(name));
  return runCases(wanted, () => host, AT_ONCE);
}

function inEncoding({ name, says, skip, run }: Case<Scene>, encoding: Encoding): Case<Host> {
  return {
    name: `${encoding}: ${name}`,
    says,
    ...(skip && { skip: (host) => skip(new Scene(host, encoding)) }),
    run: (host) => run(new Scene(host, encoding)),
  };
}
