/** The value of the last render that was shown, for callbacks that run later. */

import { useInsertionEffect, useRef } from "react";

export function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  // Before all other effects, so that none of them finds an older one.
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}
