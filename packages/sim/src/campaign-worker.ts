/** One thread of a campaign: runs its share, and posts each outcome. */

import { parentPort, workerData } from "node:worker_threads";
import { outcomesOf, type Share } from "./campaign.ts";

for await (const outcome of outcomesOf(workerData as Share)) parentPort?.postMessage(outcome);
