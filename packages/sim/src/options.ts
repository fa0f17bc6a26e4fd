/** The options of `npm run sim`. Throws a sentence that says which one is wrong. */

import { parseArgs } from "node:util";
import { ABLATIONS, type Ablation } from "./ablations.ts";
import { CLIENTS, type Clients } from "./campaign.ts";
import { TROUBLE_NAMES, type TroubleName } from "./faults.ts";
import { SIZE_NAMES, SIZES, type Size } from "./schedule.ts";

export type Options = {
  readonly firstSeed: number;
  readonly runs: number;
  readonly size: Size;
  readonly troubles: readonly TroubleName[];
  readonly ablations: readonly Ablation[];
  /** A file with a schedule, instead of seeds. */
  readonly schedule: string | undefined;
  /** A recording of an instance, instead of seeds. */
  readonly replay: string | undefined;
  /** From which virtual millisecond on each step is printed. */
  readonly traceFrom: number | undefined;
  /** Threads. */
  readonly workers: number;
  /** A file that tells how far a campaign is. */
  readonly progress: string | undefined;
  /** A folder with the core of another release, which half of the instances run. */
  readonly peerCore: string | undefined;
  readonly clients: Clients;
  readonly json: boolean;
  readonly shrinks: boolean;
};

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      runs: { type: "string" },
      world: { type: "string", default: "small" },
      instances: { type: "string" },
      boards: { type: "string" },
      people: { type: "string" },
      trouble: { type: "string", default: TROUBLE_NAMES.join() },
      ablate: { type: "string" },
      schedule: { type: "string" },
      replay: { type: "string" },
      trace: { type: "string" },
      workers: { type: "string", default: "1" },
      progress: { type: "string" },
      "peer-core": { type: "string" },
      clients: { type: "string", default: "model" },
      json: { type: "boolean", default: false },
      "no-shrink": { type: "boolean", default: false },
    },
  });
  if (values.clients === "sdk")
    for (const option of ["ablate", "peer-core"] as const)
      if (values[option] !== undefined) throw new Error(`--${option} is for the clients of the model: leave out --clients sdk`);
  const { seed, runs = seed === undefined ? "100" : "1", ablate, trace } = values;
  const size: Size = SIZES[one("world", values.world, SIZE_NAMES)];
  const number = (option: "instances" | "boards" | "people") => whole(option, values[option] ?? String(size[option]));
  return {
    firstSeed: whole("seed", seed ?? "1"),
    runs: whole("runs", runs),
    size: { ...size, instances: number("instances"), boards: number("boards"), people: number("people") },
    troubles: values.trouble.split(",").map((name) => one("trouble", name, TROUBLE_NAMES)),
    ablations: ablate === undefined ? [] : ablate === "all" ? ABLATIONS : ablate.split(",").map(ablationNamed),
    schedule: values.schedule,
    replay: values.replay,
    traceFrom: trace === undefined ? undefined : whole("trace", trace, 0),
    workers: trace === undefined ? whole("workers", values.workers) : 1,
    progress: values.progress,
    peerCore: values["peer-core"],
    clients: one("clients", values.clients, CLIENTS),
    json: values.json,
    shrinks: !values["no-shrink"],
  };
}

function ablationNamed(name: string): Ablation {
  const rule = one(
    "ablate",
    name,
    ABLATIONS.map((ablation) => ablation.rule),
  );
  return ABLATIONS.find((ablation) => ablation.rule === rule) as Ablation;
}

function one<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new Error(`--${option} must be of ${choices.join(", ")}, not ${value}`);
  return found;
}

function whole(option: string, text: string, min = 1): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < min) throw new Error(`--${option} must be a whole number from ${min} on, not ${text}`);
  return number;
}
