/** Methods that may be taken off their object: given to `useSyncExternalStore`, destructured, passed on as callbacks. */

/** Gives `object` each method of its class as a property of its own, bound to it. To be called by the constructor. */
export function bindMethods(object: object): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(object)))) {
    if (typeof value === "function" && name !== "constructor") Object.defineProperty(object, name, { value: value.bind(object) });
  }
}
