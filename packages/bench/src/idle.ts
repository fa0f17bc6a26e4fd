/** The cost of a connection that has joined a board and does nothing: memory of the instances, before and after, and their CPU. */

import { setTimeout as wait } from "node:timers/promises";
import type { Protocol, Status } from "./clients.ts";
import type { Cluster } from "./cluster.ts";
import { gather } from "./load.ts";

export type IdleResult = {
  readonly protocol: Protocol;
  readonly connections: number;
  readonly boardSize: number;
  readonly status: Status;
  readonly residentBytesBefore: number;
  /** `SETTLE_MS` after the last join, and `MEASURED_MS` later. */
  readonly residentBytesAfter: number;
  readonly residentBytesLater: number;
  /** Of one core, all instances together. */
  readonly coreShareBefore: number;
  readonly coreShareAfter: number;
};

/** After this time code is compiled, beacons are rare, and garbage of the joins is collected: of rest, and not of coming to rest, is the cost. */
const SETTLE_MS = 120_000;
/** CPU is measured for so long: two heartbeats of everybody. */
const MEASURED_MS = 90_000;

export async function idle(
  cluster: Cluster,
  protocol: Protocol,
  connections: number,
  boardSize: number,
  status: Status,
): Promise<IdleResult> {
  const usersPerInstance = Math.ceil(connections / cluster.instances.length);
  // The first connections load code that all later ones use too.
  const first = await gather(cluster, { protocol, usersPerInstance: 10, boardSize, status }, () => {});
  await wait(SETTLE_MS);
  const residentBytesBefore = resident(cluster);
  const coreShareBefore = await coreShare(cluster);
  const clients = await gather(cluster, { protocol, usersPerInstance, boardSize, status }, () => {});
  await wait(SETTLE_MS);
  const residentBytesAfter = resident(cluster);
  const coreShareAfter = await coreShare(cluster);
  const residentBytesLater = resident(cluster);
  for (const { socket } of [...first, ...clients]) socket.destroy();
  return {
    protocol,
    connections: clients.length,
    boardSize,
    status,
    residentBytesBefore,
    residentBytesAfter,
    residentBytesLater,
    coreShareBefore,
    coreShareAfter,
  };
}

async function coreShare(cluster: Cluster): Promise<number> {
  const used = () => cluster.instances.reduce((sum, instance) => sum + instance.cpuSeconds(), 0);
  const [before, startedAt] = [used(), performance.now()];
  await wait(MEASURED_MS);
  return (1000 * (used() - before)) / (performance.now() - startedAt);
}

function resident(cluster: Cluster): number {
  return cluster.instances.reduce((sum, instance) => sum + instance.residentBytes(), 0);
}
