/**
 * Identity and rights by JSON Web Tokens, for an instance without a host of its own: the `authenticate` and `authorize` of the command.
 * A token says who somebody is and what they may do on which boards; who has none may do what a setting allows to everybody.
 */

import { errors, type JWTPayload } from "jose";
import type { Authenticate, Authorize, User } from "../connection/auth.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { KeyOptions } from "./keys.ts";
import { BOARDS_FORM, type Grant, grantsIn, mayOn } from "./rights.ts";
import { KeysUnavailable, verifier } from "./verifier.ts";

export type TokenOptions = KeyOptions & {
  /** A token must have this `iss` and this `aud`; undefined: they are not looked at. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** A token that lives longer is refused: for so long it is remembered which are void. */
  readonly lifeMaxS: number;
  /** For those who give no token; none: they are refused. */
  readonly anonymous: readonly Grant[];
  readonly log: Logger;
};

/** Clocks of the issuer and of this machine may differ by so much, for `nbf`. */
const CLOCK_TOLERANCE_S = 10;
/** Strangers can have tokens refused as often as they like. */
const LOG_EVERY_MS = 10_000;

type Holder = User & { readonly grants: readonly Grant[] };

export type TokenRights = {
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  /** For calls of the admin API. undefined: the token does not hold, or the keys cannot be had. */
  readonly administer: (
    token: string,
  ) => Promise<{ readonly userId: string; readonly issuedAt: number | undefined; mayAdminister(boardId: string): boolean } | undefined>;
};

/** Throws BAD_SETTINGS if the keys cannot be used. */
export function tokenRights(options: TokenOptions): TokenRights {
  const { anonymous, issuer, audience, log } = options;
  const verify = verifier(options);
  const warn = rateLimited(log.warn.bind(log), LOG_EVERY_MS);
  const checks = {
    requiredClaims: ["sub", "exp"],
    clockTolerance: CLOCK_TOLERANCE_S,
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  };
  const claimsOf = async (token: string): Promise<JWTPayload> => {
    const claims = await verify(token, checks);
    const { iat = Date.now() / 1000, exp = 0 } = claims;
    if (exp - iat > options.lifeMaxS) throw new TypeError("it lives longer than AUTH_TOKEN_LIFE_MAX");
    return claims;
  };
  const authenticate = async (token: string | undefined): Promise<Holder | undefined> => {
    if (token === undefined || token === "") {
      if (anonymous.length > 0) return { userId: "", anonymous: true, grants: anonymous };
      return void warn({}, "a client gave no token, and nothing is open to clients without one (AUTH_ANONYMOUS)");
    }
    try {
      const claims = await claimsOf(token);
      return holderOf(claims, (why) => warn({ why }, "a token was taken, and gives no right to any board"));
    } catch (error) {
      if (error instanceof KeysUnavailable || !(error instanceof errors.JOSEError || error instanceof TypeError)) throw error;
      return void warn({ why: error.message }, "a token was refused");
    }
  };
  const authorize: Authorize = (user, boardId, { observe }) => {
    const { grants } = user as Holder;
    if (!mayOn(grants, boardId, observe ? "read" : "write")) return false;
    return mayOn(grants, boardId, "event") ? true : { broadcast: false };
  };
  const administer: TokenRights["administer"] = async (token) => {
    try {
      const { userId, issuedAt, grants } = holderOf(await claimsOf(token), () => {});
      return { userId, issuedAt: issuedAt ?? undefined, mayAdminister: (boardId) => mayOn(grants, boardId, "admin") };
    } catch {
      return undefined;
    }
  };
  return { authenticate, authorize, administer };
}

function holderOf(claims: JWTPayload, remark: (why: string) => void): Holder {
  const { sub = "", exp = 0, iat, name, color, avatar, picture, kind, boards } = claims;
  const grants = grantsIn(boards);
  if (grants === undefined) remark(boards === undefined ? "it has no claim boards" : `its claim boards is not ${BOARDS_FORM}`);
  const said = { username: name, color, avatar: avatar ?? picture, kind } as Partial<User>;
  return { ...said, userId: sub, expiresAt: exp * 1000, issuedAt: iat === undefined ? undefined : iat * 1000, grants: grants ?? [] };
}
