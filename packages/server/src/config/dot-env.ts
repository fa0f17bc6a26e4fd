/**
 * The file `.env`. It is read however an editor has saved it, or refused with a sentence, and never ignored. Its contents are never
 * shown, as they may be passwords.
 */

import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { similarTo } from "./similar.ts";

export type DotEnv = {
  readonly texts: Readonly<Record<string, string | undefined>>;
  /** Sentences about mistakes for which the start is refused. */
  readonly problems: readonly string[];
  /** Sentences about names that nothing reads: the start goes on. */
  readonly warnings: readonly string[];
};

/** Names that other programs use for parts of REDIS_URL. */
const PARTS_OF_REDIS_URL = /^REDIS_(?:HOST|PORT|USER|USERNAME|PASS|PASSWORD|DB|DATABASE|TLS)$/;

/** Reads the file; if there is none, that is no problem. `settings`: the names that are read. */
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
  // Node's parser ignores a lone CR, and would make one line of two.
  const lines = text.replace(/\r\n?/g, "\n");
  const texts = parseEnv(lines) as DotEnv["texts"];
  return { texts, problems: unassigned(lines, settings), warnings: unread(Object.keys(texts), settings) };
}

/** The bytes as text; undefined: they are no text. */
function decoded(bytes: Buffer): string | undefined {
  const text = decodedAs(encodingOf(bytes), bytes);
  // Editors write no NUL: if there is one, the encoding was guessed wrong, or the file is binary.
  return text?.includes("\0") === true ? undefined : text;
}

function decodedAs(encoding: string, bytes: Buffer): string | undefined {
  try {
    // TextDecoder takes a byte order mark away.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The encoding by its byte order mark. Without one: names and `=` are ASCII, so every second byte is 0 in UTF-16. */
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

/** The environment is full of names of others, `REDIS_PORT` of Kubernetes among them: only those like a setting are told. */
export function unreadInEnvironment(env: DotEnv["texts"], settings: readonly string[]): string[] {
  const names = Object.keys(env).filter((name) => env[name] && !PARTS_OF_REDIS_URL.test(name));
  return unread(names, settings, "The environment");
}

/** Warns only of names that look like settings: a file `.env` may serve other programs as well. */
function unread(names: readonly string[], settings: readonly string[], where = ".env"): string[] {
  return names.flatMap((name) => {
    if (settings.includes(name)) return [];
    if (PARTS_OF_REDIS_URL.test(name)) return [`${where} has ${name}, which nothing reads; its value belongs in REDIS_URL`];
    const meant = similarTo(name, settings);
    // The name is not shown as it was written: text that is not known to be a name may be a secret.
    return meant === undefined ? [] : [`${where} has a name like ${meant} that nothing reads. If ${meant} is meant, rename it.`];
  });
}
