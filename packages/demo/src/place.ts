/** Where this window is: which board and page of it, which service, under which name, and with which note. Read from the address bar and the browser's storage. */

import { serverUrl as ownServerUrl } from "./server-url.ts";
import { isPageId, type Note, PAGES, type PageId, readNote } from "./state.ts";

const ADJECTIVES = [
  "Bright",
  "Calm",
  "Clever",
  "Cosy",
  "Curious",
  "Gentle",
  "Happy",
  "Kind",
  "Lively",
  "Merry",
  "Quick",
  "Quiet",
  "Sunny",
  "Swift",
  "Warm",
  "Witty",
];
const ANIMALS = [
  "Badger",
  "Beaver",
  "Bee",
  "Crane",
  "Deer",
  "Dolphin",
  "Finch",
  "Fox",
  "Hare",
  "Heron",
  "Lynx",
  "Otter",
  "Owl",
  "Puffin",
  "Robin",
  "Seal",
  "Swan",
  "Wren",
];

const NAME_KEY = "presence-demo-name";
const NAME_LENGTH_MAX = 40;
const NOTE_KEY = "presence-demo-note";

const query = new URLSearchParams(location.search);

/** Characters that an id may not hold become dashes. */
export const boardId =
  query
    .get("board")
    ?.replace(/[^A-Za-z0-9._~:@/-]/g, "-")
    .slice(0, 128) || "demo";

/** With `?paths` the others are shown the way of our pointer, as an app with a laser or a pen would have it. */
export const tellsPaths = query.has("paths");

/** The page comes from the service that it talks to; `?server=` may name another path there. */
export const serverUrl = ownServerUrl(query.get("server"), location.href);

/** A name that the user chose is kept for the browser. A made-up name is kept for the tab, so that two tabs have different ones. */
export function initialName(): string {
  const given = cleanName(query.get("name") ?? "") || cleanName(recall(() => localStorage, NAME_KEY));
  return given === "" ? madeUpName() : given;
}

export function madeUpName(): string {
  const made = cleanName(recall(() => sessionStorage, NAME_KEY)) || `${oneOf(ADJECTIVES)} ${oneOf(ANIMALS)}`;
  remember(() => sessionStorage, NAME_KEY, made);
  return made;
}

export function chooseName(name: string): void {
  remember(() => localStorage, NAME_KEY, name);
}

export function cleanName(text: string): string {
  return [...text.trim()].slice(0, NAME_LENGTH_MAX).join("");
}

export function initialPage(): PageId {
  const page = query.get("page");
  return isPageId(page) ? page : PAGES[0];
}

/** For a reload, and for windows that are opened from this one. */
export function keepPage(page: PageId): void {
  const url = new URL(location.href);
  url.searchParams.set("page", page);
  history.replaceState(null, "", url);
}

/** The service keeps no note longer than its owner is connected, so a reload brings it along. */
export function initialNote(): Note | undefined {
  try {
    return readNote(JSON.parse(recall(() => sessionStorage, NOTE_KEY)));
  } catch {
    return undefined;
  }
}

export function keepNote(note: Note | undefined): void {
  remember(() => sessionStorage, NOTE_KEY, JSON.stringify(note ?? null));
}

/** This window, on another port or on this one; a name in the address is left out. */
export function pageAddress(port = location.port): string {
  const url = new URL(location.href);
  url.port = port;
  url.searchParams.delete("name");
  url.hash = "";
  return url.href;
}

/** `npm run cluster` starts instances on two ports; this is the other one. */
export function neighbourPort(): string | undefined {
  return { "3001": "3002", "3002": "3001" }[location.port];
}

function oneOf(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}

// Storage throws where the browser forbids it; then a name or note is kept as long as the window.
function recall(storage: () => Storage, key: string): string {
  try {
    return storage().getItem(key) ?? "";
  } catch {
    return "";
  }
}

function remember(storage: () => Storage, key: string, text: string): void {
  try {
    storage().setItem(key, text);
  } catch {}
}
