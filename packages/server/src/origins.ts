/**
 * Decides from which origins pages may connect. A browser sends cookies along with any page's connection, so the origin decides; clients
 * that are no browsers can send any origin. Origins are compared in one form: lower case, without the default port, without the dot at
 * the end of a name.
 */

import type { IncomingHttpHeaders } from "node:http";
import { PresenceError } from "./errors.ts";
import { redactText } from "./telemetry/redact.ts";

export type OriginRule = (headers: IncomingHttpHeaders) => boolean;

/** `allowed` undefined: only pages of the host that they connect to. Throws `BAD_SETTINGS`, which names the option, for entries that no page ever has as its origin. */
export function originRule(allowed: readonly string[] | undefined, option = "allowedOrigins"): OriginRule {
  const listed = allowed && listedOrigins(allowed, option);
  return ({ origin, host = "" }) => {
    // A client that sends no origin is not a page.
    if (origin === undefined || listed?.has("*")) return true;
    const known = originOf(origin);
    if (listed) return listed.has(origin === "null" ? origin : (known?.text ?? ""));
    // A proxy in front may end TLS: then only the proxy knows whether the page came over TLS.
    const own = hostOf(host);
    return (
      own !== undefined && known !== undefined && /^https?$/.test(known.scheme) && known.host === own.host && samePort(known.port, own.port)
    );
  };
}

/** Reads an `Origin` header strictly, since a browser writes it in one way only. */
function originOf(text: string) {
  const [, scheme = "", authority = ""] = /^([a-z][a-z0-9+.-]*):\/\/([^\s/?#@,\\]+)$/i.exec(text) ?? [];
  const host = hostOf(authority);
  if (host === undefined) return undefined;
  const lower = scheme.toLowerCase();
  const port = host.port === DEFAULT_PORTS[lower] ? "" : host.port;
  return { scheme: lower, host: host.host, port, text: `${lower}://${host.host}${port === "" ? "" : `:${port}`}` };
}

const DEFAULT_PORTS: Record<string, string | undefined> = { http: "80", https: "443" };

/** Reads `Host` and similar headers; undefined: there is none, or no browser would send it. */
function hostOf(text: string): { readonly host: string; readonly port: string } | undefined {
  const [, name = "", port = ""] = /^(\[[0-9a-f:.]+\]|[^\s:/?#@,\\[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = name.toLowerCase().replace(/\.$/, "");
  return host === "" ? undefined : { host, port: port === "" ? "" : String(Number(port)) };
}

/** A proxy that ends TLS may name either default port, or none. */
function samePort(page: string, own: string): boolean {
  return page === own || (page === "" && (own === "80" || own === "443"));
}

function listedOrigins(allowed: readonly string[], option: string): ReadonlySet<string> {
  if (!Array.isArray(allowed)) throw new PresenceError("BAD_SETTINGS", `${option} must be a list of origins`);
  const problems: string[] = [];
  const origins = allowed.map((entry: unknown) => {
    const text = typeof entry === "string" ? entry.trim() : "";
    if (text === "*" || text === "null") return text;
    const known = originOf(text.replace(/(?<=[^/])\/$/, ""));
    const problem = known === undefined || text.includes("*") ? notAnOrigin(text) : wrongScheme(known.scheme);
    if (problem !== undefined) problems.push(`${redactText(JSON.stringify(entry) ?? "undefined")} ${problem}`);
    return known?.text ?? "";
  });
  if (problems.length > 0) {
    throw new PresenceError("BAD_SETTINGS", `${option} has entries that cannot be the origin of a page: ${problems.join("; ")}`);
  }
  return new Set(origins);
}

function notAnOrigin(text: string): string {
  if (text === "") return "is empty";
  if (text.includes("*")) return "has a wildcard in it: list each origin, or allow all with *";
  if (!text.includes("://")) return `names no scheme: write https://${text.replace(/[/?#].*$/s, "") || "app.example.com"}`;
  if (text.includes("@")) return "has a user in it: an origin is scheme, host and port";
  return "has more than scheme, host and port";
}

function wrongScheme(scheme: string): string | undefined {
  if (scheme === "ws" || scheme === "wss")
    return `is the address of a socket, not of a page: write ${scheme === "ws" ? "http" : "https"}://`;
  if (scheme === "file") return 'is no origin: pages from files have "null"';
  return undefined;
}
