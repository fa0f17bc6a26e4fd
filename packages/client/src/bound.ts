/** Methods that work without their object: an app may destructure them or pass them on as callbacks, as to `useSyncExternalStore`. */

/** Gives `object` each method of its class as a property of its own, bound to it. The constructor calls this. */
export function bindMethods(object: object): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(object)))) {
    if (typeof value === "function" && name !== "constructor") Object.defineProperty(object, name, { value: value.bind(object) });
  }
}
