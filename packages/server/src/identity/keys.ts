/**
 * The keys by which tokens are believed. Each key belongs to the algorithms of its own kind, so that no token can have a public key taken for
 * a secret. Keys come from settings only: nothing in a token says where to look for one.
 */

import { createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { createRemoteJWKSet, decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import { PresenceError } from "../errors.ts";

export type KeyOptions = {
  /** For HS256, each of 32 bytes or more; all are believed, so that one can replace another. */
  readonly secrets: readonly string[];
  /** Public keys or certificates in PEM form, or a JSON Web Key Set; "": none. */
  readonly publicKeys: string;
  /** Where the issuer publishes its keys as a JSON Web Key Set; undefined: nowhere. */
  readonly jwksUrl: string | undefined;
};

/** Resolves to the claims. Rejects with an error of `jose` if the token is not to be believed, and with `KeysUnavailable` if that cannot be known now. */
export type Verify = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

/** The issuer's keys cannot be had at the moment. */
export class KeysUnavailable extends Error {}

/** RFC 7518: a key for HS256 is at least as long as its hash. */
export const SECRET_BYTES_MIN = 32;
/** Keys of an issuer are asked for again after this time, and for a key that is unknown not more often than every 30 s. */
const JWKS_AGE_MS_MAX = 600_000;
const JWKS_ASK_MS_MIN = 30_000;
const JWKS_ANSWER_MS_MAX = 5000;
/** Characters of a token's header in a refusal, which is logged. */
const ALG_SHOWN_MAX = 20;

const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const CURVES: Readonly<Record<string, readonly string[]>> = { prime256v1: ["ES256"], secp384r1: ["ES384"], secp521r1: ["ES512"] };
const EDWARDS = ["EdDSA", "Ed25519"];
const ASYMMETRIC = [...RSA, ...Object.values(CURVES).flat(), ...EDWARDS];

type Key = { readonly key: KeyObject | Uint8Array; readonly algorithms: readonly string[]; readonly kid: string | undefined };

/** Throws BAD_SETTINGS if there are no keys in a text that should hold them. */
export function verifier({ secrets, publicKeys, jwksUrl }: KeyOptions): Verify {
  const keys: Key[] = [
    ...secrets.map((secret) => ({ key: new TextEncoder().encode(secret), algorithms: ["HS256"], kid: undefined })),
    ...(publicKeys === "" ? [] : keysIn(publicKeys)),
  ];
  const published =
    jwksUrl === undefined
      ? undefined
      : createRemoteJWKSet(new URL(jwksUrl), {
          cacheMaxAge: JWKS_AGE_MS_MAX,
          cooldownDuration: JWKS_ASK_MS_MIN,
          timeoutDuration: JWKS_ANSWER_MS_MAX,
        });
  return async (token, options) => {
    const { alg = "", kid } = decodeProtectedHeader(token);
    let refusal: Error = new errors.JWSSignatureVerificationFailed(
      `there is no key for the algorithm ${JSON.stringify(alg).slice(0, ALG_SHOWN_MAX)}`,
    );
    for (const { key, algorithms, kid: own } of keys) {
      if (!algorithms.includes(alg) || (kid !== undefined && own !== undefined && kid !== own)) continue;
      try {
        return (await jwtVerify(token, key, { ...options, algorithms: [...algorithms] })).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
        refusal = error;
      }
    }
    if (published === undefined || !ASYMMETRIC.includes(alg)) throw refusal;
    try {
      return (await jwtVerify(token, published, { ...options, algorithms: ASYMMETRIC })).payload;
    } catch (error) {
      throw isAboutToken(error) ? error : new KeysUnavailable("the issuer's keys cannot be had", { cause: error });
    }
  };
}

/** All that is not about the token is about the answer of the issuer: it is late, refused, or no set of keys. */
function isAboutToken(error: unknown): boolean {
  const isAboutKeys = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error instanceof errors.JWKInvalid;
  return error instanceof errors.JOSEError && !isAboutKeys && error.code !== "ERR_JOSE_GENERIC";
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
