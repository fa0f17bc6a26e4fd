/**
 * The tokens of those who run the service. A token is compared in constant time, kept as its hash only, and never shown: its name is,
 * in the log.
 */

import { createHash, timingSafeEqual } from "node:crypto";

export const ADMIN_TOKENS_ALLOWED =
  "1 to 8 tokens of 32 to 256 printable ASCII characters, separated by commas, each possibly with a name before it (ops:TOKEN)";

type Entry = { readonly name: string; readonly token: string };

/** Reads a list of tokens; undefined: it is not of that form. A token without a name is called by its place. */
export function readAdminTokens(text: string): readonly Entry[] | undefined {
  const parts = text.split(",").map((part) => part.trim());
  const entries = parts.map((part, index): Entry | undefined => {
    const [, name = `token-${index + 1}`, token = ""] = /^(?:([a-z0-9-]{1,32}):)?([!-+\--9;-~]{32,256})$/.exec(part) ?? [];
    return token === "" ? undefined : { name, token };
  });
  const known = entries.filter((entry) => entry !== undefined);
  const isWhole = known.length === parts.length && known.length <= 8 && new Set(known.map(({ name }) => name)).size === known.length;
  return isWhole ? known : undefined;
}

export class AdminTokens {
  readonly #known: readonly { readonly name: string; readonly hash: Buffer }[];

  constructor(entries: readonly Entry[]) {
    this.#known = entries.map(({ name, token }) => ({ name, hash: hashOf(token) }));
  }

  /** None are set. */
  get isEmpty(): boolean {
    return this.#known.length === 0;
  }

  /** The name of the token in that `Authorization` header; undefined: it holds none of ours. Every token is compared, so that the time tells nothing. */
  nameIn(authorization: string | undefined): string | undefined {
    const given = bearerIn(authorization);
    if (given === undefined) return undefined;
    const hash = hashOf(given);
    let found: string | undefined;
    for (const { name, hash: known } of this.#known) if (timingSafeEqual(hash, known)) found = name;
    return found;
  }
}

/** The token of a header `Bearer …`. */
export function bearerIn(authorization: string | undefined): string | undefined {
  return /^Bearer +([!-~]{1,8192}) *$/i.exec(authorization ?? "")?.[1];
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
