/**
 * The keys by which tokens are believed, as settings have them. Each key belongs to the algorithms of its own kind, so that no token can have a
 * public key taken for a secret. Tokens are verified elsewhere.
 */

import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { PresenceError } from "../errors.ts";

export type KeyOptions = {
  /** For HS256, each of 32 bytes or more; all are believed, so that one can replace another. */
  readonly secrets: readonly string[];
  /** Public keys or certificates in PEM form, or a JSON Web Key Set; "": none. */
  readonly publicKeys: string;
  /** Where the issuer publishes its keys as a JSON Web Key Set; undefined: nowhere. */
  readonly jwksUrl: string | undefined;
};

/** RFC 7518: a key for HS256 is at least as long as its hash. */
export const SECRET_BYTES_MIN = 32;
const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const CURVES: Readonly<Record<string, readonly string[]>> = { prime256v1: ["ES256"], secp384r1: ["ES384"], secp521r1: ["ES512"] };
const EDWARDS = ["EdDSA", "Ed25519"];
export const ASYMMETRIC = [...RSA, ...Object.values(CURVES).flat(), ...EDWARDS];

export type Key = { readonly key: KeyObject | Uint8Array; readonly algorithms: readonly string[]; readonly kid: string | undefined };

/** Throws BAD_SETTINGS if there are no keys in a text that should hold them. */
export function keysOf({ secrets, publicKeys }: Pick<KeyOptions, "secrets" | "publicKeys">): Key[] {
  return [
    ...secrets.map((secret) => ({ key: new TextEncoder().encode(secret), algorithms: ["HS256"], kid: undefined })),
    ...(publicKeys === "" ? [] : keysIn(publicKeys)),
  ];
}

function keysIn(text: string): Key[] {
  const keys = text.trimStart().startsWith("{") ? keysOfSet(text) : keysOfPem(text);
  if (keys.length === 0)
    throw new PresenceError("BAD_SETTINGS", "AUTH_PUBLIC_KEYS holds no public key: it needs PEM, or a JSON Web Key Set");
  return keys;
}

function keysOfPem(text: string): Key[] {
  const blocks = text.match(/-----BEGIN (?:RSA )?(?:PUBLIC KEY|CERTIFICATE)-----[\s\S]+?-----END [A-Z ]+-----/g) ?? [];
  return blocks.map((pem) => read(() => ({ key: createPublicKey(pem) }), "a PEM block"));
}

function keysOfSet(text: string): Key[] {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new PresenceError("BAD_SETTINGS", "AUTH_PUBLIC_KEYS begins as JSON, and cannot be read as JSON");
  }
  const { keys } = set as { readonly keys?: unknown };
  const list = Array.isArray(keys)
    ? (keys as (JsonWebKey & { readonly kid?: string; readonly alg?: string; readonly use?: string })[])
    : [];
  return list
    .filter(({ use, kty }) => (use === undefined || use === "sig") && kty !== "oct")
    .map((jwk) => read(() => ({ key: createPublicKey({ key: jwk, format: "jwk" }), kid: jwk.kid, alg: jwk.alg }), "a key of the set"));
}

function read(
  make: () => { readonly key: KeyObject; readonly kid?: string | undefined; readonly alg?: string | undefined },
  what: string,
): Key {
  try {
    const { key, kid, alg } = make();
    const known = algorithmsOf(key);
    const algorithms = alg === undefined ? known : known.filter((one) => one === alg);
    if (algorithms.length > 0) return { key, algorithms, kid };
  } catch {}
  throw new PresenceError(
    "BAD_SETTINGS",
    `AUTH_PUBLIC_KEYS holds ${what} that is no public key for RS256, PS256, ES256, EdDSA or their kin`,
  );
}

function algorithmsOf(key: KeyObject): readonly string[] {
  if (key.asymmetricKeyType === "rsa") return RSA;
  if (key.asymmetricKeyType === "ed25519") return EDWARDS;
  return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? [];
}
