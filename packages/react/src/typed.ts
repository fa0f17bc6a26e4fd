/** The components and hooks with an app's own types, so that no call has to name them. */

import type {
  BoardEvents,
  Board as BoardHandle,
  Followed,
  JsonObject,
  Member,
  Occupancy,
  Patch,
  PeerEvent,
  Presence,
  PresenceStatus,
  Recipient,
  User,
} from "@presence-service/client";
import { createElement, type FunctionComponent, type ReactElement, type ReactNode } from "react";
import { AvatarStack, type AvatarStackProps } from "./avatar-stack.ts";
import { Board, type BoardProps, PresenceProvider } from "./board.ts";
import { ConnectionStatus } from "./connection-status.ts";
import { type CursorArea, type CursorAreaOptions, useCursorArea } from "./cursor-area.ts";
import { Cursors, type CursorsProps } from "./cursors.ts";
import {
  type Follow,
  useBoard,
  useBroadcast,
  useEvent,
  useFollow,
  useOccupancy,
  useOthers,
  useSelf,
  useStatus,
  useUpdate,
  useUsers,
} from "./hooks.ts";

type Equality<T> = (a: T, b: T) => boolean;

/** `state` must be given if State has something that must be there. */
export type TypedBoardProps<State extends object> = Omit<BoardProps, "state"> &
  (Record<never, never> extends State
    ? { readonly state?: State | undefined }
    : { readonly state: State } | { readonly observe: true; readonly state?: State });

export type PresenceHooks<State extends object, Events extends object> = {
  /** `client` may be left out if it was given to `createPresenceHooks`. */
  PresenceProvider(props: { readonly client?: Presence<State, Events> | undefined; readonly children?: ReactNode }): ReactElement;
  Board(props: TypedBoardProps<State>): ReactElement;
  Cursors(
    props: Omit<CursorsProps, "renderCursor"> & { readonly renderCursor?: ((member: Member<State>) => ReactNode) | undefined },
  ): ReactElement;
  AvatarStack(
    props: Omit<AvatarStackProps, "onSelect" | "renderAvatar" | "nameOf"> & {
      readonly onSelect?: ((user: User<State>) => void) | undefined;
      readonly renderAvatar?: ((user: User<State>) => ReactNode) | undefined;
      readonly nameOf?: ((user: User<State>) => string) | undefined;
    },
  ): ReactElement;
  ConnectionStatus: typeof ConnectionStatus;
  useBoard(): BoardHandle<State, Events> | null;
  useSelf(): Member<State> | null;
  useSelf<T>(select: (self: Member<State> | null) => T, isEqual?: Equality<T>): T;
  useOthers(): readonly Member<State>[];
  useOthers<T>(select: (others: readonly Member<State>[]) => T, isEqual?: Equality<T>): T;
  useUsers(): readonly User<State>[];
  useUsers<T>(select: (users: readonly User<State>[]) => T, isEqual?: Equality<T>): T;
  useStatus(): PresenceStatus;
  useUpdate(): (patch: Patch<State>) => void;
  useBroadcast(): <N extends keyof Events & string>(name: N, data: Events[N], to?: Recipient | readonly Recipient[]) => boolean;
  useEvent<N extends keyof BoardEvents<State>>(name: N, listener: (event: BoardEvents<State>[N]) => void): void;
  useEvent<N extends keyof Events & string>(name: N, listener: (event: PeerEvent<State, Events[N]>) => void): void;
  useOccupancy(): Occupancy;
  useOccupancy(boardIds: readonly string[]): ReadonlyMap<string, Occupancy>;
  useCursorArea<E extends HTMLElement = HTMLElement>(options?: CursorAreaOptions): CursorArea<E>;
  useFollow(listener?: (followed: Followed<State>) => void): Follow<State>;
};

/**
 * `createPresenceHooks(presence)` has the types of that client, and its `PresenceProvider` needs no `client`. Where each request has a
 * client of its own: `createPresenceHooks<State, Events>()`.
 */
export function createPresenceHooks<State extends object = JsonObject, Events extends object = JsonObject>(
  client?: Presence<State, Events>,
): PresenceHooks<State, Events> {
  // Here a state is plain JSON, since the wire does not know the app's types. This cast is the border, as in the client.
  const own = client as unknown as Presence | undefined;
  const provider: FunctionComponent<{ client?: Presence; children?: ReactNode }> = ({ client: given = own, children }) => {
    if (!given) throw new Error("give <PresenceProvider> a client, or createPresenceHooks");
    return createElement(PresenceProvider, { client: given }, children);
  };
  const hooks = {
    PresenceProvider: provider,
    Board,
    Cursors,
    AvatarStack,
    ConnectionStatus,
    useBoard,
    useSelf,
    useOthers,
    useUsers,
    useStatus,
    useUpdate,
    useBroadcast,
    useEvent,
    useOccupancy,
    useCursorArea,
    useFollow,
  };
  return hooks as unknown as PresenceHooks<State, Events>;
}
