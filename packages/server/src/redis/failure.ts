/**
 * Why a connection to Redis failed, in words and with advice. This file knows the messages of Node, OpenSSL and Redis only
 * as text, and never shows more of them than one printable line.
 */

import { escapeUnprintable, redactSecrets } from "../telemetry/redact.ts";

export type Failure = {
  /** For logs: `connection refused`. */
  readonly reason: string;
  /** The reason without the words of the other end, which may name channels and users. Absent: the reason holds no such words. */
  readonly gist?: string;
  /** For operators: a sentence or two on how to mend it. */
  readonly advice: string;
};

const DETAIL_LENGTH_MAX = 200;

/** The first pattern found in code and message decides. */
const KNOWN: readonly (readonly [pattern: RegExp, reason: string, advice: string])[] = [
  [
    /ECONNREFUSED/,
    "connection refused",
    "Is Redis running there? Start one with `redis-server`, point REDIS_URL at yours, or set REDIS_URL=memory: to run a single instance without Redis.",
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    "unknown host",
    "Check the host name in REDIS_URL, and that this machine can look it up. REDIS_URL=memory: runs a single instance without Redis.",
  ],
  [
    /WRONGPASS|ERR invalid password/,
    "wrong user or password",
    "Check both in REDIS_URL: redis://user:password@host, or redis://:password@host for the default user; special characters percent-encoded.",
  ],
  [/NOAUTH/, "it wants a password", "Give it in REDIS_URL: redis://user:password@host, or redis://:password@host for the default user."],
  [
    /NOPERM/,
    "not permitted",
    "Redis knows the user but lacks a rule for it: ACL SETUSER … &<prefix>:* +subscribe +unsubscribe +publish +ping +hello, with Sentinels also +role, in a Cluster also +cluster|slots +cluster|info, with REDIS_SHARDED also +ssubscribe +sunsubscribe +spublish.",
  ],
  [
    /READONLY/,
    "it is a replica and takes no messages",
    "REDIS_URL must lead to the master. A replica, or a reader endpoint, only passes on what the master publishes.",
  ],
  [
    /\bOOM\b|MISCONF|NOREPLICAS|MASTERDOWN/,
    "it takes no commands at present",
    "Redis is out of memory (`maxmemory`), or its settings make it stop for the state of its disk or replicas; its own log says which.",
  ],
  [
    /unknown command '?`?SENTINEL/i,
    "it is no Sentinel",
    "A name after the slash in REDIS_URL is that of a master, and the hosts are its Sentinels, mostly on port 26379. A single Redis is redis://host:6379.",
  ],
  [
    /messages are accepted by Sentinel/i,
    "it is a Sentinel",
    "Add the name of its master to REDIS_URL: redis://sentinel-host:26379/mymaster.",
  ],
  [/cluster support disabled/i, "it is no Cluster", "For a single Redis use redis:// in REDIS_URL instead of redis-cluster://."],
  [/unknown command '?`?S(?:SUBSCRIBE|PUBLISH)/i, "it has no sharded pub/sub", "Redis 7 or later is needed for REDIS_SHARDED."],
  [/unknown command '?`?HELLO|NOPROTO/, "it is too old", "Redis 6 or later is needed."],
  [
    /DENIED/,
    "it is in protected mode",
    "Redis takes no connections from other machines without a password: give it one (`requirepass`, or an ACL user) and put it into REDIS_URL.",
  ],
  [
    /max number of clients/,
    "it has too many connections",
    "Raise `maxclients` of Redis, or find out which clients hold them (CLIENT LIST).",
  ],
  [
    /EMFILE|ENFILE/,
    "no file descriptor is left for it",
    "This process, or the machine, has as many files and sockets open as it may: raise `ulimit -n` (LimitNOFILE of a systemd unit).",
  ],

  // Errors that the other end reports. They come first, as their words match patterns of the next part: there a certificate would be
  // taken for that of Redis, here it is the client certificate.
  [
    /alert certificate required|CERTIFICATE_REQUIRED/i,
    "it wants a client certificate",
    "Give one with REDIS_TLS_CERT and REDIS_TLS_KEY; Redis asks everybody for it (tls-auth-clients).",
  ],
  [
    /alert (?:bad|unsupported) certificate|alert certificate unknown|ALERT_(?:BAD|UNSUPPORTED)_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN/i,
    "it does not accept the client certificate",
    "REDIS_TLS_CERT must be a certificate for clients, with its chain, that the authority in tls-ca-cert-file of Redis has signed. Without one set, Redis may be asking for it.",
  ],
  [
    /alert unknown ca\b|ALERT_UNKNOWN_CA/i,
    "it does not know the authority of the client certificate",
    "The certificate in REDIS_TLS_CERT must be signed by an authority in tls-ca-cert-file of Redis, with the chain up to it in the same file.",
  ],
  [
    /alert certificate (?:expired|revoked)|ALERT_CERTIFICATE_(?:EXPIRED|REVOKED)/i,
    "the client certificate has expired or was revoked",
    "Put a new one into REDIS_TLS_CERT and REDIS_TLS_KEY, and look at the clock of the machine of Redis.",
  ],
  [
    /alert (?:decrypt error|access denied)|ALERT_(?:DECRYPT_ERROR|ACCESS_DENIED)/i,
    "it refuses the client certificate",
    "Does REDIS_TLS_KEY belong to REDIS_TLS_CERT, and may this certificate use that Redis? Its log says more.",
  ],
  [
    /alert unrecognized name|UNRECOGNIZED_NAME/i,
    "it has no certificate for this host name",
    "Use in REDIS_URL the host name under which it is known to TLS.",
  ],
  [
    /alert protocol version|ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/i,
    "no TLS version is spoken by both",
    "Let Redis speak TLS 1.2 or 1.3 (tls-protocols in its configuration).",
  ],
  [
    /alert (?:handshake failure|insufficient security)|ALERT_(?:HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY)|NO_SHARED_CIPHER/i,
    "no TLS parameters suit both",
    "Ciphers, curves or kinds of certificate differ (tls-ciphers of Redis), or it wants a client certificate: REDIS_TLS_CERT and REDIS_TLS_KEY.",
  ],
  [/\balert\b.*SSL|SSL.*\balert\b|SSL.*ALERT_/i, "it ended the TLS handshake", "The words in brackets are its reason; its log says more."],

  // Errors that this side reports about the other end.
  [
    /ALTNAME/i,
    "its TLS certificate is for another host name",
    "The host in REDIS_URL must be one that the certificate names; for an IP address, the certificate must name it as such. Or REDIS_TLS_NAME is one that all certificates of Redis name.",
  ],
  [
    /CERT_HAS_EXPIRED|certificate has expired/i,
    "its TLS certificate has expired",
    "Renew the certificate of Redis, and look at the clock of this machine.",
  ],
  [
    /CERT_NOT_YET_VALID|certificate is not yet valid/i,
    "its TLS certificate is not valid yet",
    "Look at the clock of this machine, and at the dates of the certificate of Redis.",
  ],
  [/CERT_REVOKED|certificate revoked/i, "its TLS certificate was revoked", "Redis needs a new certificate."],
  [
    /DEPTH_ZERO_SELF_SIGNED|^self[- ]signed certificate$/i,
    "its TLS certificate is not accepted: it is self-signed",
    "If the certificate is your own, name its file in REDIS_TLS_CA (or NODE_EXTRA_CA_CERTS).",
  ],
  [
    /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY|GET)|self[- ]signed certificate in|issuer certificate/i,
    "its TLS certificate is not accepted: no authority that this instance trusts has signed it",
    "Name the file of your own certificate authority in REDIS_TLS_CA (or NODE_EXTRA_CA_CERTS). If there is another authority between, Redis has to send the whole chain.",
  ],
  [
    /CERT|INVALID_PURPOSE|INVALID_CA|EE_KEY_TOO_SMALL|CA_MD_TOO_WEAK/i,
    "its TLS certificate is not accepted",
    "The words in brackets say why. Name the file of your own certificate authority in REDIS_TLS_CA (or NODE_EXTRA_CA_CERTS).",
  ],
  [
    /WRONG_VERSION_NUMBER|wrong version number|PACKET_LENGTH_TOO_LONG|packet length too long|record layer failure|RECORD_LAYER_FAILURE/i,
    "no TLS is spoken there",
    "REDIS_URL needs the port on which Redis speaks TLS (tls-port in its configuration).",
  ],
  [/EPROTO|SSL routines|ERR_SSL|ERR_TLS/i, "TLS with it failed", "The words in brackets say why; so may the log of Redis."],
  [
    /Unknown RESP type/,
    "the server there is not Redis, or wants TLS",
    "Check host and port in REDIS_URL; for TLS use rediss:// instead of redis://.",
  ],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    "unreachable",
    "Check host and port in REDIS_URL, and the firewalls and routes between here and there.",
  ],
  [
    /ECONNRESET|EPIPE|closed unexpectedly/,
    "closed by the other end",
    "Is it Redis that answers there? If it wants TLS, use rediss:// instead of redis://, with REDIS_TLS_CERT and REDIS_TLS_KEY if it asks for a client certificate; its own log may say more.",
  ],
];

