/** The rules for values wherever they come in: from a client in any encoding, from an app, from a host. Each says yes or no and changes nothing. */

import { isSafeJson, utf8Bytes } from "./bytes.ts";
import type { Json, JsonObject } from "./domain.ts";
import * as limits from "./limits.ts";

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The rule for texts. A lone surrogate has no UTF-8 form: others would receive another text. */
export function isText(value: unknown, bytesMax: number): value is string {
  return typeof value === "string" && value.length <= bytesMax && utf8Bytes(value) <= bytesMax && !/\p{Surrogate}/u.test(value);
}

export function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

/** The rule for JSON: within its limits as it is written. */
export function isFitJson(value: unknown, bytesMax: number, depthMax: number): value is Json {
  return value !== undefined && isSafeJson(value as Json, depthMax) && utf8Bytes(JSON.stringify(value)) <= bytesMax;
}

/** The rule for states: a JSON object, as written within `STATE_BYTES_MAX`, and within `JSON_DEPTH_MAX`. */
export function isFitState(value: unknown): value is JsonObject {
  return isObject(value) && isFitJson(value, limits.STATE_BYTES_MAX, limits.JSON_DEPTH_MAX);
}

/** The rule for a person's id. */
export function isUserId(value: unknown): value is string {
  return value !== "" && isText(value, limits.USER_ID_BYTES_MAX);
}

/** The rule for a colour: `#rrggbb`, lower case. */
export function isColor(value: unknown): value is string {
  return typeof value === "string" && /^#[0-9a-f]{6}$/.test(value);
}

/** The rule for a picture's URL; its scheme is the host's affair. */
export function isAvatar(value: unknown): value is string {
  return isText(value, limits.AVATAR_BYTES_MAX);
}

/** The rule for a time since 1970. */
export function isTime(value: unknown): value is number {
  return isWhole(value, 0, limits.TIME_MAX);
}

/** The rule for a member's area, which is absent rather than empty. */
export function isArea(value: unknown): value is string {
  return value !== "" && isText(value, limits.AREA_BYTES_MAX);
}
