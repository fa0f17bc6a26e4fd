/** S1: a member that no instance holds any more is shown no longer than so long. */

import type { Millis } from "@presence-service/protocol";
import type { World } from "../world.ts";
import type { WorldInstance } from "../world-instance.ts";

const LOOK_MS: Millis = 250;

/** S1. A member is shown no longer than this after the last instance with an entry of it dropped it. For runs with a healthy bus. */
export function watchGhosts(world: World, ghostMsMax: Millis = 5000): void {
  const look = (instance: WorldInstance) => {
    for (const connection of instance.connections.values())
      for (const [boardId, view] of connection.views)
        for (const { memberId, username } of view.members.values()) {
          // An instance that was paused has to hear of the end first.
          const since = Math.max(world.claims.lastHeldAt(boardId, memberId, world.now), instance.runsSince);
          if (world.now - since > ghostMsMax)
            world.fail(`S1: instance ${instance.index} shows ${username} on ${boardId}, gone for ${world.now - since} ms`);
        }
  };
  const lookAgain = () => {
    for (const instance of world.instances) if (instance.state === "running") look(instance);
    world.after(LOOK_MS, lookAgain);
  };
  lookAgain();
}
