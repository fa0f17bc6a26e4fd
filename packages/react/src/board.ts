/** `PresenceProvider` and `<Board>`: which client and which board the components below them use. */

import type { JsonObject, Presence } from "@presence-service/client";
import { createContext, createElement, type ReactElement, type ReactNode, useContext, useEffect, useMemo, useRef } from "react";
import { BoardStore } from "./board-store.ts";
import { useLatest } from "./latest.ts";

const ClientContext = createContext<Presence | null>(null);
const StoreContext = createContext<BoardStore | null>(null);

export type PresenceProviderProps = { readonly client: Presence; readonly children?: ReactNode };

/** The client for all boards below. Create it once, outside of components: `createPresence` connects with the first board. */
export function PresenceProvider({ client, children }: PresenceProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

export type BoardProps = {
  readonly id: string;
  /** Another one later is a `rename`. */
  readonly username?: string | undefined;
  /** The state with which we join; `useUpdate` changes it. */
  readonly state?: JsonObject | undefined;
  /** Shows the board without entering it: nobody is shown us. */
  readonly observe?: boolean | undefined;
  readonly children?: ReactNode;
};

/** Enters a board while it is mounted. Mounted anew within a second (StrictMode, hot reload, another `key`) nobody sees a leave. */
export function Board({ id, username, state, observe = false, children }: BoardProps): ReactElement {
  const client = useClient();
  const store = useMemo(() => new BoardStore(client, id, observe), [client, id, observe]);
  const options = { ...(username !== undefined && { username }), ...(state !== undefined && { state }) };
  // Only taking the board reads them: a new state object with each render must not take it anew.
  const latest = useLatest(options);
  useEffect(() => store.take(latest.current), [store, latest]);
  const named = useRef(username);
  useEffect(() => {
    if (username !== undefined && username !== named.current) store.board()?.rename(username);
    named.current = username;
  }, [store, username]);
  return createElement(StoreContext.Provider, { value: store }, children);
}

export function useClient(): Presence {
  const client = useContext(ClientContext);
  if (!client) throw new Error("there is no <PresenceProvider client={presence}> above this component");
  return client;
}

export function useStore(): BoardStore {
  const store = useContext(StoreContext);
  if (!store) throw new Error('there is no <Board id="…"> above this component');
  return store;
}

/** null: no board above. */
export function useStoreIfAny(): BoardStore | null {
  return useContext(StoreContext);
}
