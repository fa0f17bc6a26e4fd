/**
 * JSON merge patch (RFC 7396) that shares structure: a value that a patch does not change keeps its reference. Values are never
 * modified, and nothing reaches a prototype. One equality decides what is a change: `isSame`.
 */

import type { Json, JsonObject } from "./domain.ts";
import { isObject } from "./rules.ts";

export function applyMergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return target !== undefined && isSame(target, patch) ? target : patch;
  const base = isObject(target) ? target : undefined;
  let changed: Record<string, Json> | undefined;
  for (const [key, value] of Object.entries(patch)) {
    if (key === "__proto__") continue;
    const old = base && Object.hasOwn(base, key) ? base[key] : undefined;
    const next = value === null ? undefined : applyMergePatch(old, value);
    if (next === old) continue;
    changed ??= { ...base };
    if (next === undefined) delete changed[key];
    else changed[key] = next;
  }
  return changed ?? base ?? {};
}

/** The patch that turns `from` into `to`; undefined if they are equal. It cannot express a `null` inside an object, and drops it. */
export function mergePatchBetween(from: JsonObject, to: JsonObject): JsonObject | undefined {
  const patch: Record<string, Json> = {};
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const old = Object.hasOwn(from, key) ? from[key] : undefined;
    if (value === old) continue;
    if (isObject(value) && isObject(old)) {
      const inner = mergePatchBetween(old, value);
      if (inner) patch[key] = inner;
    } else if (!isSame(old, value)) patch[key] = value;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Deep equality; the order of keys does not matter, that of a list does. */
export function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, at) => isSame(item, b[at]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}
