/** One run of people who have joined and do nothing: the memory of a connection, and the CPU of all of them. */

import { setTimeout as wait } from "node:timers/promises";
import type { Cluster } from "../cluster.ts";
import { type Crowd, costsOf, gather, leave, noneLost, placesOf, quiet, residentMb } from "./crowd.ts";
import type { Times } from "./cursors.ts";
import type { Run } from "./figures.ts";
import type { Enter } from "./person.ts";

/** The first people load code that all later ones use too. */
const FIRST: Crowd = { boards: 4, boardSize: 10, isKnown: true };

export async function still(cluster: Cluster, enter: Enter, crowd: Crowd, { seconds, warmUpSeconds }: Times): Promise<Run> {
  const places = placesOf(cluster, crowd);
  const first = await gather(
    placesOf(cluster, FIRST, places.length).map((place) => ({ ...place, board: `first-${place.board}` })),
    enter,
    () => {},
  );
  await wait(warmUpSeconds * 1000);
  const rssBefore = residentMb(cluster);
  const people = await gather(places, enter, () => {});
  try {
    await quiet(people);
    await wait(warmUpSeconds * 1000);
    const rssAfter = residentMb(cluster);
    const before = costsOf(cluster, []);
    await wait(seconds * 1000);
    const after = costsOf(cluster, []);
    noneLost(people);
    const measured = (after.at - before.at) / 1000;
    return {
      figures: {
        rssEach: ((rssAfter - rssBefore) * 1000) / people.length,
        idlePercent: (100 * (after.instances - before.instances + after.redis - before.redis)) / measured,
        rss: rssAfter,
      },
      generator: (after.generator - before.generator) / measured,
    };
  } finally {
    leave([...first, ...people]);
  }
}
