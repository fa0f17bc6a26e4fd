/**
 * The words of presence as types. Identifiers are branded strings, so that a member cannot be passed for a board;
 * they are made only by the parsers here and by decoders. Nothing here knows a wire.
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

/** `reconnecting` is never chosen by the app: the connection is lost and its grace still runs. */
export type Status = "active" | "idle" | "reconnecting";

/** A session's entry on a board, as everybody sees it. */
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
  /** App-defined, up to 4 KiB as JSON. Written by its member, untrusted by everybody else. */
  readonly state: JsonObject;
};

/** A place on the board in integers: both within 0…65535 travel in two bytes each, all else as i32. */
export type Point = { readonly x: number; readonly y: number };

export type LeaveReason = "left" | "timeout" | "kicked" | "instance_lost";

/** Controls, line separators, the marks and overrides that change the direction of what stands beside the name, and halves of characters. */
const UNFIT_FOR_NAMES = /[\p{Cc}\p{Surrogate}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

const BOARD_ID = /^[A-Za-z0-9._~:@/-]+$/;
const HEX_16_BYTES = /^[0-9a-f]{32}$/;

export function isBoardId(text: unknown): text is BoardId {
  return typeof text === "string" && text.length <= BOARD_ID_BYTES_MAX && BOARD_ID.test(text);
}

/** Whether a name may be shown beside others as it is; if not, the service refuses it as `bad_username`. */
export function isFitName(name: string): boolean {
  return !UNFIT_FOR_NAMES.test(name);
}

/** The name without what names may not hold: for who cannot be told what is wrong with theirs. */
export function cleanName(name: string): string {
  return name.replace(new RegExp(UNFIT_FOR_NAMES, "gu"), "");
}

export function isResumeToken(text: unknown): text is ResumeToken {
  return typeof text === "string" && HEX_16_BYTES.test(text);
}

export function isMemberId(text: unknown): text is MemberId {
  return typeof text === "string" && HEX_16_BYTES.test(text);
}
