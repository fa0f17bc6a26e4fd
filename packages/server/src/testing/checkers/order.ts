/** R18.3: everybody lists the members of a board in one order. */

import { type BoardId, inOrder, type Member } from "@presence-service/protocol";
import type { World } from "../world.ts";

/** R18.3. How the lists of two clients of a board differ in their order, or a roster from the order in which clients list it; undefined: not at all. */
export function differenceInOrder(world: World): string | undefined {
  const lists = new Map<BoardId, string>();
  for (const { index, core, connections } of world.instances)
    for (const { views, session } of connections.values())
      for (const [boardId, view] of views) {
        const certain = (members: Iterable<Member>) =>
          Array.from(members)
            .filter(({ memberId }) => !world.claims.isUncertain(boardId, memberId, world.now))
            .map(({ username, joinedAt }) => `${username} since ${joinedAt}`)
            .join();
        const list = certain([...view.members.values()].sort(inOrder));
        const sent = certain(core.roster(boardId).entries.map(({ member }) => member));
        if (sent !== list) return `instance ${index} sends ${sent} on ${boardId}, and ${session.name} lists ${list}`;
        const first = lists.get(boardId) ?? list;
        lists.set(boardId, first);
        if (list !== first) return `${session.name} at instance ${index} lists ${list} on ${boardId}, somebody else ${first}`;
      }
  return undefined;
}
