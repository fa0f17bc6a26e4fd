/** Free TCP ports for servers of a test. */

import { createServer } from "node:net";

/** Below the range the system takes for outgoing connections (from 32768), so that none of those gets there first. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const given = new Set<number>();

/** Free on all interfaces just now, and not given before by this process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port found between ${PORT_MIN} and ${PORT_MAX}`);
}

/** The port that documents and existing clients name, if nobody has it now; else a free one. */
export async function usualPort(port: number): Promise<number> {
  return (await isFree(port)) ? port : freePort();
}

/** Whether a server could listen on this port, on all interfaces. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}
