/** R16: a member that was kicked does not come back by itself. */

import type { Millis } from "@presence-service/protocol";
import type { Whom } from "../../core/messages.ts";
import type { World } from "../world.ts";

/**
 * R16. No instance that has shown a member leave as kicked, shortly after its owner has kicked it, shows it again, unless its client has joined
 * since the kick was said, or another instance has held it since: that one hears of the kick later. For runs with a healthy bus: another one may
 * bring what was said before the kick after it.
 */
export function watchKicks(world: World): void {
  const { claims } = world;
  const kicksOf = new Map<string, Millis[]>();
  const said: { readonly whom: Whom; readonly boardId: string | undefined; readonly at: Millis }[] = [];
  /** By instance, too: when the kick of the last leave that it has shown was. */
  const shownAt = new Map<string, Millis>();
  world.observe((instance, effect) => {
    if (effect.kind === "publish" && effect.message.kind === "kick") {
      const { whom, boardId } = effect.message;
      said.push({ whom, boardId, at: world.now });
    }
    if (effect.kind === "publish" && effect.message.kind === "delta")
      for (const op of effect.message.ops)
        if (op.op === "del" && op.reason === "kicked") {
          const key = `${effect.boardId} ${op.memberId}`;
          kicksOf.set(key, [...(kicksOf.get(key) ?? []), world.now]);
        }
    if (effect.kind !== "roster" || effect.change.change === "updated") return;
    const { boardId, change } = effect;
    if (change.change === "left") {
      const views = [...instance.connections.values()].map((connection) => connection.views.get(boardId)?.members.get(change.actor));
      const member = views.find((one) => one !== undefined);
      if (member === undefined || change.reason !== "kicked") return;
      const key = `${boardId} ${member.memberId}`;
      const kicks = (kicksOf.get(key) ?? []).filter((at) => world.now - at <= LONG_MS);
      const since = kicks.at(-1) ?? Number.NEGATIVE_INFINITY;
      // Where there were several, of several owners or one after the other, it may be an earlier one that is shown now.
      if (kicks.length === 1 && world.now - since <= SOON_MS) {
        const itself = said.find(
          ({ whom, boardId: of, at }) =>
            "memberId" in whom && whom.memberId === member.memberId && (of ?? boardId) === boardId && world.now - at <= LONG_MS,
        );
        shownAt.set(`${instance.index} ${key}`, itself?.at ?? since);
      } else shownAt.delete(`${instance.index} ${key}`);
      return;
    }
    // It has just been resumed, and reads what was said before the kick.
    if (world.now - instance.runsSince < SOON_MS) return;
    const { memberId, username } = change.member;
    const since = shownAt.get(`${instance.index} ${boardId} ${memberId}`);
    if (since === undefined || claims.lastJoinedAt(boardId, memberId) >= since) return;
    if (claims.isUncertain(boardId, memberId, world.now) || claims.lastHeldAt(boardId, memberId, world.now) > since) return;
    world.fail(`R16.3: instance ${instance.index} shows ${username} on ${boardId} again, kicked ${world.now - since} ms ago`);
  });
}

const SOON_MS: Millis = 1_000;
/** Longer than anything waits that is shown late. */
const LONG_MS: Millis = 180_000;
