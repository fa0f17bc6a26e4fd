/**
 * Cores that are written down and brought back in the middle of a run: from then on a new core stands in for the old one, made from its
 * checkpoint alone. A run in which that happens a thousand times has to be the same run, so a field that a checkpoint forgets is found.
 */

import { deserialize, serialize } from "node:v8";
import { Core, type CoreOptions, Random, restore, written } from "@presence-service/server/world";

export type TransplantOptions = {
  readonly seed: number;
  /** After which share of the calls. */
  readonly share: number;
  /** Changes a checkpoint that was read back; by default nothing. */
  readonly load?: (core: Core, values: readonly unknown[]) => void;
};

/** Pass the result as `makeCore`. `done` counts transplants. */
export function transplanting(
  { seed, share, load = restore }: TransplantOptions,
  done?: { count: number },
): (options: CoreOptions) => Core {
  const random = new Random(seed);
  return (options) => {
    let core = new Core(options);
    const call =
      (method: (...args: unknown[]) => unknown) =>
      (...args: unknown[]) => {
        const answer = method.apply(core, args);
        if (random.next() >= share) return answer;
        const values = deserialize(serialize(written(core)));
        core = new Core({ ...options, seed: 0, now: 0 });
        load(core, values);
        if (done !== undefined) done.count++;
        return answer;
      };
    // The World holds one object all along.
    return new Proxy(core, {
      get(_, name) {
        const value: unknown = Reflect.get(core, name, core);
        return typeof value === "function" ? call(value as () => unknown) : value;
      },
    });
  };
}
