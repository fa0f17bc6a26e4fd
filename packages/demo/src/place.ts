/** Where this page is: which board, which service, and under which name. Read from the address bar and the browser's storage. */

import { serverUrl as ownServerUrl } from "./server-url.ts";

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
  const given = cleanName(query.get("name") ?? "") || recall(() => localStorage);
  return given === "" ? madeUpName() : given;
}

export function madeUpName(): string {
  const made = recall(() => sessionStorage) || `${oneOf(ADJECTIVES)} ${oneOf(ANIMALS)}`;
  remember(() => sessionStorage, made);
  return made;
}

export function chooseName(name: string): void {
  remember(() => localStorage, name);
}

export function cleanName(text: string): string {
  return [...text.trim()].slice(0, NAME_LENGTH_MAX).join("");
}

/** This page, on another port or on this one; a name in the address is left out. */
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

// Storage throws where the browser forbids it; then a name is kept as long as the page.
function recall(storage: () => Storage): string {
  try {
    return cleanName(storage().getItem(NAME_KEY) ?? "");
  } catch {
    return "";
  }
}

function remember(storage: () => Storage, name: string): void {
  try {
    storage().setItem(NAME_KEY, name);
  } catch {}
}
