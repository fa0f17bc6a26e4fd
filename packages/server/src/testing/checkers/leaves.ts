/** S5: an instance lets nobody leave who is connected to it, and a member who is there leaves nowhere. */

import type { Millis } from "@presence-service/protocol";
import type { World } from "../world.ts";

/** S5. No instance reports a leave of a member that is connected to this same instance, unless the entry was ended. */
export function watchLeaves(world: World): void {
  world.observe((instance, effect) => {
    if (effect.kind !== "roster" || effect.change.change !== "left") return;
    const { boardId, change } = effect;
    for (const connection of instance.connections.values()) {
      const member = connection.views.get(boardId)?.members.get(change.actor);
      if (member !== undefined && world.claims.isConnectedAt(instance.index, boardId, member.memberId, world.now))
        world.fail(`S5: instance ${instance.index} lets ${member.username} leave ${boardId} (${change.reason}), who is connected there`);
    }
  });
}

/** From a join until every instance shows it, on a healthy bus. */
const UNDER_WAY_MS: Millis = 20;

/** S5, for all members: reports each leave of a member who is there and was not ended since that instance began to show it. */
export function watchHeld(world: World, tell: (sentence: string) => void): void {
  const shownSince = new Map<string, Millis>();
  world.observe((instance, effect) => {
    if (effect.kind !== "roster" || effect.change.change === "updated") return;
    const { boardId, change } = effect;
    const key = `${instance.index} ${boardId} ${change.actor}`;
    if (change.change === "joined") shownSince.set(key, world.now);
    if (change.change === "joined") return;
    const views = [...instance.connections.values()].map((connection) => connection.views.get(boardId));
    const member = views.find((view) => view?.members.has(change.actor))?.members.get(change.actor);
    if (member === undefined) return;
    const { memberId, username } = member;
    const isEnded =
      world.claims.lastEndedAt(boardId, memberId, world.now) >= Math.min(shownSince.get(key) ?? 0, world.now - world.config.endedMs);
    // The member has come back in the last moment of its grace, and the word of it is under way.
    if (world.now - world.claims.lastJoinedAt(boardId, memberId) < UNDER_WAY_MS) return;
    // A grace that ends at this moment may end later in the truth, by a rounding error.
    if (!isEnded && world.claims.union(boardId, world.now + 1).some((held) => held.memberId === memberId))
      tell(`S5: instance ${instance.index} lets ${username} leave ${boardId} (${change.reason}), who is there`);
  });
}
