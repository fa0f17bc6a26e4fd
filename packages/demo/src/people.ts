/** How this page shows a member. If the page itself is cut off, it must not show the others as cut off. */

import type { Member, PresenceStatus } from "@presence-service/client";

/** `instance`: the first part of the id of the instance that serves a page; others' is untrusted text. */
export type State = { readonly instance: string };

export type Person = {
  readonly id: string;
  readonly name: string;
  readonly colour: string;
  /** `unknown`: the member cannot be heard, because of this page's own connection. */
  readonly status: Member["status"] | "unknown";
  /** Text beside the name; may be empty. */
  readonly remark: string;
  /** Empty: not known yet. */
  readonly instance: string;
  readonly isSelf: boolean;
};

/** `ours`: how this page is connected, and to which instance. */
export function personOf(
  member: Member<State>,
  isSelf: boolean,
  ours: { readonly status: PresenceStatus; readonly instance: string },
): Person {
  const { instance } = member.state;
  const base = { id: member.memberId, name: displayName(member.username), colour: member.color, instance, isSelf };
  if (ours.status === "reconnecting") {
    // No instance serves us now, and on a narrow list the words need its place.
    return isSelf
      ? { ...base, instance: "", status: "reconnecting", remark: "you, not connected" }
      : { ...base, status: "unknown", remark: "" };
  }
  if (isSelf) return { ...base, status: member.status, remark: "you" };
  if (ours.status === "degraded" && instance !== ours.instance) return { ...base, status: "unknown", remark: "last known" };
  return { ...base, status: member.status, remark: member.status === "active" ? "" : member.status };
}

/** A name of spaces and invisible characters counts as no name. */
export function displayName(username: string): string {
  return /[^\s\p{Cf}\p{Zs}]/u.test(username) ? username : "Anonymous";
}

/** For the sign at the top. `isOnline`: the browser has a network, so it is the service that does not answer. */
export function connectionText(status: PresenceStatus, isOnline: boolean): string {
  if (status !== "reconnecting") return status;
  return isOnline ? "Connection lost: connecting again…" : "You are offline: waiting for the network…";
}

/** How many instances see each other; a dash while that is not known. */
export function instancesText(status: PresenceStatus, known: number | undefined): string {
  if (status === "degraded") return "1";
  return status === "connected" && known !== undefined ? String(known) : "–";
}
