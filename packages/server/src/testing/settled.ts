/**
 * A settled World, the start of most tests of the rules, and helpers for its messages: losing them and finding them.
 */

import type { BoardId } from "@presence-service/protocol";
import type { Sync } from "../core/messages.ts";
import { type Delivery, HEALTHY } from "./network.ts";
import { type Recorded, World } from "./world.ts";

export const B1 = "b1" as BoardId;

/** Ana at instance 0, ben at 1, and so on, all on b1; all messages are delivered. */
export function settled(options: Partial<ConstructorParameters<typeof World>[0]> = {}) {
  const world = new World({ seed: 1, instances: 2, ...options });
  const names = ["ana", "ben", "cleo", "dan", "eve"].slice(0, world.instances.length);
  const [ana, ben, ...others] = names.map((name, via) => world.join(name, { board: "b1", via }));
  if (ana === undefined || ben === undefined) throw new Error("a settled world has two instances at least");
  world.advance(3_000);
  return { world, ana, ben, others };
}

export function isTo(to: number, ...kinds: Delivery["message"]["kind"][]) {
  return (delivery: Delivery) => delivery.to === to && delivery.from !== to && kinds.includes(delivery.message.kind);
}

/** The messages of one instance on boards, in order. */
export function saidBy(said: readonly Recorded<"publish">[], instance: number, ...kinds: Delivery["message"]["kind"][]) {
  return said.filter(
    (one) => one.instance === instance && one.boardId !== undefined && (kinds.length === 0 || kinds.includes(one.message.kind)),
  );
}

/** Questions of one instance that name an instance. */
export function asksBy(said: readonly Recorded<"publish">[], instance: number) {
  return saidBy(said, instance, "sync").filter(({ message }) => (message as Sync).asks !== "all");
}

/** Loses messages from now on, until `loseNothing`. */
export function lose(world: World, loses: (delivery: Delivery) => boolean): void {
  world.network.faults = { ...world.network.faults, loses };
}

export function loseNothing(world: World): void {
  world.network.faults = HEALTHY;
}
