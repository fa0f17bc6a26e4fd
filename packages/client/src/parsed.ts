/** The app's check of what others wrote: a function of its own, or a schema of a library. */

import type { JsonObject } from "@presence-service/protocol";
import type { PresenceOptions } from "./types.ts";

/** Throws what the function throws, or the issues that the schema finds. */
export function parsed<State extends object>(parse: NonNullable<PresenceOptions<State>["parseState"]>, state: JsonObject): State {
  // Some libraries have schemas that are functions as well.
  if (!("~standard" in parse)) return parse(state);
  const result = parse["~standard"].validate(state);
  if (result instanceof Promise) throw new TypeError("a schema of states must answer at once, and this one is asynchronous");
  if (result.issues === undefined) return result.value;
  throw new TypeError(result.issues.map(({ message, path = [] }) => [...path.map(keyOf), message].join(": ")).join("; "));
}

/** A step of a path is a key, or an object with one. */
function keyOf(step: unknown): unknown {
  return typeof step === "object" && step !== null && "key" in step ? step.key : step;
}
