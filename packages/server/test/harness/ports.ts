/** Free TCP ports for the servers of tests. */

import { createServer } from "node:net";

/** Below the range that the system uses for outgoing connections (from 32768), so that none of those takes the port first. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const given = new Set<number>();

/** A port that is free on all interfaces now, and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no free port found between ${PORT_MIN} and ${PORT_MAX}`);
}

/** The given port, as documents and existing clients use it, if it is free; else another one. */
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
