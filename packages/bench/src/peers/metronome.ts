/**
 * A thread that wakes the generator at exact times: timers of Node count in whole milliseconds, which is more than some services take for an answer.
 * It says nothing again before it is heard, so nothing queues while the generator is busy.
 */

import { parentPort, workerData } from "node:worker_threads";

/** Times are of `process.hrtime`, which all threads share, in milliseconds. */
const { everyMs, startsAt, heard } = workerData as { everyMs: number; startsAt: number; heard: Int32Array };
/** Nobody ever notifies it. */
const alarm = new Int32Array(new SharedArrayBuffer(4));
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

for (let nth = 1; ; nth++) {
  const now = nowMs();
  // Beats that are past are left out.
  nth = Math.max(nth, Math.ceil((now - startsAt) / everyMs));
  Atomics.wait(alarm, 0, 0, Math.max(0, startsAt + nth * everyMs - now));
  if (Atomics.exchange(heard, 0, 0) === 1) parentPort?.postMessage(undefined);
}
