/**
 * The one rule for REDIS_URL: which servers are meant, and how they stand together. It checks only the form; the start finds out
 * whether Redis answers there.
 */

import { isIP } from "node:net";

/** A server: a name or an IP address without brackets, and a port. */
export type Place = { readonly host: string; readonly port: number };

export type RedisUrl = {
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
} & (
  | { readonly mode: "standalone"; readonly place: Place }
  /** The places are Sentinels, which say where the master of that name is. */
  | { readonly mode: "sentinel"; readonly places: readonly Place[]; readonly master: string }
  /** The places are nodes of the Cluster: as many as are to be tried at first, the others are learned. */
  | { readonly mode: "cluster"; readonly places: readonly Place[] }
);

const PORTS = { standalone: 6379, sentinel: 26379, cluster: 6379 } as const;

/** For people: what REDIS_URL may be. */
export const REDIS_URL_FORMS =
  "redis://[user:password@]host[:port], redis://sentinel-host:26379/mymaster, redis-sentinel://host,host/mymaster, redis-cluster://host,host, or the same with rediss for TLS";

const FORM = /^(rediss?)(-sentinel|-cluster)?:\/\/(?:([^/?#]*)@)?([^/?#@]+)(\/[^?#]*)?$/i;

/**
 * undefined: not a URL of these forms. After one host, a path of digits is a database number, which means nothing to pub/sub and is
 * ignored; any other path is the name of a master, and the host is a Sentinel.
 */
export function redisUrlOf(text: string): RedisUrl | undefined {
  const [, scheme, kind, credentials, hosts, path = ""] = FORM.exec(text) ?? [];
  if (scheme === undefined || hosts === undefined || /\s/.test(text)) return undefined;
  const name = decoded(path.slice(1).replace(/\/$/, ""));
  const colon = credentials?.indexOf(":") ?? -1;
  const username = decoded(credentials?.slice(0, colon < 0 ? undefined : colon) ?? "");
  const password = decoded(colon < 0 ? "" : (credentials?.slice(colon + 1) ?? ""));
  if (name === undefined || username === undefined || password === undefined) return undefined;

  const isNumber = /^\d*$/.test(name);
  const mode = kind === undefined ? (isNumber ? "standalone" : "sentinel") : (kind.slice(1).toLowerCase() as "sentinel" | "cluster");
  const places = hosts.split(",").map((host) => placeOf(host, PORTS[mode]));
  if (!places.every((place) => place !== undefined)) return undefined;
  const [place, ...others] = places;
  const common = { isTls: scheme.length > 5, username: username || undefined, password: password || undefined };
  if (place === undefined) return undefined;
  if (mode === "sentinel") return MASTER_NAME.test(name) ? { ...common, mode, places, master: name } : undefined;
  if (!isNumber) return undefined;
  if (mode === "cluster") return { ...common, mode, places };
  return others.length === 0 ? { ...common, mode, place } : undefined;
}

/** A sentence on what a URL of none of these forms lacks; empty: that cannot be told. It repeats nothing that may be a password. */
export function lackOf(text: string): string {
  if (/["'`]/.test(text)) return "It has quotation marks in it: leave them out.";
  if (/\s/.test(text)) return "It has a space or the end of a line in it: leave it out.";
  if (/^[a-z0-9.-]+:\d{1,5}$/i.test(text)) return `Is redis://${text} meant?`;
  if (/^mem/i.test(text)) return "Is memory: meant?";
  if (!/^rediss?(?:-sentinel|-cluster)?:\/\//i.test(text)) return "It must begin with redis://, or with rediss:// for TLS.";
  const [, , kind, , hosts = "", path = ""] = FORM.exec(text) ?? [];
  if (/[?#]/.test(text)) return "It has a ? or # in it, and neither has a meaning here.";
  const name = path.slice(1).replace(/\/$/, "");
  if (kind?.toLowerCase() === "-sentinel" && name === "")
    return "After the Sentinels it needs a slash and the name of the master that they watch, as in redis-sentinel://host,host/mymaster.";
  if (kind === undefined && hosts.includes(","))
    return "Several hosts are Sentinels, with the name of their master, redis-sentinel://host,host/mymaster, or nodes of a Cluster, redis-cluster://host,host.";
  if (kind?.toLowerCase() === "-cluster" && name !== "") return "A Cluster has no name after the hosts.";
  if (/^[^:[\]]+:(?!\d{1,5}$)/.test(hosts) || /:(?:0+|\d{5})$/.test(hosts))
    return "After the colon of a host comes its port, from 1 to 65535. A password stands before the host, with an @ between them.";
  return "";
}

/** As Sentinel takes them. */
const MASTER_NAME = /^[A-Za-z0-9._-]+$/;

/** `host:port`, with brackets around an IPv6 address. */
export function inWords({ host, port }: Place): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

function placeOf(text: string, port: number): Place | undefined {
  // The rules of http are those of hosts and ports everywhere; other schemes take anything for a host.
  const [, host = "", digits = String(port)] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (!URL.canParse(`http://${host}:${digits}`) || /[\\%]/.test(host) || Number(digits) === 0) return undefined;
  return { host: new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(digits) };
}

/** undefined: a % that encodes nothing. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
