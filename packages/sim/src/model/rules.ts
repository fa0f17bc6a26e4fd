/** The models that are verified: each whole, and with one clause after another switched off. */

import type { Model } from "./verify.ts";

/** The bounds of the tests, and larger ones for `npm run model`. */
export const WHOLE: readonly { readonly model: Model; readonly settings: readonly string[]; readonly larger: readonly string[] }[] = [
  { model: "slice", settings: [], larger: ["CHANGES=4", "DEPTH=3"] },
  { model: "slice", settings: ["DUPLICATES"], larger: ["DUPLICATES", "CHANGES=3", "DEPTH=3"] },
  { model: "slice", settings: ["RECONNECTS"], larger: ["RECONNECTS", "CHANGES=3"] },
  { model: "slice", settings: ["FORGED"], larger: ["FORGED", "CHANGES=3"] },
  { model: "sessions", settings: [], larger: ["MOVES=4"] },
  { model: "sessions", settings: ["TWIN"], larger: ["TWIN", "MOVES=3"] },
  { model: "sessions", settings: ["STOPS"], larger: ["STOPS", "MOVES=3"] },
  { model: "sessions", settings: ["LOSES"], larger: ["LOSES", "MOVES=3"] },
  { model: "sessions", settings: ["LOSES", "STOPS", "MOVES=1"], larger: ["LOSES", "STOPS", "MOVES=2"] },
];

/** Each clause that can be switched off, and the settings under which it is missed. */
export const OFF: readonly { readonly clause: string; readonly model: Model; readonly settings?: readonly string[] }[] = [
  { clause: "R3.1", model: "slice", settings: ["RECONNECTS"] },
  { clause: "R3.6", model: "slice" },
  { clause: "R3.7", model: "slice" },
  { clause: "R3.8", model: "slice", settings: ["DUPLICATES"] },
  { clause: "R3.10", model: "slice", settings: ["FORGED"] },
  { clause: "R4.1", model: "slice" },
  { clause: "R4.2", model: "slice", settings: ["FORGED"] },
  { clause: "R4.3", model: "slice", settings: ["FORGED"] },
  { clause: "R4.6", model: "slice" },
  { clause: "R4.8", model: "slice" },
  { clause: "R4.13", model: "slice" },
  { clause: "R5.6", model: "slice" },
  { clause: "R5.15", model: "slice" },
  { clause: "R6.1", model: "slice" },
  { clause: "R7.9", model: "sessions", settings: ["LOSES", "STOPS", "MOVES=1"] },
  { clause: "R11.1", model: "sessions", settings: ["TWIN"] },
  { clause: "R11.2", model: "sessions", settings: ["LOSES"] },
  { clause: "R11.3", model: "sessions", settings: ["LOSES"] },
  { clause: "R11.4", model: "sessions", settings: ["LOSES"] },
  { clause: "R11.9", model: "sessions" },
  { clause: "R11.11", model: "sessions" },
  { clause: "R12.1", model: "sessions", settings: ["STOPS"] },
  { clause: "R12.2", model: "sessions", settings: ["STOPS"] },
];

export function off(clause: string): string {
  return `OFF_${clause.replace(".", "_")}`;
}
