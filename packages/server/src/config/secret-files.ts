/** Settings that hold secrets may come from files, as orchestrators mount them. Neither contents nor paths are ever shown: a path may be the secret itself. */

import { readFileSync } from "node:fs";
import { anyText } from "./values.ts";

/** Each of these may be given as `NAME_FILE` instead. */
const FILED = ["REDIS_URL", "REDIS_SENTINEL_PASSWORD", "BUS_SECRET", "AUTH_SECRET", "ADMIN_TOKEN", "WEBHOOK_SECRET"] as const;

function fileOf(name: (typeof FILED)[number]) {
  return {
    default: "",
    unit: "path",
    allowed: `a file that holds ${name} and nothing else`,
    meaning: `Instead of ${name}: the file that holds it. Spaces and line ends around it are left out. Read at start.`,
    read: anyText,
  } as const;
}

export const FILE_SETTINGS = {
  REDIS_URL_FILE: fileOf("REDIS_URL"),
  REDIS_SENTINEL_PASSWORD_FILE: fileOf("REDIS_SENTINEL_PASSWORD"),
  BUS_SECRET_FILE: fileOf("BUS_SECRET"),
  AUTH_SECRET_FILE: fileOf("AUTH_SECRET"),
  ADMIN_TOKEN_FILE: fileOf("ADMIN_TOKEN"),
  WEBHOOK_SECRET_FILE: fileOf("WEBHOOK_SECRET"),
} as const;

const read = new Set<string>();

/** All that was read from such files so far. */
export function secretsRead(): Iterable<string> {
  return read;
}

type Texts = { [name: string]: string | undefined };

/** Puts what the files hold into `texts`, and where it is from into `origins`. Adds a sentence for each problem. */
export function readSecretFiles(texts: Texts, origins: Map<string, string>, problems: string[]): void {
  for (const name of FILED) {
    const path = texts[`${name}_FILE`];
    if (path === undefined) continue;
    if (origins.get(name) !== "default") {
      problems.push(`${name} and ${name}_FILE are both set: take one of them out.`);
      continue;
    }
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text === "") problems.push(`The file that ${name}_FILE names is empty.`);
      read.add(text);
      texts[name] = text;
      origins.set(name, `the file of ${name}_FILE`);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
      problems.push(`The file that ${name}_FILE names cannot be read (${code}).`);
    }
  }
}
