/** The state that people on this board share beside their cursors, and the checks of it: others may have written anything. */

import type { JsonObject } from "@presence-service/client";

/** The board has two pages, the areas of the SDK. On the first one are all who are nowhere in particular, as in an app without areas. */
export const PAGES = ["diagram", "picture"] as const;
export type PageId = (typeof PAGES)[number];

/** A sticky note. Everybody has one at most, and it goes when they do: presence is not storage. */
export type Note = {
  readonly text: string;
  /** Fractions of the room that a note has on the board, so that it never sticks out. */
  readonly x: number;
  readonly y: number;
  readonly page: PageId;
};

export type State = {
  /** The first part of the id of the instance that serves the page. */
  readonly instance: string;
  /** The name of a thing on the board. */
  readonly selected?: string;
  readonly note?: Note;
};

export type Events = { readonly reaction: { readonly emoji: string; readonly x: number; readonly y: number } };

export const NOTE_LENGTH_MAX = 120;
const INSTANCE_LENGTH = 8;

/** For the SDK's `parseState`: whatever somebody wrote, a State comes out. */
export function readState({ instance, selected, note }: JsonObject): State {
  const read = readNote(note);
  return {
    instance: typeof instance === "string" ? shortId(instance) : "",
    ...(typeof selected === "string" && { selected }),
    ...(read && { note: read }),
  };
}

export function readNote(data: unknown): Note | undefined {
  const { text, x, y, page } = (data ?? {}) as Record<string, unknown>;
  if (typeof text !== "string" || !isFraction(x) || !isFraction(y) || !isPageId(page)) return undefined;
  return { text: [...text].slice(0, NOTE_LENGTH_MAX).join(""), x, y, page };
}

export function isFraction(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

export function isPageId(value: unknown): value is PageId {
  return PAGES.includes(value as PageId);
}

/** The area of a member as a page; undefined: in a part of some other app. */
export function pageOf(area: string | undefined): PageId | undefined {
  return area === undefined || area === "" ? PAGES[0] : PAGES.find((page) => page === area);
}

export function areaOf(page: PageId): string | null {
  return page === PAGES[0] ? null : page;
}

export function shortId(instanceId: string | undefined): string {
  return (instanceId ?? "").slice(0, INSTANCE_LENGTH);
}
