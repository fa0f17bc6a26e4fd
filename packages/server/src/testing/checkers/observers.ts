/** R19: observers are counted apart, and every instance of a board knows whether somebody observes it. */

import type { BoardId } from "@presence-service/protocol";
import type { World } from "../world.ts";
import type { WorldInstance } from "../world-instance.ts";

/** R19. The first difference between what instances say of observers and the truth, as text; rosters that show none are compared elsewhere (L1). */
export function differenceInObservers(world: World): string | undefined {
  const running = world.instances.filter(({ canRun }) => canRun);
  for (const instance of running) {
    const right = [...instance.boards].reduce((sum, boardId) => sum + observersOf(instance, boardId), 0);
    const { observers } = instance.core.stats(0);
    if (observers !== right) return `instance ${instance.index} counts ${observers} observers, and has ${right}`;
    for (const { boardId } of placesOf(instance)) {
      const isObserved = running.some((one) => observersOf(one, boardId) > 0);
      if (instance.core.counts(boardId).observed !== isObserved)
        return `instance ${instance.index} takes ${boardId} for ${isObserved ? "not observed, and it is" : "observed, and it is not"}`;
    }
  }
  return undefined;
}

function observersOf({ connections }: WorldInstance, boardId: BoardId): number {
  return [...connections.values()].filter(({ views, actors }) => views.has(boardId) && !actors.has(boardId)).length;
}

/** Boards on which somebody is who could be told. */
function placesOf({ connections }: WorldInstance): { readonly boardId: BoardId }[] {
  return [...connections.values()].flatMap(({ views }) => [...views.keys()].map((boardId) => ({ boardId })));
}
