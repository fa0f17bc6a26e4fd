/**
 * Cases and how they are run: each proves one sentence of docs/PROTOCOL.md, several run at a time, and a case that fails says why. Nothing
 * here knows servers or clients.
 */

export type Case<Tools> = {
  readonly name: string;
  /** The words of docs/PROTOCOL.md that this case proves, as they stand there. */
  readonly says: string;
  /** Gives a reason if the case cannot be run here; absent: it always can. */
  readonly skip?: (tools: Tools) => string | undefined;
  readonly run: (tools: Tools) => Promise<void>;
};

export type Outcome = { readonly name: string; readonly says: string; readonly why: string };
export type Results = { readonly passed: readonly string[]; readonly failed: readonly Outcome[]; readonly skipped: readonly Outcome[] };

/** A sentence about what the other side did wrong. */
export class Mistake extends Error {}

export async function runCases<Tools>(cases: readonly Case<Tools>[], tools: () => Tools, atOnce: number): Promise<Results> {
  const passed: string[] = [];
  const failed: Outcome[] = [];
  const skipped: Outcome[] = [];
  const waiting = [...cases];
  const runNext = async (): Promise<void> => {
    const next = waiting.shift();
    if (next === undefined) return;
    const { name, says } = next;
    const own = tools();
    const why = next.skip?.(own);
    if (why !== undefined) skipped.push({ name, says, why });
    else {
      try {
        await next.run(own);
        passed.push(name);
      } catch (error) {
        failed.push({ name, says, why: error instanceof Mistake ? error.message : String(error instanceof Error ? error.stack : error) });
      }
    }
    return runNext();
  };
  await Promise.all(Array.from({ length: atOnce }, runNext));
  return { passed, failed, skipped };
}

export function reportOf({ passed, failed, skipped }: Results): string {
  const lines = [
    ...skipped.map(({ name, why }) => `- skipped: ${name}: ${why}`),
    ...failed.map(({ name, says, why }) => `✗ ${name}\n    PROTOCOL says: ${says}\n    ${why.replaceAll("\n", "\n    ")}`),
    `${passed.length} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
  ];
  return lines.join("\n");
}

export function expect(isFine: boolean, mistake: string): asserts isFine {
  if (!isFine) throw new Mistake(mistake);
}

export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [is, wanted] = [inOrder(actual), inOrder(expected)];
  expect(is === wanted, `${what}: it is ${is}, and not ${wanted}`);
}

/** As JSON, the keys of objects in one order: a client may make its members in any. */
function inOrder(value: unknown): string | undefined {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part !== "object" || part === null || Array.isArray(part)
      ? part
      : Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}
