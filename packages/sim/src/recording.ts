/**
 * Everything that a core is told, as text, and the same core brought back from it. It proves that a core is a function of that, and says
 * what a recorder in production would have to keep. Names, states and what is said to others can be replaced by placeholders of the same
 * shape: the core behaves the same, since it looks at nothing of them but their lengths and whether they are equal.
 */

import { createHash } from "node:crypto";
import type { BoardId, CursorPath } from "@presence-service/protocol";
import { Core, type CoreOptions, type Effect, type Input } from "@presence-service/server/testing";

/** One call of a core that may change it: the name, then its arguments. */
type Call =
  | readonly ["handle", Input, number, number]
  | readonly ["mark", BoardId, number, number, number, number, ...path: CursorPath[]]
  | readonly ["take", BoardId]
  | readonly ["takeOwn", BoardId, number];

export type Recording = { readonly options: CoreOptions; readonly calls: string[]; readonly hash: () => string };

/** Pass the result as `makeCore`; the recordings grow while the World runs. */
export function recorder(recordings: Recording[]): (options: CoreOptions) => Core {
  return (options) => {
    const answers = createHash("sha256");
    const calls: string[] = [];
    recordings.push({ options, calls, hash: () => answers.copy().digest("hex").slice(0, 16) });
    return new RecordedCore(options, (call, answer) => {
      calls.push(JSON.stringify(call));
      answers.update(`${JSON.stringify(answer)}\n`);
    });
  };
}

export type ReplayOptions = {
  /** Replaces each call before the core gets it. */
  readonly change?: (call: Call) => Call;
  /** Replaces each answer before it is hashed. */
  readonly read?: (answer: unknown) => unknown;
};

/** A new core is told the same; returns the hash of all its answers. */
export function replay(
  { options, calls }: Pick<Recording, "options" | "calls">,
  { change = (call) => call, read = (answer) => answer }: ReplayOptions = {},
): string {
  const answers = createHash("sha256");
  const core = new Core(options);
  for (const call of calls) answers.update(`${JSON.stringify(read(tell(core, change(JSON.parse(call) as Call))))}\n`);
  return answers.digest("hex").slice(0, 16);
}

/** Everything under these keys comes from people. */
const CONTENT = ["username", "avatar", "state", "data"];

/** The same value with placeholders for what people wrote, equal where that is equal and as long as JSON. */
export function withoutContent<T>(value: T): T {
  return masked(value, false) as T;
}

function masked(value: unknown, isContent: boolean): unknown {
  if (typeof value === "string") return isContent ? placeholder(value) : value;
  if (Array.isArray(value)) return value.map((inner) => masked(inner, isContent));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [isContent ? placeholder(key) : key, masked(inner, isContent || isFromPeople(key, inner))]),
  );
}

/** The state of a peer is a word of ours. */
function isFromPeople(key: string, value: unknown): boolean {
  return CONTENT.includes(key) && !(key === "state" && typeof value === "string");
}

function placeholder(text: string): string {
  const length = Buffer.byteLength(JSON.stringify(text)) - 2;
  return createHash("sha256")
    .update(text)
    .digest("base64url")
    .repeat(Math.ceil(length / 43))
    .slice(0, length);
}

function tell(core: Core, [method, ...args]: Call): unknown {
  switch (method) {
    case "handle":
      return core.handle(...(args as [Input, number, number]));
    case "mark":
      return core.markCursor(...(args as [BoardId, number, number, number, number, CursorPath?]));
    case "take":
      return core.takeCursors(...(args as [BoardId]));
    case "takeOwn":
      return core.takeOwnCursors(...(args as [BoardId, number]));
  }
}

class RecordedCore extends Core {
  readonly #told: (call: Call, answer: unknown) => void;

  constructor(options: CoreOptions, told: (call: Call, answer: unknown) => void) {
    super(options);
    this.#told = told;
  }

  override handle(input: Input, now: number, wallNow = 0): Effect[] {
    // The input is written down before anybody can change it.
    const call: Call = ["handle", structuredClone(input), now, wallNow];
    const effects = super.handle(input, now, wallNow);
    this.#told(call, effects);
    return effects;
  }

  override markCursor(boardId: BoardId, actor: number, x: number, y: number, now: number, path?: CursorPath): boolean {
    const isNew = super.markCursor(boardId, actor, x, y, now, path);
    this.#told(["mark", boardId, actor, x, y, now, ...(path ? [path] : [])], isNew);
    return isNew;
  }

  override takeCursors(boardId: BoardId): ReturnType<Core["takeCursors"]> {
    const moves = super.takeCursors(boardId);
    this.#told(["take", boardId], moves);
    return moves;
  }

  override takeOwnCursors(boardId: BoardId, now: number): ReturnType<Core["takeOwnCursors"]> {
    const cursors = super.takeOwnCursors(boardId, now);
    this.#told(["takeOwn", boardId, now], cursors);
    return cursors;
  }
}
