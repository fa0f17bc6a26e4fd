/**
 * Members by person. Pure. A person whose members did not change is the same object as before, so a list of people renders only the
 * changed ones.
 */

import { inOrder } from "@presence-service/protocol";
import type { Member, User } from "../types.ts";

/** In the one order of all viewers, oneself at one's place in it. `previous`: the result of the last call, returned itself if nothing changed. */
export function groupUsers(
  self: Member<object> | null,
  others: readonly Member<object>[],
  previous: readonly User<object>[],
): readonly User<object>[] {
  const byUser = new Map<string, Member<object>[]>();
  for (const member of self ? [...others, self].sort(inOrder) : others) {
    const members = byUser.get(member.userId);
    if (members) members.push(member);
    else byUser.set(member.userId, [member]);
  }
  const before = new Map(previous.map((user) => [user.userId, user]));
  const users = Array.from(byUser, ([userId, members]) => {
    const old = before.get(userId);
    const isSelf = userId === self?.userId;
    return old && old.isSelf === isSelf && isSameList(old.members, members) ? old : userOf(userId, members, isSelf);
  });
  return isSameList(users, previous) ? previous : users;
}

function userOf(userId: string, members: readonly Member<object>[], isSelf: boolean): User<object> {
  const { username = "", color = "", avatar } = members[0] ?? {};
  return { userId, username, color, ...(avatar !== undefined && { avatar }), isSelf, members };
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, at) => item === b[at]);
}
