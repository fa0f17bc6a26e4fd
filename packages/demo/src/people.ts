/** How this page shows a member. If the page itself is cut off, it must not show the others as cut off. */

import type { BoardSnapshot, Member, PresenceStatus } from "@presence-service/client";
import { type Note, type PageId, pageOf, type State } from "./state.ts";

export type Person = {
  readonly id: string;
  readonly name: string;
  readonly colour: string;
  /** `unknown`: the member cannot be heard, because of this page's own connection. `left`: shown for a moment, and not here any more. */
  readonly status: Member["status"] | "unknown" | "left";
  /** Text beside the name; may be empty. */
  readonly remark: string;
  /** Empty: not known yet. */
  readonly instance: string;
  /** Where on the board; undefined: nowhere on it. */
  readonly page: PageId | undefined;
  readonly selected: string | undefined;
  readonly note: Note | undefined;
  readonly isSelf: boolean;
};

/** How this page is connected, and to which instance. */
type Ours = { readonly status: PresenceStatus; readonly instance: string };

/** Everybody, in the order that all viewers see. Those who have just left keep their places. */
export function peopleOf({ users, self, justLeft }: BoardSnapshot<State>, ours: Ours): Person[] {
  const members = users.flatMap((user) => user.members);
  for (const gone of justLeft) {
    const next = members.findIndex(({ joinedAt }) => joinedAt > gone.joinedAt);
    members.splice(next < 0 ? members.length : next, 0, gone);
  }
  return members.map((member) => {
    const person = personOf(member, member === self, ours);
    return justLeft.includes(member) ? { ...person, status: "left", remark: "just left" } : person;
  });
}

export function personOf(member: Member<State>, isSelf: boolean, ours: Ours): Person {
  const { instance, selected, note } = member.state;
  const page = pageOf(member.area);
  const base = { id: member.memberId, name: displayName(member.username), colour: member.color, instance, page, selected, note, isSelf };
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

export function initial(name: string): string {
  return ([...name][0] ?? "?").toUpperCase();
}

/** For the sign at the top. `isOnline`: the browser has a network, so it is the service that does not answer. */
export function connectionText(status: PresenceStatus, isOnline: boolean): string {
  if (status !== "reconnecting") return status;
  return isOnline ? "Connection lost: connecting again…" : "You are offline: waiting for the network…";
}

/** For a notice, once the service does not answer. `neighbourPort`: of another instance, to which the page has a button. */
export function unreachableText(host: string, neighbourPort: string | undefined): string {
  const move = neighbourPort === undefined ? "" : ` Or move to port ${neighbourPort}, where another instance is.`;
  return `Nothing answers at ${host}. This page goes on trying and comes back by itself.${move}`;
}

/** How many instances see each other; a dash while that is not known. */
export function instancesText(status: PresenceStatus, known: number | undefined): string {
  if (status === "degraded") return "1";
  return status === "connected" && known !== undefined ? String(known) : "–";
}
