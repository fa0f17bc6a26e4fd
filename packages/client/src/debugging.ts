/** The lines of the option `debug`: each message, and what becomes of the connection. Tokens are not shown. */

import type { ClientMessage, ServerMessage } from "@presence-service/protocol";
import type { Driver } from "./driver.ts";
import type { PresenceOptions } from "./types.ts";

/** Writes a line: an arrow with a message, or a sentence. */
export type Debug = (what: string, message?: ClientMessage | ServerMessage) => void;

const SECRETS = ["token", "resumeToken"];

/** undefined: nothing is shown. `driver` is told what the app's function throws. */
export function debugOf(debug: PresenceOptions["debug"], driver: Pick<Driver, "report">): Debug | undefined {
  if (!debug) return undefined;
  const write = debug === true ? (line: string) => console.debug(`[presence] ${line}`) : debug;
  return (what, message) => {
    try {
      write(message === undefined ? what : `${what} ${JSON.stringify(message, hidden)}`);
    } catch (error) {
      driver.report("debug threw", error);
    }
  };
}

function hidden(key: string, value: unknown): unknown {
  return SECRETS.includes(key) ? "…" : value;
}
