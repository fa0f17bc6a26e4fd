/** The limits of bounds.ts as settings: each under the same name, in capitals. */

import { BOUND_NAMES, BOUNDS, type BoundName, type Bounds } from "../bounds.ts";
import { type Read, whole } from "./values.ts";

/** `CONNECTIONS_PER_ADDRESS` of `connectionsPerAddress`. */
type Capitals<Name extends string> = Name extends `${infer Head}${infer Rest}`
  ? Head extends Lowercase<Head>
    ? `${Uppercase<Head>}${Capitals<Rest>}`
    : `_${Head}${Capitals<Rest>}`
  : "";

type LimitSetting = {
  readonly default: string;
  readonly unit: string;
  readonly allowed: string;
  readonly meaning: string;
  readonly read: Read<number>;
};
type LimitSettings = { readonly [of in BoundName as Capitals<of>]: LimitSetting };

export const LIMIT_SETTINGS = Object.fromEntries(BOUND_NAMES.map((name) => [capitals(name), settingOf(name)])) as LimitSettings;

/** The limits among the values of settings that have been checked. */
export function limitsIn(values: { readonly [of in keyof LimitSettings]: number }): Bounds {
  return Object.fromEntries(BOUND_NAMES.map((name) => [name, values[capitals(name)]])) as Bounds;
}

function capitals(name: BoundName): keyof LimitSettings {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase() as keyof LimitSettings;
}

function settingOf(name: BoundName): LimitSetting {
  const { default: fallback, min, max, unit, meaning } = BOUNDS[name];
  return {
    default: String(fallback),
    unit,
    allowed: `${min} to ${max}`,
    meaning,
    read: whole({ min, max }),
  };
}
