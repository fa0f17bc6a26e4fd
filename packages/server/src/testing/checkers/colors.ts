/** R18: a person has one colour, and no two have the same while others are free. */

import { PALETTE } from "../../core/palette.ts";
import type { World } from "../world.ts";

/** R18. Two persons with one colour while others are free, or one person with two, on the roster of a board; undefined: there are none. */
export function clashOfColors(world: World): string | undefined {
  for (const { index, core, boards, canRun } of world.instances)
    for (const boardId of canRun ? boards : []) {
      const members = core.roster(boardId).entries.map(({ member }) => member);
      const isFree = PALETTE.some((color) => !members.some((member) => member.color === color));
      for (const a of members)
        for (const b of members) {
          const isClash = a.userId === b.userId ? a.color !== b.color : isFree && a.color === b.color;
          const isCertain = ![a, b].some(({ memberId }) => world.claims.isUncertain(boardId, memberId, world.now));
          if (isClash && isCertain) return `${a.username} is ${a.color} and ${b.username} ${b.color} on ${boardId} at instance ${index}`;
        }
    }
  return undefined;
}
