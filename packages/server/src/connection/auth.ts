/**
 * The identity of a connection (C1): the user that the host names where it authenticates, otherwise a person of its own; the session's
 * public id; name and colour as all clients see them. No keys and no secrets are kept here, so every instance comes to the same
 * answers. host.ts asks the host, and decides what follows if that fails.
 */

import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  cleanName,
  isAvatar,
  isColor,
  isUserId,
  type MemberId,
  type MemberKind,
  type Millis,
  type ResumeToken,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";

/** A person, as the host knows them. A field that is null counts as not given. */
export type User = {
  /** 1–128 bytes; members with the same one are shown as one person. A number is taken as its decimal text. */
  readonly userId: string;
  /** `true`: nobody in particular. `userId` is ignored then, and each session is a person of its own. */
  readonly anonymous?: boolean | null | undefined;
  /** Replaces the name that the client gives. Characters that names may not hold are taken out, and it is cut at 256 bytes. */
  readonly username?: string | null | undefined;
  /** `#rrggbb` or `#rgb`. Not given, or anything else: each board picks one that nobody else has there. */
  readonly color?: string | null | undefined;
  /** URL, up to 512 bytes; a longer one is left out. */
  readonly avatar?: string | null | undefined;
  /** `agent`: a program that acts for somebody. Not given, or anything else: a person. */
  readonly kind?: MemberKind | null | undefined;
  /**
   * When the right to be connected ends, in milliseconds since 1970 (a JWT's `exp` times 1000). A minute before, the client is asked for a
   * fresh token; without one its connection is closed with 4401 at that time. Not given: the right lasts as long as the connection.
   */
  readonly expiresAt?: number | null | undefined;
  /**
   * When that right was given, in milliseconds since 1970 (a JWT's `iat` times 1000). If the user has been revoked, a right that was given
   * before counts no more; nor does one without this time, for as long as the revocation is remembered.
   */
  readonly issuedAt?: number | null | undefined;
};

/**
 * Names the user of this token; undefined: it has none, and the connection is closed with 4401. `token` undefined: the client gave none. If the
 * function throws, rejects or does not answer within 10 s, that is a failure for the moment: the client comes back, and one that is connected stays.
 */
export type Authenticate = (token: string | undefined, request: IncomingMessage) => User | undefined | Promise<User | undefined>;

/**
 * Whether that user may enter that board; asked with every join and for every board that is watched, on every connection. `user` is the very object that `authenticate` gave last. Any answer
 * but `true`, or an object with limits, is a no. If the function throws, rejects or does not answer within 10 s, the client is told `unavailable` for this board and asks again.
 */
export type Authorize = (user: User, boardId: string, how: Wish) => boolean | Limits | Promise<boolean | Limits>;

/** A yes with limits. `broadcast` false: the user is shown, and moves and updates, and every broadcast is refused (`not_allowed`). */
export type Limits = { readonly broadcast?: boolean };

/** `observe`: the client wants to see the board only. `watch`: not even that, but how many are there; then `observe` is true as well. */
export type Wish = { readonly observe: boolean; readonly watch: boolean };

/** A user within the limits of the wire. */
export type Person = {
  readonly userId: string;
  readonly username?: string;
  readonly color?: string;
  readonly avatar?: string;
  /** Absent: a person. */
  readonly kind?: "agent";
};

/** The part of a member that is the same on all boards of a connection. `user.username` undefined: the client's name counts. */
export type Identity = {
  readonly memberId: MemberId;
  readonly user: Person;
};

/** `user` undefined: the host does not authenticate, and the member's userId is its memberId. */
export function identityOf(user: Person | undefined, resumeToken: ResumeToken): Identity {
  const hash = createHash("sha256")
    .update(user?.userId ?? "")
    .update(resumeToken, "hex");
  const memberId = hash.digest().toString("hex", 0, 16) as MemberId;
  return { memberId, user: user ?? { userId: memberId } };
}

/** The same session of the same user, with the name, colour and avatar that a fresh token gives them. undefined: it is another user's token. */
export function renewed({ memberId, user: { userId } }: Identity, fresh: Person | undefined): Identity | undefined {
  const user = fresh ?? { userId: memberId };
  return user.userId === userId ? { memberId, user } : undefined;
}

export function newResumeToken(): ResumeToken {
  return randomBytes(16).toString("hex") as ResumeToken;
}

/**
 * `person` undefined: nobody in particular. `expiresAt` is as the host gave it; Infinity: it gave none. `remarks` name the fields that were left out. `unusable` says why no
 * client can be connected as this user.
 */
export type Checked =
  | {
      readonly person: Person | undefined;
      readonly expiresAt: Millis;
      readonly issuedAt?: Millis | undefined;
      readonly remarks: readonly string[];
    }
  | { readonly unusable: string };

/** If a host gives seconds, as a JWT has them, they mean a time in 1970. So a time before 1973 is a mistake. */
const EXPIRES_AT_MIN = 1e11;

/** Only the userId is required. Name, colour and avatar may come from third parties: a bad one is cleaned, or left out with a remark. */
export function personOf(given: User): Checked {
  const userId = textOf(given.userId);
  if (!isUserId(userId) && given.anonymous !== true) {
    return { unusable: "authenticate gave a userId that is not 1 to 128 bytes of text" };
  }
  const expiresAt = given.expiresAt ?? Number.POSITIVE_INFINITY;
  // A value without meaning must not become a right without an end.
  if (typeof expiresAt !== "number" || !(expiresAt >= EXPIRES_AT_MIN)) {
    return { unusable: "authenticate gave an expiresAt that is not a time in milliseconds since 1970" };
  }
  if (given.anonymous === true || userId === undefined) return { person: undefined, expiresAt, remarks: [] };
  const remarks: string[] = [];
  const optional = (value: unknown, clean: (text: string) => string | undefined, remark: string) => {
    if (value === undefined || value === null) return undefined;
    const text = typeof value === "string" ? value.trim() : undefined;
    if (text === "") return undefined;
    const cleaned = text === undefined ? undefined : clean(text);
    if (cleaned === undefined) remarks.push(remark);
    return cleaned || undefined;
  };
  const username = optional(
    given.username,
    nameOf,
    "authenticate gave a username that is not text: the one that the client gives is shown",
  );
  const color = optional(given.color, colorIn, "authenticate gave a color that is not #rrggbb: the service picks one");
  const avatar = optional(
    given.avatar,
    (text) => (isAvatar(text) ? text : undefined),
    "authenticate gave an avatar that is not text of up to 512 bytes: it is left out",
  );
  const kind = optional(
    given.kind,
    (text) => (text === "agent" || text === "person" ? text : undefined),
    "authenticate gave a kind that is neither person nor agent: the member is shown as a person",
  );
  const person = {
    userId,
    ...(username && { username }),
    ...(color && { color }),
    ...(avatar && { avatar }),
    ...(kind === "agent" && { kind: "agent" as const }),
  };
  const issuedAt = typeof given.issuedAt === "number" && given.issuedAt >= EXPIRES_AT_MIN ? given.issuedAt : undefined;
  return { person, expiresAt, issuedAt, remarks };
}

/** A userId as text: databases have numbers for people. undefined: it is neither text nor a number. */
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
  const full = /^#[0-9a-f]{3}$/.test(lower) ? lower.replace(/[0-9a-f]/g, "$&$&") : lower;
  return isColor(full) ? full : undefined;
}
