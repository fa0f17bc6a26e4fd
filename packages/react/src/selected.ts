/** A part of an external store: the component renders when that part is another one, and not for the rest. */

import { useDebugValue, useEffect, useMemo, useRef, useSyncExternalStore } from "react";

type Store<S> = { readonly subscribe: (listener: () => void) => () => void; readonly snapshot: () => S };

/** `select` may be a new function with each render. `atServer`: the snapshot on a server and while hydrating. */
export function useSelected<S, T>(store: Store<S>, atServer: S, select: (snapshot: S) => T, isEqual: (a: T, b: T) => boolean): T {
  const shown = useRef<{ readonly value: T } | undefined>(undefined);
  const [read, readAtServer] = useMemo(() => {
    let last: { readonly snapshot: S; readonly value: T } | undefined;
    const selected = (snapshot: S): T => {
      if (last && Object.is(last.snapshot, snapshot)) return last.value;
      const next = select(snapshot);
      // The value that is on the screen is kept while it is equal, so that `select` may build a new object each time.
      const before = last ?? shown.current;
      const value = before && isEqual(before.value, next) ? before.value : next;
      last = { snapshot, value };
      return value;
    };
    return [() => selected(store.snapshot()), () => selected(atServer)];
  }, [store, atServer, select, isEqual]);
  const value = useSyncExternalStore(store.subscribe, read, readAtServer);
  useEffect(() => {
    shown.current = { value };
  }, [value]);
  useDebugValue(value);
  return value;
}

/** Equal, or arrays or plain objects whose entries are the same. */
export function shallowEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  // A list of a thousand people is compared with every change of one: without the names of its places.
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => Object.is(item, b[at]));
  if (!isPlain(a) || !isPlain(b)) return false;
  const [as, bs] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(as);
  return keys.length === Object.keys(bs).length && keys.every((key) => Object.hasOwn(bs, key) && Object.is(as[key], bs[key]));
}

/** A Map or a Date has no entries of its own, so two of them would look equal. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}
