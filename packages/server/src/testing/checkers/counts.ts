/** R15: the counts that an instance tells those who watch a board are the truth. */

import type { BoardId, MemberId } from "@presence-service/protocol";
import type { Occupants } from "../../core/occupancy.ts";
import type { ClaimedMember } from "../claims.ts";
import type { World } from "../world.ts";
import type { WorldInstance } from "../world-instance.ts";

/**
 * R15. The first difference between the counts that an instance tells its watchers and the truth, as text. Where nobody can know whether
 * a member is there, viewers decide: those of the instance itself or, if it has none, those of any.
 */
export function differenceInCounts(world: World): string | undefined {
  for (const instance of world.instances)
    for (const boardId of instance.canRun ? instance.watched : []) {
      const told = instance.core.occupancy(boardId);
      const right = rightCounts(world, boardId, instance);
      if (right.size > 0 && !right.has(inNumbers(told)))
        return `instance ${instance.index} counts ${inNumbers(told)} on ${boardId}, there are ${[...right].join(" or ")}`;
    }
  return undefined;
}

/** In words; none: nobody looks who could tell. */
function rightCounts({ claims, now, instances }: World, boardId: BoardId, instance: WorldInstance): Set<string> {
  const isUncertain = ({ memberId }: { memberId: MemberId }) => claims.isUncertain(boardId, memberId, now);
  const certain = claims.union(boardId, now).filter((member) => !isUncertain(member));
  const viewsAt = ({ connections }: WorldInstance) =>
    [...connections.values()].flatMap(({ isOpen, views }) => (isOpen ? (views.get(boardId) ?? []) : []));
  const own = viewsAt(instance);
  const views = own.length > 0 ? own : instances.flatMap(viewsAt);
  if (views.length > 0)
    return new Set(views.map(({ members }) => inNumbers(countOf([...certain, ...[...members.values()].filter(isUncertain)]))));
  return new Set(claims.hasUncertain(boardId, now) ? [] : [inNumbers(countOf(certain))]);
}

function countOf(members: readonly ClaimedMember[]): Occupants {
  return { members: members.length, users: new Set(members.map(({ userId }) => userId)).size };
}

function inNumbers(counts: Occupants | undefined): string {
  return counts === undefined ? "nobody knows how many" : `${counts.members} members and ${counts.users} users`;
}
