/** The times that an owner tells of its members, by its own wall clock (R18). They order lists and are for people; no rule judges by them. */

import type { JsonObject, Member, Millis, Status } from "@presence-service/protocol";

/** The times of a member that enters. They go on from the entry by which it is shown now, wherever that is. */
export function timesOf(
  { status }: { readonly status: Status },
  before: Member | undefined,
  wallNow: Millis,
): Pick<Member, "joinedAt" | "activeAt"> {
  // The clock of that instance may be ahead, or the time invented: no entry is handed on with a time that has not come yet here.
  return { joinedAt: Math.min(before?.joinedAt || wallNow, wallNow), ...awaySince(status, before, wallNow) };
}

/** The patch that gives the member that status. */
export function statusPatch(status: Status, member: Member, wallNow: Millis): JsonObject {
  return { status, ...(status === "active" && { activeAt: null }), ...awaySince(status, member, wallNow) };
}

export function awaySince(status: Status, before: Member | undefined, wallNow: Millis): Pick<Member, "activeAt"> {
  return status === "active" ? {} : { activeAt: Math.min(before?.activeAt ?? wallNow, wallNow) };
}
