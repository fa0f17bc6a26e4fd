/**
 * The terms of presence as types. Identifiers are branded strings, so that a member id cannot be passed for a board id.
 * Only the parsers here and the decoders make them. Nothing here knows a wire.
 */

import { BOARD_ID_BYTES_MAX } from "./limits.ts";

/** Milliseconds: a duration, or a reading of a monotonic clock; the name of the variable says which. */
export type Millis = number;

declare const brand: unique symbol;

/** 1–128 bytes of `[A-Za-z0-9._~:@/-]`. */
export type BoardId = string & { readonly [brand]: "BoardId" };

/** 16 bytes as 32 lower-case hex digits: public, the same across the reconnects of one session (C1). */
export type MemberId = string & { readonly [brand]: "MemberId" };

/** 16 random bytes as 32 lower-case hex digits: the secret that proves a resumed session is the same one (C1). */
export type ResumeToken = string & { readonly [brand]: "ResumeToken" };

/** A random UUID in its usual text form, made when an instance starts and never reused. */
export type InstanceId = string & { readonly [brand]: "InstanceId" };

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** `reconnecting`: the connection is lost and its grace still runs. An app cannot set it. */
export type Status = "active" | "idle" | "reconnecting";

/** `agent`: a program that acts for somebody. Only the host's `authenticate` says so. */
export type MemberKind = "person" | "agent";

/** A session's entry on a board, as everybody sees it. Times are milliseconds since 1970, by the clock of the instance that it joined at. */
export type Member = {
  readonly memberId: MemberId;
  /** The person; several members (tabs, devices) may share one. 1–128 bytes of UTF-8. Without auth: the memberId. */
  readonly userId: string;
  /** 0–256 bytes of UTF-8. */
  readonly username: string;
  /** `#rrggbb`, lower case. */
  readonly color: string;
  /** URL, up to 512 bytes; only ever given by the host's `authenticate`. */
  readonly avatar?: string;
  readonly status: Status;
  readonly kind: MemberKind;
  /** The session's first join on this board; 0: not known. Nobody but the member's instance changes it, so it orders rosters everywhere. */
  readonly joinedAt: Millis;
  /** When the member was last `active`; absent while it is, and where only an instance's silence makes it `reconnecting`. */
  readonly activeAt?: Millis;
  /** Where in the app the member is: a page, a slide, a section; 1–128 bytes of UTF-8, untrusted. Absent: nowhere in particular. */
  readonly area?: string;
  /** App-defined, up to 4 KiB as JSON. Written by its member, untrusted by everybody else. */
  readonly state: JsonObject;
};

/** The one order of members for all viewers: by their first join, then by memberId. */
export function inOrder(a: Pick<Member, "joinedAt" | "memberId">, b: Pick<Member, "joinedAt" | "memberId">): number {
  return a.joinedAt - b.joinedAt || (a.memberId < b.memberId ? -1 : a.memberId > b.memberId ? 1 : 0);
}

/** A place on the board in integers. If both are within 0…65535 they are sent in two bytes each, otherwise as i32. */
export type Point = { readonly x: number; readonly y: number };

export type LeaveReason = "left" | "timeout" | "kicked" | "instance_lost";

/** Control characters, line separators, marks that change the direction of the text beside the name, and lone surrogates. */
const UNFIT_FOR_NAMES = /[\p{Cc}\p{Surrogate}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

const BOARD_ID = /^[A-Za-z0-9._~:@/-]+$/;
const HEX_16_BYTES = /^[0-9a-f]{32}$/;

export function isBoardId(text: unknown): text is BoardId {
  return typeof text === "string" && text.length <= BOARD_ID_BYTES_MAX && BOARD_ID.test(text);
}

/** Whether a name may be shown beside other text. If not, the service refuses it as `bad_username`. */
export function isFitName(name: string): boolean {
  return !UNFIT_FOR_NAMES.test(name);
}

/** The name without the forbidden characters: for classic clients and host names, which cannot be answered with an error. */
export function cleanName(name: string): string {
  return name.replace(new RegExp(UNFIT_FOR_NAMES, "gu"), "");
}

export function isResumeToken(text: unknown): text is ResumeToken {
  return typeof text === "string" && HEX_16_BYTES.test(text);
}

export function isMemberId(text: unknown): text is MemberId {
  return typeof text === "string" && HEX_16_BYTES.test(text);
}
