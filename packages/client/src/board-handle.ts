/**
 * The object that `presence.board()` returns: one hold on a membership, with listeners of its own. The state is in membership.ts. Its
 * methods need no `this`: an app may take them off it or pass them on as callbacks, as to `useSyncExternalStore`.
 */

import { areaOf, checkMember, eventOf, isReserved, jsonObjectOf, lookOf, nameOf, pageOf, pointOf, recipientsOf, seenAgo } from "./input.ts";
import { CLOSED, type Membership } from "./membership.ts";
import type { Board, Stop } from "./types.ts";

export type BoardHandle = Board<object, Record<string, unknown>>;

export function boardHandle(membership: Membership, instanceId: () => string | undefined, released: () => void): BoardHandle {
  /** undefined: it was given back. */
  let held: Membership | undefined = membership;
  /** One function for each listener of this handle: it removes that listener. With those who are told that the board was left. */
  const stops = new Map<Stop, (() => void) | undefined>();
  const shown = () => held?.shown ?? CLOSED;
  const snapshot = () => held?.snapshot() ?? CLOSED;

  function keep(listen: (held: Membership) => Stop, left?: () => void): Stop {
    if (!held) return () => {};
    const end = listen(held);
    const stop = () => {
      stops.delete(stop);
      end();
    };
    stops.set(stop, left);
    return stop;
  }

  return {
    boardId: membership.boardId,
    get instanceId() {
      return held && instanceId();
    },
    get status() {
      return held?.status ?? "closed";
    },
    get self() {
      return shown().self;
    },
    get others() {
      return shown().others;
    },
    get users() {
      return shown().users;
    },
    get justLeft() {
      return snapshot().justLeft;
    },
    get memberCount() {
      return shown().memberCount;
    },
    get userCount() {
      return shown().userCount;
    },
    snapshot,
    moveCursor(x, y, options) {
      const point = pointOf(x, y, options);
      if (point) held?.move(point, seenAgo(options));
    },
    hideCursor: () => held?.move(null),
    update: (patch) => held?.update(jsonObjectOf(patch, "the patch")),
    setStatus(status) {
      if (status !== "active" && status !== "idle") throw new TypeError(`the status must be "active" or "idle", not ${String(status)}`);
      held?.setStatus(status);
    },
    area: (name) => held?.setArea(areaOf(name)),
    look: (areas) => held?.setLook(lookOf(areas)),
    follow(member, listener) {
      checkMember(member);
      return keep((held) => held.follow(member, listener));
    },
    rename: (username) => held?.rename(nameOf(username)),
    broadcast: (name, data) => held?.broadcast(eventOf(name, data)) ?? false,
    to(whom) {
      const recipients = recipientsOf(whom);
      return {
        broadcast(name, data) {
          const event = eventOf(name, data);
          return (recipients && held?.broadcast(event, recipients)) ?? false;
        },
      };
    },
    async page(options = {}) {
      const { after, count } = pageOf(options);
      if (!held) throw new Error("this board was left; join it again to ask for a page");
      return await held.page(count, after);
    },
    subscribe: (listener) => keep((held) => held.changed.add(listener), listener),
    cursors: { subscribe: (listener, options) => keep((held) => held.watchCursors(listener, options?.smooth)) },
    on: (name: string, listener: (event: never) => void) => keep((held) => held.on(isReserved(name) ? name : `event:${name}`, listener)),
    leave() {
      if (!held) return;
      const { changed, status } = held;
      held = undefined;
      released();
      for (const [stop, left] of stops) {
        stop();
        if (left && status !== "closed") changed.call(left);
      }
    },
  };
}
