/**
 * By which names this service may be asked for what not everybody may see. A page on the internet can give its own name the address of a
 * machine in a private network (DNS rebinding), and then read there what the browser thinks is its own: but `Host` names that page.
 */

import { isIP } from "node:net";

export type HostRule = (host: string | undefined) => boolean;

/** Names that nobody can have on the internet. */
const PRIVATE = /(?:^|\.)(?:localhost|local|internal|svc|test|home\.arpa)$/;

/** Addresses, names without a dot and names of private networks are allowed, and those listed: as an origin, or as a name. */
export function hostRule(listed: readonly string[]): HostRule {
  const names = new Set(listed.map((entry) => nameOf(URL.canParse(entry) && entry.includes("://") ? new URL(entry).host : entry)));
  return (host) => {
    const name = nameOf(host ?? "");
    return name !== undefined && (isIP(name) !== 0 || !name.includes(".") || PRIVATE.test(name) || names.has(name));
  };
}

/** Without the port, brackets and the dot at the end; undefined: it is no name. */
function nameOf(host: string): string | undefined {
  const [, name = ""] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host) ?? [];
  return (
    name
      .toLowerCase()
      .replace(/^\[(.*)\]$/, "$1")
      .replace(/\.$/, "") || undefined
  );
}
