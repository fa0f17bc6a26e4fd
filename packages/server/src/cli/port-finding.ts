/** The doctor's look at WS_PORT: whether an instance could listen there. It listens for a moment itself, and answers nobody. */

import { createServer } from "node:http";
import type { Settings } from "../config.ts";
import { listen } from "../edge/listen.ts";
import type { Finding } from "./finding.ts";

/** An instance answers within milliseconds. */
const ANSWER_MS_MAX = 1000;

export async function portFinding({ port, host }: Pick<Settings, "port" | "host">): Promise<Finding> {
  const check = "port";
  const server = createServer();
  try {
    await listen(server, { port, host });
    return { check, status: "ok", text: port === 0 ? "WS_PORT is 0: any free one" : `${port} is free` };
  } catch (error) {
    const instance = await instanceAt(port, host);
    if (instance !== undefined) return { check, status: "note", text: `on ${port} ${instance} of this service runs already` };
    const [text = "", ...advice] = (error as Error).message.split(/(?<=\.) /);
    return { check, status: "error", text: text.replace(/\.$/, ""), advice: advice.join(" ") };
  } finally {
    server.close();
  }
}

/** The instance that listens there, in words; undefined: nobody does, or something else. */
async function instanceAt(port: number, host = "localhost"): Promise<string | undefined> {
  try {
    const at = host.includes(":") ? `[${host}]` : host;
    const answer = await fetch(`http://${at}:${port}/health`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    const { instanceId, ready, degraded } = (await answer.json()) as { readonly [name: string]: unknown };
    if (typeof instanceId === "string" && /^[0-9a-f-]{36}$/.test(instanceId)) return `instance ${instanceId.slice(0, 8)}`;
    // To strangers it does not say which one it is.
    return typeof ready === "boolean" && typeof degraded === "boolean" ? "an instance" : undefined;
  } catch {
    return undefined;
  }
}
