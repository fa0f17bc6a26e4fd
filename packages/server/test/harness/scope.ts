/**
 * Clean-up that cannot be forgotten: what a test starts ends with the test, and with its process if that is cut short.
 */

/** A `TestContext`, or `{ after }` of node:test for things that live as long as a file or suite. */
export type Scope = {
  after(cleanUp: () => void | Promise<void>): void;
  readonly passed?: boolean;
};

const living = new Set<() => void>();

/** `end` is called, synchronously, if this process exits first; the returned function says that it is no longer needed. */
export function endWithProcess(end: () => void): () => void {
  living.add(end);
  return () => living.delete(end);
}

process.on("exit", () => {
  for (const end of living) end();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
