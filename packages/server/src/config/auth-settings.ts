/** The settings by which an instance knows people: keys for their tokens, what is open to everybody, and the pages that may connect. */

import { readFileSync } from "node:fs";
import { PresenceError } from "../errors.ts";
import { keysOf, SECRET_BYTES_MIN } from "../identity/keys.ts";
import { GRANTS_FORM, type Grant, readGrants } from "../identity/rights.ts";
import type { TokenOptions } from "../identity/tokens.ts";
import { originRule } from "../origins.ts";
import { anyText, listed, madeOf, oneOf, optional, text } from "./values.ts";

export type AuthSettings = Omit<TokenOptions, "log" | "lifeMaxS">;

export const AUTH_SETTINGS = {
  AUTH: {
    default: "auto",
    unit: "switch",
    allowed: "auto, required",
    meaning:
      "auto: clients need a token if there is a key for tokens (AUTH_SECRET, AUTH_PUBLIC_KEYS or AUTH_JWKS_URL), and anybody may join any board if there is none. required: without a key the service does not start.",
    read: oneOf(["auto", "required"]),
  },
  AUTH_SECRET: {
    default: "",
    unit: "list",
    allowed: `one or more secrets of ${SECRET_BYTES_MIN} bytes or more, separated by commas`,
    meaning: "The secret by which your backend signs tokens (JWT, HS256). All in the list are believed, so that one can replace another.",
    read: madeOf((list) => (listed(list).every((secret) => Buffer.byteLength(secret) >= SECRET_BYTES_MIN) ? listed(list) : undefined)),
  },
  AUTH_PUBLIC_KEYS: {
    default: "",
    unit: "path",
    allowed: "a file of public keys or certificates in PEM form, or of a JSON Web Key Set",
    meaning:
      "The public keys of the service that signs tokens (RS256, PS256, ES256, EdDSA, and RS, PS and ES with 384 or 512). Read at start.",
    read: anyText,
  },
  AUTH_JWKS_URL: {
    default: "",
    unit: "URL",
    allowed: "an https:// URL (http:// for localhost), with AUTH_ISSUER",
    meaning:
      "Where an identity provider publishes its public keys. They are fetched when needed, and again after 10 minutes or for a new key.",
    read: optional(text(isKeyUrl)),
  },
  AUTH_ISSUER: {
    default: "",
    unit: "text",
    allowed: "the value of the claim iss",
    meaning: "Only tokens of this issuer are believed. Not set: iss is not looked at.",
    read: anyText,
  },
  AUTH_AUDIENCE: {
    default: "",
    unit: "text",
    allowed: "the value of the claim aud",
    meaning:
      "Only tokens for this audience are believed. Not set: aud is not looked at. Set it where one issuer signs tokens for several services.",
    read: anyText,
  },
  AUTH_ANONYMOUS: {
    default: "",
    unit: "boards",
    allowed: GRANTS_FORM,
    meaning:
      "The rights of clients without a token, where tokens are needed: read (observe), write (be shown), event (broadcast). Not set: nothing.",
    read: madeOf((list) => (list === "" ? [] : readGrants(list))),
  },
  ALLOWED_ORIGINS: {
    default: "",
    unit: "list",
    allowed: "origins such as https://app.example.com, separated by commas, or * for all",
    meaning:
      "The pages that may connect. Not set: pages of the host that they connect to where tokens are needed (behind a proxy that rewrites Host, list them), and all elsewhere.",
    read: optional(madeOf(listed)),
  },
  TOKEN_IN_URL: {
    default: "off",
    unit: "switch",
    allowed: "on, off",
    meaning: "Whether classic clients, which say no hello, may give their token as ?token=. URLs end up in logs.",
    read: oneOf(["on", "off"]),
  },
} as const;

/** `undefined`: the value is wrong, and that is told already; for those without a default also: it is not set. */
export type AuthValues = {
  readonly AUTH?: "auto" | "required" | undefined;
  readonly AUTH_SECRET?: readonly string[] | undefined;
  readonly AUTH_PUBLIC_KEYS?: string | undefined;
  readonly AUTH_JWKS_URL?: string | undefined;
  readonly AUTH_ISSUER?: string | undefined;
  readonly AUTH_AUDIENCE?: string | undefined;
  readonly AUTH_ANONYMOUS?: readonly Grant[] | undefined;
  readonly ALLOWED_ORIGINS?: readonly string[] | undefined;
};

/** Adds a sentence for each problem. undefined: no token is needed. */
export function readAuth(given: AuthValues, problems: string[]): AuthSettings | undefined {
  const { AUTH_SECRET: secrets, AUTH_PUBLIC_KEYS: path, AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = given;
  const { AUTH_ANONYMOUS: anonymous = [], ALLOWED_ORIGINS: origins } = given;
  if (origins !== undefined) noteProblem(() => originRule(origins, "ALLOWED_ORIGINS"), problems);
  const publicKeys = path === undefined ? "" : keysAt(path, problems);
  if (secrets?.length === 0 && path === undefined && jwksUrl === undefined) {
    if (given.AUTH === "required")
      problems.push("AUTH is required, and there is no key: set AUTH_SECRET, AUTH_PUBLIC_KEYS or AUTH_JWKS_URL.");
    if (anonymous.length > 0) problems.push("AUTH_ANONYMOUS is of no use without a key for tokens: anybody may join any board.");
    return undefined;
  }
  // One identity provider signs for everybody who has an account there: its keys alone say nothing.
  if (jwksUrl !== undefined && issuer === undefined)
    problems.push("AUTH_JWKS_URL is set without AUTH_ISSUER: keys are believed for their issuer only.");
  noteProblem(() => keysOf({ secrets: secrets ?? [], publicKeys }), problems);
  return { secrets: secrets ?? [], publicKeys, jwksUrl, issuer, audience, anonymous };
}

function noteProblem(check: () => unknown, problems: string[]): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof PresenceError)) throw error;
    problems.push(`${error.message}.`);
  }
}

function keysAt(path: string, problems: string[]): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    problems.push(`The file that AUTH_PUBLIC_KEYS names cannot be read (${code}).`);
    return "";
  }
}

/** Whoever can change the answer can sign tokens, so it has to come over TLS. */
function isKeyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}
