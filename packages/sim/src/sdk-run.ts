/**
 * Runs a schedule with whole instances and SDK clients, on virtual time: what an app would be told is judged. Each client's events lead to what it
 * shows, joins and leaves alternate (S6), and once all trouble is over everybody shows who is there (L1).
 */

import { createHash } from "node:crypto";
import type { Millis } from "@presence-service/protocol";
import { Random, WholeWorld } from "@presence-service/server/world";
import { befall, endTrouble, lastsMs } from "./faults.ts";
import type { Finding, Outcome } from "./run.ts";
import type { Schedule } from "./schedule.ts";
import type { Tap } from "./sdk-driver.ts";
import { SdkPeople } from "./sdk-people.ts";
import { type Print, traceOf } from "./sdk-trace.ts";

/**
 * A client notices a connection that is dead after 25 s at the latest, and waits for a while before it connects anew. Its former instance gives the dead
 * connection up after 65 s where nobody looks (45 s until it asks and 20 s for the answer), and its member is shown for a grace of 15 s more. A cluster
 * that heals needs its own time meanwhile.
 */
const EQUAL_MS_MAX: Millis = 85_000;
const WATCH_MS: Millis = 20_000;
const LOOK_MS: Millis = 100;

export async function runWithSdk(
  { seed, trouble, instances, network, steps, endsAt }: Schedule,
  { tap, print }: { readonly tap?: Tap; readonly print?: Print } = {},
): Promise<Outcome> {
  // Where the service draws without the core, as when it sends its clients away.
  const { random } = Math;
  const drawn = new Random(seed);
  Math.random = () => drawn.next();
  const hash = createHash("sha256");
  const findings: Finding[] = [];
  const outcome = { seed, trouble, falseLeaves: 0 };
  try {
    // Redis doubles no message, and SDK clients would show what is said twice.
    const world = await WholeWorld.open({ seed, instances, faults: { ...network, duplicateRate: 0 } });
    const fail = (what: string) => void findings.push({ broken: what.split(":")[0] ?? "", what });
    const trace = print && traceOf(world, print);
    const told = (line: string) => {
      hash.update(`${world.now} ${line}\n`);
      trace?.told(line);
    };
    const people = new SdkPeople(world, told, fail, { ...tap, ...trace?.tap });
    const from = world.now;
    let overAt = from + endsAt;
    for (const step of steps) {
      await world.advance(from + step.at - world.now);
      people.look();
      trace?.step(step);
      if ("fault" in step) {
        befall(world, step, trouble);
        overAt = Math.max(overAt, world.now + lastsMs(step));
      } else if (!step.who.startsWith("c")) people.act(step);
    }
    await world.advance(Math.max(0, overAt - world.now));
    trace?.told("all trouble ends");
    endTrouble(world, trouble);
    const endedAt = world.now;
    let equalMs = Number.POSITIVE_INFINITY;
    let differed = "";
    for (let last = people.difference(); world.now - endedAt < EQUAL_MS_MAX + WATCH_MS; last = people.difference()) {
      if (last !== undefined) equalMs = Number.POSITIVE_INFINITY;
      else if (equalMs === Number.POSITIVE_INFINITY) equalMs = world.now - endedAt;
      if (last !== undefined && last !== differed) trace?.told(last);
      differed = last ?? differed;
      if (world.now - equalMs - endedAt > WATCH_MS) break;
      await world.advance(LOOK_MS);
      people.look();
    }
    if (equalMs > EQUAL_MS_MAX) findings.push({ broken: "L1", what: `not right after ${EQUAL_MS_MAX / 1000} s: ${differed}` });
    return { ...outcome, findings, hash: hash.digest("hex").slice(0, 16), equalMs, sinceConnectedMs: 0, again: [] };
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...outcome, findings: [...findings, { broken: "crash", what }], hash: hash.digest("hex").slice(0, 16) };
  } finally {
    Math.random = random;
  }
}
