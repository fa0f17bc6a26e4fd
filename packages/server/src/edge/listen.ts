/** Opens the port, or says in one sentence why that failed and what to change. */

import type { Server } from "node:http";
import { PresenceError } from "../errors.ts";

export type Place = {
  /** 0: any free one. */
  readonly port: number;
  /** undefined: all interfaces. */
  readonly host?: string | undefined;
  /** The first word of the settings that hold these two. */
  readonly of?: "WS" | "ADMIN";
};

/**
 * So many connections may wait until the loop takes them, if the system allows that (`net.core.somaxconn`, 4096 on Linux). Node's own 511 are full after 50 ms of a crowd
 * that comes back: the system then drops what else comes, and each of those clients tries again after 1 s, 3 s and 7 s.
 */
const BACKLOG = 4096;

/** Resolves to the port that was opened. */
export async function listen(server: Server, { port, host, of = "WS" }: Place): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(new PresenceError("LISTEN_FAILED", describe(error, port, host).replace(/\bWS_/g, `${of}_`), { cause: error }));
    server.once("error", failed);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.removeListener("error", failed);
      resolve();
    });
  });
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : port;
}

function describe(error: NodeJS.ErrnoException, port: number, host: string | undefined): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `Port ${port} is taken by another process. Stop that one, or set WS_PORT to another port (0: any free one).`;
    case "EACCES":
      return `Port ${port} may not be used by this user. Set WS_PORT to a port from 1024 on.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host ?? "The address"} is no address of this machine. Set WS_HOST to one of its addresses, or leave it out to listen on all of them.`;
    default:
      return `Cannot listen on port ${port}: ${error.message}. See WS_PORT and WS_HOST.`;
  }
}
