/** Hooks that read the board above the component. A component renders when what it reads is another one, and never for cursors. */

import type {
  Addressed,
  Board,
  BoardEvents,
  BoardSnapshot,
  Followed,
  JsonObject,
  Member,
  Occupancy,
  Patch,
  PeerEvent,
  PresenceStatus,
  Recipient,
  User,
} from "@presence-service/client";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useClient, useStore, useStoreIfAny } from "./board.ts";
import { NOT_TAKEN } from "./board-store.ts";
import { useLatest } from "./latest.ts";
import { shallowEqual, useSelected } from "./selected.ts";
import { NO_COUNTS, WatchStore } from "./watch-store.ts";

type Equality<T> = (a: T, b: T) => boolean;

/** The board itself, for what has no hook; null on a server and in the first render. */
export function useBoard(): Board | null {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, store.board, () => null);
}

function usePart<P, T>(
  part: (snapshot: BoardSnapshot) => P,
  select: ((value: P) => T) | undefined,
  isEqual: Equality<T> | undefined,
): P | T {
  const store = useStore();
  return useSelected<BoardSnapshot, P | T>(
    store,
    NOT_TAKEN,
    (snapshot) => (select ? select(part(snapshot)) : part(snapshot)),
    select ? ((isEqual ?? shallowEqual) as Equality<P | T>) : Object.is,
  );
}

/** Oneself; null until the board was joined, and while observing. With `select`, what it makes of it. */
export function useSelf(): Member | null;
export function useSelf<T>(select: (self: Member | null) => T, isEqual?: Equality<T>): T;
export function useSelf<T>(select?: (self: Member | null) => T, isEqual?: Equality<T>): Member | null | T {
  return usePart(({ self }) => self, select, isEqual);
}

/** Everybody else, one entry for each session. `isEqual` (default: shallow) says whether two results of `select` are the same. */
export function useOthers(): readonly Member[];
export function useOthers<T>(select: (others: readonly Member[]) => T, isEqual?: Equality<T>): T;
export function useOthers<T>(select?: (others: readonly Member[]) => T, isEqual?: Equality<T>): readonly Member[] | T {
  return usePart(({ others }) => others, select, isEqual);
}

/** Everybody including oneself, one entry for each person. */
export function useUsers(): readonly User[];
export function useUsers<T>(select: (users: readonly User[]) => T, isEqual?: Equality<T>): T;
export function useUsers<T>(select?: (users: readonly User[]) => T, isEqual?: Equality<T>): readonly User[] | T {
  return usePart(({ users }) => users, select, isEqual);
}

/** `connecting` on a server and in the first render. */
export function useStatus(): PresenceStatus {
  return usePart(({ status }) => status, undefined, undefined);
}

/** A function that changes one's own state by a merge patch. It stays the same function. */
export function useUpdate(): (patch: Patch<JsonObject>) => void {
  const store = useStore();
  return useCallback((patch) => store.act((board) => board.update(patch)), [store]);
}

/** A function that sends an event to the others, or to those in `to`. `false`: it was not sent. It stays the same function. */
export function useBroadcast(): (name: string, data: unknown, to?: Recipient | readonly Recipient[]) => boolean {
  const store = useStore();
  return useCallback(
    (name, data, to) => {
      const board = store.board();
      if (!board) return false;
      // Data that is not JSON is refused where it is sent, with the place of the mistake.
      const addressed = (to === undefined ? board : board.to(to)) as Addressed<Record<string, unknown>>;
      return addressed.broadcast(name, data);
    },
    [store],
  );
}

/** Calls `listener` for an event of the board (`user_joined`, `error` …) or of another member. Always the listener of the last render. */
export function useEvent<N extends keyof BoardEvents>(name: N, listener: (event: BoardEvents[N]) => void): void;
export function useEvent(name: string, listener: (event: PeerEvent<JsonObject, unknown>) => void): void;
export function useEvent(name: string, listener: (event: never) => void): void {
  const store = useStore();
  const latest = useLatest(listener);
  useEffect(() => store.attach((board) => board.on(name, (event) => latest.current(event as never))), [store, name, latest]);
}

/** How many are on the board above, oneself included; or on each of `boardIds`, as a list of documents shows it, without being on any. */
export function useOccupancy(): Occupancy;
export function useOccupancy(boardIds: readonly string[]): ReadonlyMap<string, Occupancy>;
export function useOccupancy(boardIds?: readonly string[]): Occupancy | ReadonlyMap<string, Occupancy> {
  const client = useClient();
  const board = useStoreIfAny();
  if (boardIds === undefined && !board)
    throw new Error('there is no <Board id="…"> above this component; name boards: useOccupancy(["doc-1"])');
  // An equal list is the same list: apps write it anew with each render.
  const key = boardIds && JSON.stringify(boardIds);
  const watch = useMemo(() => (key === undefined ? undefined : new WatchStore(client, JSON.parse(key) as string[])), [client, key]);
  const store = watch ?? board ?? unreachable();
  return useSelected<BoardSnapshot | ReadonlyMap<string, Occupancy>, Occupancy | ReadonlyMap<string, Occupancy>>(
    store,
    watch ? NO_COUNTS : NOT_TAKEN,
    counted,
    shallowEqual,
  );
}

function counted(snapshot: BoardSnapshot | ReadonlyMap<string, Occupancy>): Occupancy | ReadonlyMap<string, Occupancy> {
  return "memberCount" in snapshot ? { members: snapshot.memberCount, users: snapshot.userCount } : snapshot;
}

function unreachable(): never {
  throw new Error("there is neither a board nor a list of boards");
}

export type Follow<State extends object = JsonObject> = {
  /** The member whom we follow, as it is now; null: nobody. */
  readonly following: Member<State> | null;
  readonly follow: (member: Member<State>) => void;
  readonly stop: () => void;
};

/**
 * Follows one member, until we move our own pointer, it leaves, or `stop`. `listener` is told each change, also of its cursor; the
 * component renders only when the member is another one or has changed.
 */
export function useFollow(listener?: (followed: Followed) => void): Follow {
  const store = useStore();
  const latest = useLatest(listener);
  const [following, setFollowing] = useState<Member | null>(null);
  const stopLast = useRef<() => void>(undefined);
  const stop = useCallback(() => {
    stopLast.current?.();
    stopLast.current = undefined;
  }, []);
  const follow = useCallback(
    (member: Member) => {
      stop();
      const board = store.board();
      if (!board) return;
      let told: Member | null = null;
      stopLast.current = board.follow(member, (followed) => {
        const now = followed.ended === undefined ? followed.member : null;
        // React may render once more for a state that is the same.
        if (now !== told) setFollowing(now);
        told = now;
        latest.current?.(followed);
      });
    },
    [store, stop, latest],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: it also ends when the board is another one
  useEffect(() => stop, [store, stop]);
  return useMemo(() => ({ following, follow, stop }), [following, follow, stop]);
}
