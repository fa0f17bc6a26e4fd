/**
 * Automatic clean-up: the things that a test starts end with the test, or with its process if that exits first.
 */

/** A `TestContext`, or `{ after }` of node:test for things that live as long as a file or suite. */
export type Scope = {
  after(cleanUp: () => void | Promise<void>): void;
  readonly passed?: boolean;
};

const living = new Set<() => void>();

/** Calls `end`, synchronously, if this process exits. The returned function cancels that. */
export function endWithProcess(end: () => void): () => void {
  living.add(end);
  return () => living.delete(end);
}

process.on("exit", () => {
  for (const end of living) end();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
