/**
 * Repeats a recording of an instance: a core is made from the first checkpoint and told the same. Each digest of its answers has to be that
 * of the recording, and at each later checkpoint the core has to be the recorded one.
 */

import { isDeepStrictEqual } from "node:util";
import { deserialize, serialize } from "node:v8";
import type { Millis } from "@presence-service/protocol";
import { type Call, Core, callsOf, Digest, type Recording, restore, written } from "@presence-service/server/world";

export type Replayed = {
  readonly calls: number;
  /** Calls before the first checkpoint, which can be read and not repeated. */
  readonly unrepeated: number;
  readonly checkpoints: number;
  /** The first difference, in words; undefined: all was the same. */
  readonly difference: string | undefined;
};

export type Look = (call: Call, answer: unknown) => void;

export function replay(recording: Recording, look: Look = () => {}): Replayed {
  const { instanceId, segments } = recording;
  const digest = new Digest();
  const counts = { calls: 0, unrepeated: 0, checkpoints: 0 };
  let core: Core | undefined;
  for (const segment of segments) {
    digest.value = 0;
    if (segment.checkpoint !== undefined) {
      counts.checkpoints++;
      const values: unknown[] = deserialize(segment.checkpoint);
      if (core !== undefined && !isDeepStrictEqual(deserialize(serialize(written(core))), values))
        return { ...counts, difference: `after ${counts.calls} calls the core is not the one of the checkpoint` };
      core = new Core({ instanceId, seed: 0, now: 0 });
      restore(core, values);
    }
    for (const call of callsOf(segment)) {
      counts.calls++;
      if (core === undefined) {
        counts.unrepeated++;
        look(call, undefined);
        continue;
      }
      look(call, tell(core, call, digest));
      if (call.kind === "handle" && digest.value !== call.digest)
        return {
          ...counts,
          difference: `the answers to call ${counts.calls} are not those of the recording: ${JSON.stringify(call.input)}`,
        };
    }
  }
  return { ...counts, difference: undefined };
}

/** Prints each input and its effects from that time of the instance on, and cursors that move. */
export function printing(sinceMs: Millis, print: (line: string) => void): Look {
  return (call, answer) => {
    const { kind, ...rest } = call;
    if ("now" in call && call.now < sinceMs) return;
    const at = "now" in call ? call.now.toFixed(1).padStart(12) : " ".repeat(12);
    if (call.kind === "handle") print(`${at} ← ${JSON.stringify(call.input)}`);
    else print(`${at} ${kind} ${JSON.stringify(rest)}`);
    for (const effect of Array.isArray(answer) && call.kind === "handle" ? answer : []) print(`${at} → ${JSON.stringify(effect)}`);
  };
}

function tell(core: Core, call: Call, digest: Digest): unknown {
  switch (call.kind) {
    case "handle": {
      const effects = core.handle(call.input, call.now, call.wallNow);
      digest.effects(effects);
      return effects;
    }
    case "mark": {
      const isNew = core.markCursor(call.boardId, call.actor, call.x, call.y, call.now, call.path);
      digest.marked(isNew);
      return isNew;
    }
    case "take": {
      const moves = core.takeCursors(call.boardId);
      digest.numbers(moves);
      return moves;
    }
    case "takeOwn": {
      const cursors = core.takeOwnCursors(call.boardId, call.now);
      digest.own(cursors);
      return cursors;
    }
  }
}
