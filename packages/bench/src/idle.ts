/** The cost of a connection that has joined a board and does nothing: resident memory of the instances, before and after. */

import { setTimeout as wait } from "node:timers/promises";
import type { Protocol } from "./clients.ts";
import type { Cluster } from "./cluster.ts";
import { gather } from "./load.ts";

export type IdleResult = {
  readonly protocol: Protocol;
  readonly connections: number;
  readonly boardSize: number;
  readonly residentBytesBefore: number;
  readonly residentBytesAfter: number;
};

/** After this time beacons were sent, and garbage of the joins was collected. */
const SETTLE_MS = 8000;

export async function idle(cluster: Cluster, protocol: Protocol, connections: number, boardSize: number): Promise<IdleResult> {
  const usersPerInstance = Math.ceil(connections / cluster.instances.length);
  // The first connections load code that all later ones use too.
  const first = await gather(cluster, { protocol, usersPerInstance: 10, boardSize }, () => {});
  await wait(SETTLE_MS);
  const residentBytesBefore = resident(cluster);
  const clients = await gather(cluster, { protocol, usersPerInstance, boardSize }, () => {});
  await wait(SETTLE_MS);
  const residentBytesAfter = resident(cluster);
  for (const { socket } of [...first, ...clients]) socket.destroy();
  return { protocol, connections: clients.length, boardSize, residentBytesBefore, residentBytesAfter };
}

function resident(cluster: Cluster): number {
  return cluster.instances.reduce((sum, instance) => sum + instance.residentBytes(), 0);
}
