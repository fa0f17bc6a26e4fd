/**
 * One run of people who come to a board all within a short time, for the first time or again: everybody's connection has been lost at once. Each comes at a time
 * that is fixed beforehand and is timed from then on until the service has told who is on the board. The cost includes telling the others.
 */

import { setTimeout as wait } from "node:timers/promises";
import type { Cluster } from "../cluster.ts";
import { Histogram } from "../histogram.ts";
import { allJoined, bytesOf, type Crowd, costsOf, gather, leave, placesOf, quiet } from "./crowd.ts";
import type { Run } from "./figures.ts";
import type { Enter, Person, Place } from "./person.ts";

export type StormLoad = Crowd & {
  /** All come within this time, evenly. */
  readonly withinSeconds: number;
  /** They have been there before. */
  readonly again: boolean;
};

/** The first people load code that all later ones use too. */
const FIRST: Crowd = { boards: 1, boardSize: 10, isKnown: true };

export async function storm(cluster: Cluster, enter: Enter, load: StormLoad): Promise<Run> {
  const places = placesOf(cluster, load);
  const first = await gather(placesOf(cluster, FIRST, places.length).map(apart), enter, () => {});
  let people: Person[] = [];
  try {
    if (load.again) {
      const before = await gather(places, enter, () => {});
      await quiet(before);
      leave(before);
    } else await quiet(first);
    const before = costsOf(cluster, []);
    const lateness = new Histogram();
    const joins = new Histogram();
    const startedAt = performance.now();
    const dueAt = places.map((_, nth) => startedAt + (nth * load.withinSeconds * 1000) / places.length);
    const coming: Promise<Person>[] = [];
    for (const [nth, place] of places.entries()) {
      const due = dueAt[nth] ?? 0;
      const early = due - performance.now();
      if (early > 0) await wait(early);
      lateness.add(performance.now() - due);
      coming.push(enter(place, () => {}));
    }
    people = await Promise.all(coming);
    await allJoined(people);
    for (const [nth, { joinedAt = 0 }] of people.entries()) joins.add(joinedAt - (dueAt[nth] ?? 0));
    await quiet(people);
    const after = costsOf(cluster, []);
    return {
      figures: {
        joinP50: joins.quantile(0.5),
        joinP99: joins.quantile(0.99),
        allMs: Math.max(...people.map(({ joinedAt = 0 }) => joinedAt)) - startedAt,
        stormCpu: after.instances - before.instances + after.redis - before.redis,
        stormKb: bytesOf(people) / people.length / 1000,
      },
      lateP50: lateness.quantile(0.5),
      lateP99: lateness.quantile(0.99),
      generator: ((after.generator - before.generator) * 1000) / (after.at - before.at),
    };
  } finally {
    leave([...first, ...people]);
  }
}

/** On a board of their own. */
function apart(place: Place): Place {
  return { ...place, board: "first" };
}