/** `secrets`: texts that were sent to the other end, which it may quote. */
export function explain(error: unknown, secrets: readonly string[] = []): Failure {
  // Redis quotes the arguments of a command that it does not know, cut to a length: HELLO holds user and password.
  const detail = textOf(error).replace(/,? with args beginning with:.*/s, "");
  const known = KNOWN.find(([pattern]) => pattern.test(detail));
  // OpenSSL wraps its few words in the address of a thread and a file of its sources.
  const words = detail.replace(/[0-9A-F]*:error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]*)(?::.*)?$/gm, "$1").trim();
  const shown = escapeUnprintable(redactSecrets(words, secrets)).slice(0, DETAIL_LENGTH_MAX);
  if (known === undefined) return { reason: shown, gist: "an error", advice: "Check REDIS_URL, and what the log of Redis says." };
  return { reason: `${known[1]} (${shown})`, gist: known[1], advice: known[2] };
}

/** The other end does not answer: a server hangs, or packets are dropped. */
export function silence(what: string, withinMs: number): Failure {
  const tls = what.includes("TLS") ? "Does Redis speak TLS on that port (tls-port in its configuration)? " : "";
  return {
    reason: `no answer to ${what} in ${withinMs / 1000} s`,
    advice: `${tls}Does Redis hang, is it overloaded, or does a firewall drop packets? Check host and port in REDIS_URL.`,
  };
}

/** The text of an error. If all addresses of a host were tried, it holds an error for each. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return [...new Set(error.errors.map(textOf))].join("; ");
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return error.message.includes(code) ? error.message : `${code} ${error.message}`.trim();
}
