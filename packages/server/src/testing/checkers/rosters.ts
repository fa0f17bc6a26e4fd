/** L1: what every client sees on its boards is the truth. */

import type { BoardId } from "@presence-service/protocol";
import type { ClaimedMember } from "../claims.ts";
import type { World } from "../world.ts";

/** L1. The first difference between some client's view and the truth, as text. Where both of two views are right, neither is compared. */
export function differenceFromTruth(world: World): string | undefined {
  const { claims, now } = world;
  const truths = new Map<BoardId, string[]>();
  for (const instance of world.instances)
    for (const connection of instance.connections.values()) {
      if (!connection.isOpen) continue;
      for (const boardId of connection.boards)
        if (!connection.views.has(boardId)) return `${connection.session.name} waits for the roster of ${boardId}`;
      for (const [boardId, view] of connection.views) {
        const certain = (members: Iterable<ClaimedMember>) =>
          [...members]
            .filter(({ memberId }) => !claims.isUncertain(boardId, memberId, now))
            .map(inWords)
            .sort();
        const truth = truths.get(boardId) ?? certain(claims.union(boardId, now));
        truths.set(boardId, truth);
        const shown = certain(view.members.values());
        if (shown.join() !== truth.join())
          return `${connection.session.name} at instance ${instance.index} sees ${shown} on ${boardId}, there are ${truth}`;
      }
    }
  return undefined;
}

function inWords({ username, status, area = "", state }: ClaimedMember): string {
  return `${username} ${status} ${area}${JSON.stringify(state)}`;
}
