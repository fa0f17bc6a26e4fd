/**
 * Runs the verifier of Spin on a model of packages/sim/model. It judges nothing: a test, or the command, compares with what is demanded.
 */

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MODELS = fileURLToPath(new URL("../../model", import.meta.url));

export type Model = "slice" | "sessions";

/** The outcome of all runs that the model can do. */
export type Verdict = {
  readonly states: number;
  /** The first thing that is wrong, in the words of the verifier; undefined: nothing is. */
  readonly wrong: string | undefined;
};

/** `settings` such as `LOSES` or `CHANGES=3` are the model's; each is explained at its top. */
export async function verify(model: Model, settings: readonly string[]): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), "presence-model-"));
  try {
    const run = (program: string, args: readonly string[]) => promisify(execFile)(program, args, { cwd: folder, maxBuffer: 1 << 26 });
    await run("spin", ["-a", ...settings.map((setting) => `-D${setting}`), join(MODELS, `${model}.pml`)]);
    const checksLiveness = model === "slice";
    // Without a clause something is wrong soon: there compiling takes longest.
    const optimized = settings.some((setting) => setting.startsWith("OFF_")) ? "-O0" : "-O1";
    // Fairness: each part of the model goes on, if it can.
    await run("cc", ["-w", optimized, ...(checksLiveness ? ["-DNFAIR=3"] : ["-DSAFETY"]), "-o", "pan", "pan.c"]);
    const { stdout } = await run("./pan", ["-m1000000", ...(checksLiveness ? ["-a", "-f"] : ["-E"])]);
    const states = /^ *([\d.e+]+) states, stored/m.exec(stdout)?.[1];
    const errors = /errors: (\d+)/.exec(stdout)?.[1];
    if (states === undefined || errors === undefined || stdout.includes("search depth too small"))
      throw new Error(`the verifier did not get to an end:\n${stdout}`);
    return { states: Number(states), wrong: errors === "0" ? undefined : (/^pan:1: (.*?) \(at depth/m.exec(stdout)?.[1] ?? stdout) };
  } finally {
    await rm(folder, { recursive: true });
  }
}
