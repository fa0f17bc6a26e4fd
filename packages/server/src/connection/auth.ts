/**
 * Who a connection is (C1): the host's word where it authenticates, otherwise nobody in particular; the session's public id; name and
 * colour as everybody will see them. No keys and no secrets are kept here, so that any instance comes to the same answers. When the
 * host is asked, and what follows if it fails, is host.ts's.
 */

import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  AVATAR_BYTES_MAX,
  cleanName,
  type MemberId,
  type Millis,
  type ResumeToken,
  USER_ID_BYTES_MAX,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import { colorOf } from "./palette.ts";

/** A person, as the host knows them. What is null counts as not there. */
export type User = {
  /** 1–128 bytes; members with the same one are shown as one person. A number is taken as its decimal text. */
  readonly userId: string;
  /** Replaces what the client calls itself. Cut at 256 bytes; without what names may not hold. */
  readonly username?: string | null | undefined;
  /** `#rrggbb` or `#rgb`; otherwise made of the userId. */
  readonly color?: string | null | undefined;
  /** URL, up to 512 bytes; a longer one is left out. */
  readonly avatar?: string | null | undefined;
  /**
   * When the right to be connected ends, in milliseconds since 1970 (a JWT's `exp` times 1000). A minute before, the client is asked for a
   * fresh token; without one its connection is closed with 4401 at that time. Not given: the right lasts as long as the connection.
   */
  readonly expiresAt?: number | null | undefined;
};

/**
 * Says whose token this is; undefined: nobody's, and the connection is closed with 4401. `token` undefined: none was given. If it throws, rejects
 * or does not answer within 10 s, that is a failure for the moment: the client comes back, and one that is connected stays.
 */
export type Authenticate = (token: string | undefined, request: IncomingMessage) => User | undefined | Promise<User | undefined>;

/**
 * Whether that user may enter that board; asked with every join, on every connection. `user` is the very object that `authenticate` gave last. Anything but
 * `true` is a no. If it throws, rejects or does not answer within 10 s, the client is told `unavailable` for this board and asks again.
 */
export type Authorize = (user: User, boardId: string) => boolean | Promise<boolean>;

/** A user within the limits of the wire. */
export type Person = { readonly userId: string; readonly username?: string; readonly color?: string; readonly avatar?: string };

/** What one connection's members have in common. `user.username` undefined: as the client says. */
export type Identity = {
  readonly memberId: MemberId;
  readonly user: Person;
  readonly color: string;
};

/** `user` undefined: nobody authenticates here, and the member's userId is its memberId. */
export function identityOf(user: Person | undefined, resumeToken: ResumeToken): Identity {
  const hash = createHash("sha256")
    .update(user?.userId ?? "")
    .update(resumeToken, "hex");
  const memberId = hash.digest("hex").slice(0, 32) as MemberId;
  return identified(memberId, user ?? { userId: memberId });
}

/** The same session, of the same user, with what a fresh token says of them. */
export function renewed({ memberId }: Identity, user: Person): Identity {
  return identified(memberId, user);
}

function identified(memberId: MemberId, user: Person): Identity {
  return { memberId, user, color: user.color ?? colorOf(user.userId) };
}

export function newResumeToken(): ResumeToken {
  return randomBytes(16).toString("hex") as ResumeToken;
}

/**
 * `expiresAt` as the host gave it, Infinity: not at all. `remarks` name what was left out. `unusable` says why nobody can be
 * connected as this user, whatever they do.
 */
export type Checked =
  | { readonly person: Person; readonly expiresAt: Millis; readonly remarks: readonly string[] }
  | { readonly unusable: string };

/** Seconds, as a JWT has them, would be a time in 1970; nobody's token runs out before 1973. */
const EXPIRES_AT_MIN = 1e11;

/** Only what identifies is required. What only decorates comes from third parties: it is cleaned, or left out with a remark. */
export function personOf(given: User): Checked {
  const userId = textOf(given.userId);
  if (userId === undefined || userId === "" || !fits(userId, USER_ID_BYTES_MAX)) {
    return { unusable: "authenticate gave a userId that is not 1 to 128 bytes of text" };
  }
  const expiresAt = given.expiresAt ?? Number.POSITIVE_INFINITY;
  // What means nothing must not become a right without an end.
  if (typeof expiresAt !== "number" || !(expiresAt >= EXPIRES_AT_MIN)) {
    return { unusable: "authenticate gave an expiresAt that is not a time in milliseconds since 1970" };
  }
  const remarks: string[] = [];
  const optional = (value: unknown, clean: (text: string) => string | undefined, remark: string) => {
    if (value === undefined || value === null) return undefined;
    const text = typeof value === "string" ? value.trim() : undefined;
    if (text === "") return undefined;
    const cleaned = text === undefined ? undefined : clean(text);
    if (cleaned === undefined) remarks.push(remark);
    return cleaned || undefined;
  };
  const username = optional(given.username, nameOf, "authenticate gave a username that is not text: the client's own is shown");
  const color = optional(given.color, colorIn, "authenticate gave a color that is not #rrggbb: it is made of the userId");
  const avatar = optional(
    given.avatar,
    (text) => (fits(text, AVATAR_BYTES_MAX) ? text : undefined),
    "authenticate gave an avatar that is not text of up to 512 bytes: it is left out",
  );
  const person = { userId, ...(username && { username }), ...(color && { color }), ...(avatar && { avatar }) };
  return { person, expiresAt, remarks };
}

/** A userId as text: databases have numbers for people. undefined: neither. */
export function textOf(userId: unknown): string | undefined {
  if (typeof userId === "string") return userId;
  if (typeof userId === "bigint") return String(userId);
  if (typeof userId !== "number" || !Number.isFinite(userId)) return undefined;
  return Number.isInteger(userId) ? String(BigInt(userId)) : String(userId);
}

function nameOf(text: string): string {
  let name = cleanName(text).trim();
  while (utf8Bytes(name) > USERNAME_BYTES_MAX) name = name.replace(/.$/su, "");
  return name;
}

function colorIn(text: string): string | undefined {
  const lower = text.toLowerCase();
  if (/^#[0-9a-f]{3}$/.test(lower)) return lower.replace(/[0-9a-f]/g, "$&$&");
  return /^#[0-9a-f]{6}$/.test(lower) ? lower : undefined;
}

/** Halves of characters have no UTF-8: one of them would make every message that holds it unreadable for everybody else. */
export function fits(text: string, bytesMax: number): boolean {
  return !/\p{Surrogate}/u.test(text) && utf8Bytes(text) <= bytesMax;
}
