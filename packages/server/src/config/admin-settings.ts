/** The settings for those who run the service: where its inside is shown, and to whom. */

import { isIP } from "node:net";
import { ADMIN_TOKENS_ALLOWED, readAdminTokens } from "../admin/tokens.ts";
import { like, madeOf, oneOf, optional, whole } from "./values.ts";

export type AdminSettings = {
  /** undefined: it has no port of its own. */
  readonly port: number | undefined;
  readonly host: string;
  /** A list, as `readAdminTokens` takes it; empty: none. Never logged. */
  readonly token: string;
};

export const ADMIN_SETTINGS = {
  ADMIN_PORT: {
    default: "",
    unit: "port",
    allowed: "a port number from 0 to 65535 (0: any free one), other than WS_PORT",
    meaning:
      "Where the admin API, the metrics and the whole of /health are served. Then WS_PORT has none of them, and shows strangers only that the instance is well. Not set: they are on WS_PORT, with ADMIN_TOKEN.",
    read: optional(whole({ max: 65_535 })),
  },
  ADMIN_HOST: {
    default: "127.0.0.1",
    unit: "address",
    allowed: "an IP address or host name of this machine; other than loopback with ADMIN_TOKEN only",
    meaning: "The interface for ADMIN_PORT. Loopback by default, as whoever reaches that port sees peers, addresses and metrics.",
    read: like(/^[A-Za-z0-9.:_%-]{1,255}$/),
  },
  ADMIN_TOKEN: {
    default: "",
    unit: "list",
    allowed: ADMIN_TOKENS_ALLOWED,
    meaning:
      "Requests with one of these as a bearer token may use the admin API, and read metrics and the whole of /health. Several, so that one can replace another; the log names them, and shows none. Not set: the admin API is on a loopback ADMIN_PORT only, for everybody on that machine.",
    read: madeOf((list) => (list === "" || readAdminTokens(list) !== undefined ? list : undefined)),
  },
  INSPECTOR: {
    default: "auto",
    unit: "switch",
    allowed: "auto, on, off",
    meaning:
      "Whether the Inspector, a page for those who run the service, is served at /inspector/: on ADMIN_PORT if that is set, else on WS_PORT. auto: yes where there is an admin API or the demo page is served unless somebody switches it off.",
    read: oneOf(["auto", "on", "off"]),
  },
  AUTH_TOKEN_LIFE_MAX: {
    default: "86400",
    unit: "seconds",
    allowed: "60 to 31536000",
    meaning:
      "How long a token may live, from iat (or from now) to exp; one that lives longer is refused. For so long every instance remembers whose tokens were revoked, so the same value belongs to all. A day is long for a token, which the SDK fetches anew without anybody noticing.",
    read: whole({ min: 60, max: 31_536_000 }),
  },
} as const;

export type AdminValues = {
  readonly ADMIN_PORT?: number | undefined;
  readonly ADMIN_HOST?: string | undefined;
  readonly ADMIN_TOKEN?: string | undefined;
};

/** Adds a sentence for each problem. undefined: nothing is set. */
export function readAdmin(given: AdminValues, wsPort: number | undefined, problems: string[]): AdminSettings | undefined {
  const { ADMIN_PORT: port, ADMIN_HOST: host = "127.0.0.1", ADMIN_TOKEN: token = "" } = given;
  if (port === undefined && host !== ADMIN_SETTINGS.ADMIN_HOST.default) problems.push("ADMIN_HOST is of no use without ADMIN_PORT.");
  if (port !== undefined && port !== 0 && port === wsPort) problems.push("ADMIN_PORT is the same as WS_PORT: give it a port of its own.");
  if (port !== undefined && token === "" && !isLoopback(host))
    problems.push("ADMIN_HOST is open to other machines, and there is no ADMIN_TOKEN: whoever reaches that port could put people out.");
  return port === undefined && token === "" ? undefined : { port, host, token };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
