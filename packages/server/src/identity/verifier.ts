/**
 * Whether a token is to be believed, by the keys of the settings or those that its issuer publishes. Keys come from settings only: nothing in a
 * token says where to look for one.
 */

import { createRemoteJWKSet, decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from "jose";
import { ASYMMETRIC, type KeyOptions, keysOf } from "./keys.ts";

/** Resolves to the claims. Rejects with an error of `jose` if the token is not to be believed, and with `KeysUnavailable` if that cannot be known now. */
export type Verify = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

/** The issuer's keys cannot be had at the moment. */
export class KeysUnavailable extends Error {}

/** Keys of an issuer are asked for again after this time, and for a key that is unknown not more often than every 30 s. */
const JWKS_AGE_MS_MAX = 600_000;
const JWKS_ASK_MS_MIN = 30_000;
const JWKS_ANSWER_MS_MAX = 5000;
/** Characters of a token's header in a refusal, which is logged. */
const ALG_SHOWN_MAX = 20;

/** Throws BAD_SETTINGS if there are no keys in a text that should hold them. */
export function verifier({ secrets, publicKeys, jwksUrl }: KeyOptions): Verify {
  const keys = keysOf({ secrets, publicKeys });
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
