/**
 * Findings about the server itself: its kind and version, and its limits. Most of this takes rights that an instance does not need, so a
 * refusal is no fault.
 */

import { isChannelPrefix, type Mode } from "../bus/bus.ts";
import { isErrorReply, type RedisConnection } from "../redis/client.ts";
import type { Finding } from "./finding.ts";

/** Each instance has so many connections. */
const LINKS = 2;
/** Fewer free places than a deployment of ten instances takes while it restarts. */
const FREE_CLIENTS_MIN = 40;
/** Twice the largest message: a subscriber that has so much unread is cut off. */
const OUTPUT_BYTES_MIN = 8 * 1024 * 1024;
const MAJOR_MIN = 6;

/** The advice where a replica is found. */
export const LEAD_TO_MASTER =
  "REDIS_URL must lead to the master: a replica, or a reader endpoint, passes on what the master says and nothing else.";

export async function serverFindings(connection: RedisConnection, mode: Mode): Promise<Finding[]> {
  const info = await asked(connection, "INFO");
  if (info === undefined) return withoutInfo(await asked(connection, "ROLE"));
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(String(info))?.[1];
  const valkey = field("valkey_version");
  const version = field("redis_version") ?? "";
  const name = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
  const isCluster = field("cluster_enabled") === "1";
  if (field("redis_mode") === "sentinel") {
    const advice = "Name the master: redis-sentinel://host,host/mymaster.";
    return [{ check: "server", status: "error", text: `${name}, a Sentinel and no data server`, advice }];
  }
  if (field("role") === "slave") {
    const text = `${name}, a replica of ${field("master_host")}:${field("master_port")}`;
    // In a Cluster with classic pub/sub any node will do.
    return [
      mode === "cluster" ? { check: "server", status: "ok", text } : { check: "server", status: "error", text, advice: LEAD_TO_MASTER },
    ];
  }
  const findings: Finding[] = [];
  if (Number(version.split(".")[0]) < MAJOR_MIN)
    findings.push({ check: "server", status: "error", text: `${name} is too old`, advice: `Redis ${MAJOR_MIN} or later is needed.` });
  else if (isCluster && mode === "standalone") {
    const advice = "It works while this node lives; write redis-cluster:// with several nodes, and another one takes over.";
    findings.push({ check: "server", status: "warning", text: `${name}, one node of a Cluster`, advice });
  } else findings.push({ check: "server", status: "ok", text: `${name}, a master${isCluster ? " of a Cluster" : ""}` });
  return findings;
}

function withoutInfo(role: unknown): Finding[] {
  const kind = Array.isArray(role) ? String(role[0]) : undefined;
  if (kind === "slave") return [{ check: "server", status: "error", text: "a replica", advice: LEAD_TO_MASTER }];
  const known = kind === "master" ? "a master" : "this user may not ask for its kind and version";
  return [{ check: "server", status: kind === "master" ? "ok" : "note", text: `${known} (INFO is refused)` }];
}

export async function limitFindings(connection: RedisConnection): Promise<Finding[]> {
  const [limits, most, clients] = await Promise.all([
    asked(connection, "CONFIG", "GET", "client-output-buffer-limit"),
    asked(connection, "CONFIG", "GET", "maxclients"),
    asked(connection, "INFO", "clients"),
  ]);
  const refused = (what: string): Finding => ({ check: "limits", status: "note", text: `this user may not ask for ${what}` });
  return [
    limits === undefined ? refused("client-output-buffer-limit (CONFIG GET)") : outputFinding(oneValue(limits)),
    most === undefined || clients === undefined
      ? refused("maxclients and the number of connections (CONFIG GET, INFO)")
      : clientsFinding(Number(oneValue(most)), Number(/connected_clients:(\d+)/.exec(String(clients))?.[1])),
  ];
}

function outputFinding(limits: string): Finding {
  const [, hard = 0, soft = 0, seconds = 0] = (/pubsub (\d+) (\d+) (\d+)/.exec(limits) ?? []).map(Number);
  const inWords = `client-output-buffer-limit pubsub ${hard} ${soft} ${seconds}`;
  const lowest = Math.min(hard || Number.POSITIVE_INFINITY, soft || Number.POSITIVE_INFINITY);
  if (lowest >= OUTPUT_BYTES_MIN) return { check: "limits", status: "ok", text: inWords };
  const advice =
    "An instance that stalls for a moment is cut off, and asks for everything anew. The default of Redis is enough: pubsub 32mb 8mb 60.";
  return { check: "limits", status: "warning", text: inWords, advice };
}

function clientsFinding(most: number, connected: number): Finding {
  const text = `${connected} of maxclients ${most} connections`;
  if (most - connected >= FREE_CLIENTS_MIN) return { check: "limits", status: "ok", text };
  return {
    check: "limits",
    status: "warning",
    text,
    advice: `Each instance takes ${LINKS}: raise maxclients, or find out who holds them.`,
  };
}

/** undefined: refused, or unknown to that server. */
const PREFIXES_MAX = 6;

/** Prefixes of other deployments, by the global channels to which somebody is subscribed. None where nobody may ask. */
export async function otherPrefixes(connection: RedisConnection, own: string): Promise<string[]> {
  const channels = await asked(connection, "PUBSUB", "CHANNELS", "*:global");
  const found = Array.isArray(channels) ? channels.map((channel) => String(channel).replace(/:global$/, "")) : [];
  return found
    .filter((prefix) => prefix !== own && isChannelPrefix(prefix))
    .sort()
    .slice(0, PREFIXES_MAX);
}

/** undefined: the answer is an error; mostly the right to ask is missing. */
async function asked(connection: RedisConnection, ...command: readonly [string, ...string[]]): Promise<unknown> {
  try {
    return await connection.ask(...command);
  } catch (error) {
    if (isErrorReply(error)) return undefined;
    throw error;
  }
}

/** The one value of an answer to CONFIG GET, in either version of the Redis protocol. */
function oneValue(reply: unknown): string {
  if (Array.isArray(reply)) return String(reply[1]);
  if (reply instanceof Map) return String([...reply.values()][0]);
  return String(Object.values(reply as Record<string, unknown>)[0]);
}
