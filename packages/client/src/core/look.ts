/** At which areas of a board we look, as the app and a follow want it, and as the service is told. Pure. */

import { LOOK_AREAS_MAX } from "@presence-service/protocol";

/** undefined: at our own area; where we only observe, at all. */
export type Look = "all" | readonly string[] | undefined;

/** The look that also shows the member whom we follow, who is in that area. `own`: our own area; undefined: we observe. */
export function following(look: Look, own: string | undefined, followed: string): Look {
  if (look === "all" || (look === undefined && (own === undefined || own === followed))) return look;
  const areas = look ?? [own ?? ""];
  return areas.includes(followed) ? areas : [followed, ...areas].slice(0, LOOK_AREAS_MAX);
}

/** undefined: all areas. */
export function areasOf(look: Look, own: string | undefined): ReadonlySet<string> | undefined {
  if (look === "all") return undefined;
  if (look !== undefined) return new Set(look);
  return own === undefined ? undefined : new Set([own]);
}
