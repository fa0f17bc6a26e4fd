/**
 * Who a connection is (C1): the host's word where it authenticates, otherwise nobody in particular; the session's public id; name and
 * colour as everybody will see them. No keys and no secrets are kept here, so that any instance comes to the same answers.
 */

import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  AVATAR_BYTES_MAX,
  cleanName,
  type MemberId,
  type ResumeToken,
  USER_ID_BYTES_MAX,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import { colorOf } from "./palette.ts";

/** A person, as the host knows them. */
export type User = {
  /** 1–128 bytes; members with the same one are shown as one person. */
  readonly userId: string;
  /** Replaces what the client calls itself. */
  readonly username?: string;
  /** `#rrggbb`; otherwise made of the userId. */
  readonly color?: string;
  /** URL, up to 512 bytes. */
  readonly avatar?: string;
};

/** Says whose token this is; undefined: nobody's, and the connection is closed with 4401. `token` undefined: none was given. */
export type Authenticate = (token: string | undefined, request: IncomingMessage) => User | undefined | Promise<User | undefined>;

/** Whether that user may enter that board; asked with every join. */
export type Authorize = (user: User, boardId: string) => boolean | Promise<boolean>;

/** What one connection's members have in common. `username` undefined: as the client says. */
export type Identity = {
  readonly memberId: MemberId;
  readonly user: User;
  readonly color: string;
};

/** `user` undefined: nobody authenticates here, and the member's userId is its memberId. */
export function identityOf(user: User | undefined, resumeToken: ResumeToken): Identity {
  const hash = createHash("sha256")
    .update(user?.userId ?? "")
    .update(resumeToken, "hex");
  const memberId = hash.digest("hex").slice(0, 32) as MemberId;
  const known = user ?? { userId: memberId };
  return { memberId, user: known, color: known.color?.toLowerCase() ?? colorOf(known.userId) };
}

export function newResumeToken(): ResumeToken {
  return randomBytes(16).toString("hex") as ResumeToken;
}

/** The host's `authenticate`, its answers checked. */
export function checked(authenticate: Authenticate): Authenticate {
  // Databases say "nobody" in many ways; none of them may open the door.
  const check = (user: User | undefined) => (user ? checkedUser(user) : undefined);
  return (token, request) => {
    const answer = authenticate(token, request);
    return isPromise(answer) ? Promise.resolve(answer).then(check) : check(answer);
  };
}

/** Of whatever library or realm. */
export function isPromise<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === "function";
}

/** What it gave, held to the limits of the wire: a name is cut to fit, anything else wrong is the host's mistake. */
export function checkedUser(user: User): User {
  const { userId, username, color, avatar } = user;
  const demand = (holds: boolean, sentence: string) => {
    if (!holds) throw new TypeError(`authenticate gave ${sentence}`);
  };
  demand(isText(userId, USER_ID_BYTES_MAX) && userId !== "", "a userId that is not 1 to 128 bytes of text");
  demand(username === undefined || typeof username === "string", "a username that is no text");
  demand(color === undefined || (typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color)), "a color that is not #rrggbb");
  demand(avatar === undefined || isText(avatar, AVATAR_BYTES_MAX), "an avatar that is not text of up to 512 bytes");
  if (username === undefined) return user;
  let name = cleanName(username);
  while (utf8Bytes(name) > USERNAME_BYTES_MAX) name = name.replace(/.$/su, "");
  return { ...user, username: name };
}

/** Halves of characters have no UTF-8: one of them would make every message that holds it unreadable for everybody else. */
function isText(value: unknown, bytesMax: number): boolean {
  return typeof value === "string" && !/\p{Surrogate}/u.test(value) && utf8Bytes(value) <= bytesMax;
}
