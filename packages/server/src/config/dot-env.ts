/**
 * The file `.env`: read whatever way an editor has saved it, or refused with a sentence; never ignored. What stands in it is never
 * shown, as it may be a password.
 */

import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { similarTo } from "./similar.ts";

export type DotEnv = {
  readonly texts: Readonly<Record<string, string | undefined>>;
  /** Sentences about what cannot be used: the start is refused. */
  readonly problems: readonly string[];
  /** Sentences about what nothing reads: the start goes on. */
  readonly warnings: readonly string[];
};

/** What other programs call parts of REDIS_URL. */
const PARTS_OF_REDIS_URL = /^REDIS_(?:HOST|PORT|USER|USERNAME|PASS|PASSWORD|DB|DATABASE|TLS)$/;

/** No file is no trouble. `settings`: the names that are read. */
export function readDotEnv(path: string, settings: readonly string[]): DotEnv {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    if (code === "ENOENT") return { texts: {}, problems: [], warnings: [] };
    const problem =
      code === "EISDIR"
        ? ".env is a directory, not a file (Docker makes one where it mounts a file that does not exist); remove it, or put the file there."
        : `.env cannot be read (${code}); make it readable, or remove it.`;
    return { texts: {}, problems: [problem], warnings: [] };
  }
  return parseDotEnv(bytes, settings);
}

/** `readDotEnv` without the file. */
export function parseDotEnv(bytes: Buffer, settings: readonly string[]): DotEnv {
  const text = decoded(bytes);
  if (text === undefined) {
    return { texts: {}, problems: [".env is not text in UTF-8 or UTF-16; save it as UTF-8, or remove it."], warnings: [] };
  }
  // Node's parser takes a lone CR for nothing, and would make one line of two.
  const lines = text.replace(/\r\n?/g, "\n");
  const texts = parseEnv(lines) as DotEnv["texts"];
  return { texts, problems: unassigned(lines, settings), warnings: unread(Object.keys(texts), settings) };
}

/** undefined: no text. */
function decoded(bytes: Buffer): string | undefined {
  const text = decodedAs(encodingOf(bytes), bytes);
  // Editors write none; it is what a wrong guess or a binary file looks like.
  return text?.includes("\0") === true ? undefined : text;
}

function decodedAs(encoding: string, bytes: Buffer): string | undefined {
  try {
    // Takes a byte order mark away.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** By its byte order mark; without one, names and `=` are ASCII, so that every second byte of UTF-16 is 0. */
function encodingOf(bytes: Buffer): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  if (first !== 0 && second === 0) return "utf-16le";
  return first === 0 && second !== 0 ? "utf-16be" : "utf-8";
}

/** Lines that begin with a setting and give it no value: `WS_PORT 3002`, `WS_PORT: 3002`. The parser skips them. */
function unassigned(text: string, settings: readonly string[]): string[] {
  return text.split("\n").flatMap((line, at) => {
    const [, name = ""] = /^\s*(?:export\s+)?([A-Z_]+)(?![A-Za-z0-9_]|\s*=)/.exec(line) ?? [];
    return settings.includes(name) ? [`.env line ${at + 1} names ${name} without "="; write ${name}=value.`] : [];
  });
}

/** Only names that look like ours: a file `.env` may serve other programs as well. */
function unread(names: readonly string[], settings: readonly string[]): string[] {
  return names.flatMap((name) => {
    if (settings.includes(name)) return [];
    if (PARTS_OF_REDIS_URL.test(name)) return [`.env has ${name}, which nothing reads; its value belongs into REDIS_URL`];
    const meant = similarTo(name, settings);
    // Not the name as it was written: whatever cannot be told to be a name may be a secret.
    return meant === undefined ? [] : [`.env has a name like ${meant} that nothing reads; is it ${meant} that is meant?`];
  });
}
