/** R21: an event is told at most once, in the order of its sender, and only to those it is for. */

import type { MemberId, Recipients } from "@presence-service/protocol";
import type { World } from "../world.ts";

/** The data of an event that this checker can judge: it says who said it, and for whom. */
export type Traced = { readonly number: number; readonly by: MemberId; readonly over: number; readonly for: Recipients };

/**
 * R21. Every event whose data is `Traced` reaches a client at most once, not before an earlier one of the same sender over the same connection,
 * as said by its sender, and just those whom it names of those that are shown there. `mayDouble`: Redis doubles messages in this run.
 */
export function watchEvents(world: World, { mayDouble = false }: { readonly mayDouble?: boolean } = {}): void {
  /** The last number told to a connection, by it and the connection of the sender. */
  const told = new Map<string, number>();
  world.observe((instance, effect) => {
    if (effect.kind !== "event") return;
    const { boardId, actor, to } = effect;
    const { number, by, over, for: recipients } = effect.data as unknown as Traced;
    const isForAll = recipients.memberIds === undefined && recipients.userIds === undefined;
    for (const { id, session, views, actors } of instance.connections.values()) {
      const [view, self] = [views.get(boardId), actors.get(boardId)];
      if (view === undefined || actor === self) continue;
      const fail = (rule: string, sentence: string) => world.fail(`${rule}: event ${number} on ${boardId} ${sentence} ${session.name}`);
      const isTold = to === undefined || (self !== undefined && to.includes(self));
      const isNamed = recipients.memberIds?.includes(session.memberId) || recipients.userIds?.includes(session.userId);
      if (isTold && !isForAll && !isNamed) fail("R21.1", "is not for");
      if (!isTold && (isForAll || (isNamed && self !== undefined && view.members.has(self)))) fail("R21.1", "is for, and not told to,");
      if (!isTold) continue;
      if (view.members.get(actor)?.memberId !== by) fail("R3.11", `is said by ${by}, and not so told to`);
      const key = `${id} ${over}`;
      const last = told.get(key) ?? -1;
      if (number < last || (number === last && !mayDouble)) fail("R21.5", `comes after event ${last} of its sender to`);
      told.set(key, number);
    }
  });
}
