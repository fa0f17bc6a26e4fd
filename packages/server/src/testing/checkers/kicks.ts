/** R16: a member that was kicked does not come back by itself. */

import type { Millis } from "@presence-service/protocol";
import type { World } from "../world.ts";

/** R16. No instance that has shown a member leave as kicked shows it again, unless its client has joined since, or another instance holds it. */
export function watchKicks(world: World): void {
  const { claims } = world;
  const kickedAt = new Map<string, Millis>();
  world.observe((instance, effect) => {
    if (effect.kind !== "roster" || effect.change.change === "updated") return;
    const { boardId, change } = effect;
    if (change.change === "left") {
      if (change.reason !== "kicked") return;
      const views = [...instance.connections.values()].map((connection) => connection.views.get(boardId)?.members.get(change.actor));
      const member = views.find((one) => one !== undefined);
      if (member !== undefined) kickedAt.set(`${instance.index} ${boardId} ${member.memberId}`, world.now);
      return;
    }
    const { memberId, username } = change.member;
    const since = kickedAt.get(`${instance.index} ${boardId} ${memberId}`);
    if (since === undefined || claims.lastJoinedAt(boardId, memberId) >= since - KICK_MS_MAX) return;
    if (claims.isUncertain(boardId, memberId, world.now) || claims.lastHeldAt(boardId, memberId, world.now) === world.now) return;
    world.fail(`R16.3: instance ${instance.index} shows ${username} on ${boardId} again, kicked ${world.now - since} ms ago`);
  });
}

/** From the kick at the member's own instance until another one shows it, longer than messages wait in a connection that hangs. */
const KICK_MS_MAX: Millis = 10_000;
