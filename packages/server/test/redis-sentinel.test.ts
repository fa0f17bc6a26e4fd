/** Failovers of a master that Sentinels watch, with real processes: rosters are equal soon after, and nobody was shown leaving. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, Instance, Sentinels, Team, throughout } from "./harness/index.ts";

/** From the moment at which the new master takes commands. */
const EQUAL_MS = 3000;

/** How a former master comes to an end, and comes back. */
const FAULTS = {
  "kill -9": {
    strike: ({ former }) => former.kill(),
    mend: ({ former }) => former.restart(),
  },
  SIGSTOP: {
    strike: async ({ former }) => former.pause(),
    mend: async ({ former }) => former.resume(),
  },
  "SENTINEL FAILOVER": {
    strike: ({ group }) => group.sentinels[0]?.cli("SENTINEL", "FAILOVER", group.name),
    mend: async () => {},
  },
} satisfies Record<
  string,
  Record<"strike" | "mend", (at: { group: Sentinels; former: Sentinels["servers"][number] }) => Promise<unknown> | undefined>
>;

test("failovers", { concurrency: true, timeout: 60_000 }, (t) => {
  for (const [fault, { strike, mend }] of Object.entries(FAULTS)) {
    void t.test(
      `[R9] ${fault}: rosters are equal 3 s after the new master serves, also when the former one is back; nobody leaves`,
      async (t) => {
        const group = await Sentinels.start(t);
        const instances = await Promise.all([1, 2, 3].map(() => Instance.start(t, { redisUrl: group.url })));
        const team = await Team.start(t, instances);
        const former = await group.master();
        await strike({ group, former });
        const struckAt = performance.now();
        const successor = await group.failedOver(former);
        const servesAt = performance.now();
        team.change();
        const at = `127.0.0.1:${successor.port}`;
        await eventually(
          async () => {
            const healths = await Promise.all(instances.map((instance) => instance.health()));
            return healths.every(({ redis }) => redis.publisherAt === at && redis.subscriberAt === at);
          },
          { what: "all are at the new master", withinMs: EQUAL_MS },
        );
        const movedAt = performance.now();
        await team.equal("rosters are equal", EQUAL_MS - (performance.now() - servesAt));
        const equalAt = performance.now();
        t.diagnostic(
          `the new master serves after ${Math.round(servesAt - struckAt)} ms; all are there ${Math.round(movedAt - servesAt)} ms later, rosters equal after ${Math.round(equalAt - servesAt)} ms`,
        );
        team.calm();

        await mend({ group, former });
        // Sentinels ask a server for its role every 10 s, and give one that calls itself master 8 s to change its mind.
        await eventually(async () => String(await former.cli("ROLE")).startsWith("slave"), {
          what: "the former master is a replica",
          withinMs: 30_000,
        });
        team.change();
        await team.equal("rosters stay equal", 1000);
        await throughout(() => instances.every(({ isRunning }) => isRunning), { what: "they run", forMs: 1000 });
        team.change();
        await team.equal("rosters stay equal", 1000);
        team.calm();
        for (const instance of instances) assert.equal((await instance.health()).status, "ok");
      },
    );
  }
});
