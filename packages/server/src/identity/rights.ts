/** Rights on boards: as a token's claim `boards` gives them, and as a setting gives them to those without a token. Pure. */

import { isBoardId } from "@presence-service/protocol";

/** `read`: see a board, and how many are there. `write`: be shown there; it includes `read`. `event`: broadcast, where they are shown. `admin`: act as an operator there, by the admin API. */
export const RIGHTS = ["read", "write", "event", "admin"] as const;
export type Right = (typeof RIGHTS)[number];

/** `boards`: the id of one board; or the beginning of ids, with `*` after it. Of all that fit a board the rights add up. */
export type Grant = { readonly boards: string; readonly rights: readonly Right[] };

export const BOARDS_FORM =
  'an object of board ids, or beginnings of ids with * after them, each with a list of "read", "write", "event", "admin", such as {"doc-42":["write","event"],"team-7/*":["read"]}';

/** Reads the claim `boards` of a token; undefined: it is not of that form, and then none of it may count. */
export function grantsIn(claim: unknown): readonly Grant[] | undefined {
  if (typeof claim !== "object" || claim === null || Array.isArray(claim)) return undefined;
  const grants: Grant[] = [];
  for (const [boards, rights] of Object.entries(claim)) {
    if (!isPattern(boards) || !Array.isArray(rights) || !rights.every(isRight)) return undefined;
    grants.push({ boards, rights });
  }
  return grants;
}

export const GRANTS_FORM = "board ids, or beginnings of ids with * after them, each with rights: lobby=read,public/*=read+write+event";

/** Reads a setting such as `lobby=read,public/*=read+write+event`; undefined: it is not of that form. */
export function readGrants(text: string): readonly Grant[] | undefined {
  const grants: Grant[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    const [boards = "", rights = "", ...rest] = entry.split("=").map((part) => part.trim());
    const list = rights.split("+").map((right) => right.trim());
    // Nobody is an operator without saying who they are.
    if (rest.length > 0 || !isPattern(boards) || !list.every(isRight) || list.includes("admin")) return undefined;
    grants.push({ boards, rights: list });
  }
  return grants;
}

export function mayOn(grants: readonly Grant[], boardId: string, right: Right): boolean {
  return grants.some(
    ({ boards, rights }) => fits(boards, boardId) && (rights.includes(right) || (right === "read" && rights.includes("write"))),
  );
}

function fits(pattern: string, boardId: string): boolean {
  return pattern.endsWith("*") ? boardId.startsWith(pattern.slice(0, -1)) : boardId === pattern;
}

function isPattern(text: string): boolean {
  return text === "*" || isBoardId(text.endsWith("*") ? text.slice(0, -1) : text);
}

function isRight(value: unknown): value is Right {
  return RIGHTS.includes(value as Right);
}
