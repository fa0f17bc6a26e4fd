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
  /** Enters a board while it is mounted: `<Board id="doc-42" username="Ana" state={{ tool: "pen" }}>`. */
  Board(props: TypedBoardProps<State>): ReactElement;
  /** Draws the others' cursors above the positioned element around it. One's own pointer is told by `useCursorArea`. */
  Cursors(
    props: Omit<CursorsProps, "renderCursor"> & { readonly renderCursor?: ((member: Member<State>) => ReactNode) | undefined },
  ): ReactElement;
  /** The people on the board as a row of avatars, in one order for all viewers; those who have no room are behind a button `+n`. */
  AvatarStack(
    props: Omit<AvatarStackProps, "onSelect" | "renderAvatar" | "nameOf"> & {
      readonly onSelect?: ((user: User<State>) => void) | undefined;
      readonly renderAvatar?: ((user: User<State>) => ReactNode) | undefined;
      readonly nameOf?: ((user: User<State>) => string) | undefined;
    },
  ): ReactElement;
  /** Says what is wrong with the connection, once it lasts, and nothing while nothing is. */
  ConnectionStatus: typeof ConnectionStatus;
  /** The board itself, for what has no hook; null on a server and in the first render. */
  useBoard(): BoardHandle<State, Events> | null;
  /** Oneself; null until the board was joined, and while observing. */
  useSelf(): Member<State> | null;
  /** Oneself through `select`: `useSelf((self) => self?.state.tool)`. The component renders when the result is another one. */
  useSelf<T>(select: (self: Member<State> | null) => T, isEqual?: Equality<T>): T;
  /** Everybody else, one entry for each session (tab, device). */
  useOthers(): readonly Member<State>[];
  /** The others through `select`: `useOthers((others) => others.length)`. The component renders when the result is another one; `isEqual` (default: shallow) says when it is the same. */
  useOthers<T>(select: (others: readonly Member<State>[]) => T, isEqual?: Equality<T>): T;
  /** Everybody including oneself, one entry for each person. */
  useUsers(): readonly User<State>[];
  /** The people through `select`: `useUsers((users) => users.map((user) => user.username))`. The component renders when the result is another one. */
  useUsers<T>(select: (users: readonly User<State>[]) => T, isEqual?: Equality<T>): T;
  /** How the board is connected; `connecting` on a server and in the first render. */
  useStatus(): PresenceStatus;
  /** A function that changes one's own state by a merge patch: `update({ tool: "pen" })`; null removes a key. It stays the same function. */
  useUpdate(): (patch: Patch<State>) => void;
  /** A function that sends an event to the others, or to those in `to`. `false`: it was not sent. It stays the same function. */
  useBroadcast(): <N extends keyof Events & string>(name: N, data: Events[N], to?: Recipient | readonly Recipient[]) => boolean;
  /** Calls `listener` for an event of the board: `user_joined`, `error` … Always the listener of the last render. */
  useEvent<N extends keyof BoardEvents<State>>(name: N, listener: (event: BoardEvents<State>[N]) => void): void;
  /** Calls `listener` for an event that another member has broadcast. Always the listener of the last render. */
  useEvent<N extends keyof Events & string>(name: N, listener: (event: PeerEvent<State, Events[N]>) => void): void;
  /** How many are on the board above, oneself included. */
  useOccupancy(): Occupancy;
  /** How many are on each of these boards, as a list of documents shows it, without being on any. */
  useOccupancy(boardIds: readonly string[]): ReadonlyMap<string, Occupancy>;
  /** The pointer over the element with this `ref` is one's own cursor; `<Cursors area={area} />` in it draws those of the others. */
  useCursorArea<E extends HTMLElement = HTMLElement>(options?: CursorAreaOptions): CursorArea<E>;
  /** Follows one member, until we move our own pointer, it leaves, or `stop`. `listener` is told each change, also of its cursor. */
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
