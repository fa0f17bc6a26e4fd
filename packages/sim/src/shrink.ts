/**
 * Makes a schedule that fails shorter, as long as it fails in the same way: whole stretches of steps go first, then single ones, then
 * losses, instances and time (delta debugging). It knows nothing of Worlds: the caller says what fails.
 */

import type { Schedule, Step } from "./schedule.ts";

export type ShrinkOptions = {
  readonly fails: (schedule: Schedule) => boolean | Promise<boolean>;
  /** Runs at most; what is shortest by then is the answer. */
  readonly triesMax: number;
};

export async function shrink(schedule: Schedule, { fails, triesMax }: ShrinkOptions): Promise<Schedule> {
  let best = schedule;
  let tries = 0;
  const attempt: Attempt = async (candidate) => {
    if (tries >= triesMax) return false;
    tries++;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = Number.POSITIVE_INFINITY; sizeOf(best) < size; ) {
    size = sizeOf(best);
    await dropSteps(() => best, attempt);
    for (const simpler of [calmer, sooner, shorter, fewerInstances]) while (await attemptOne(simpler(best), attempt));
    for (let index = 0; index < best.steps.length; index++) while (await attemptStep(() => best, index, attempt));
  }
  return best;
}

type Attempt = (candidate: Schedule) => Promise<boolean>;

async function attemptOne(candidates: readonly Schedule[], attempt: Attempt): Promise<boolean> {
  for (const candidate of candidates) if (await attempt(candidate)) return true;
  return false;
}

async function dropSteps(best: () => Schedule, attempt: Attempt): Promise<void> {
  for (let length = Math.ceil(best().steps.length / 2); length >= 1; length = Math.floor(length / 2))
    for (let from = 0; from < best().steps.length; ) {
      const { steps } = best();
      if (!(await attempt({ ...best(), steps: [...steps.slice(0, from), ...steps.slice(from + length)] }))) from += length;
    }
}

/** Fewer losses on the bus. */
function calmer(schedule: Schedule): Schedule[] {
  const { network } = schedule;
  const changes = [...(network.lossRate > 0 ? [{ lossRate: 0 }] : []), ...(network.duplicateRate > 0 ? [{ duplicateRate: 0 }] : [])];
  return changes.map((change) => ({ ...schedule, network: { ...network, ...change } }));
}

/** The longest wait between two steps is halved. */
function sooner(schedule: Schedule): Schedule[] {
  const waits = schedule.steps.map(({ at }, index) => at - (schedule.steps[index - 1]?.at ?? 0));
  const longest = Math.max(0, ...waits);
  if (longest <= 100) return [];
  const from = waits.indexOf(longest);
  const cut = Math.ceil(longest / 2);
  const steps = schedule.steps.map((step, index) => (index < from ? step : { ...step, at: step.at - cut }));
  return [{ ...schedule, steps, endsAt: schedule.endsAt - cut }];
}

/** An earlier end: faults end by themselves, and those that would go on are mended then. */
function shorter(schedule: Schedule): Schedule[] {
  const lastAt = schedule.steps.at(-1)?.at ?? 0;
  const ends = [lastAt, lastAt + 1_000, Math.floor((lastAt + schedule.endsAt) / 2)];
  return ends.filter((endsAt) => endsAt < schedule.endsAt - 100).map((endsAt) => ({ ...schedule, endsAt }));
}

function fewerInstances(schedule: Schedule): Schedule[] {
  const { instances } = schedule;
  return [2, 3, Math.floor(instances / 2), instances - 1]
    .filter((fewer) => fewer >= 2 && fewer < instances)
    .map((fewer) => ({ ...schedule, instances: fewer }));
}

/** A shorter fault. */
async function attemptStep(best: () => Schedule, index: number, attempt: Attempt): Promise<boolean> {
  const step = best().steps[index];
  if (step === undefined || !("fault" in step) || step.forMs <= 100) return false;
  const shorterStep: Step = { ...step, forMs: Math.floor(step.forMs / 2) };
  return attempt({ ...best(), steps: best().steps.with(index, shorterStep) });
}

function sizeOf({ steps, instances, endsAt }: Schedule): number {
  return steps.length * 1e9 + instances * 1e7 + Math.min(endsAt, 1e7 - 1);
}
