/** The text files of this repository, as the tests of its form read them. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** `path`: from the root on. */
export type SourceFile = { readonly path: string; readonly text: string };

/** All text files that are tracked by git, or would be. */
export function readRepository(): SourceFile[] {
  return paths()
    .filter((path) => existsSync(join(ROOT, path)))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }))
    .filter(({ text }) => !text.includes("\0"));
}

export function paths(): string[] {
  try {
    const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return [...new Set(listed.toString().split("\0").filter(Boolean))];
  } catch {
    return below("");
  }
}

/** All files below a folder, for a copy of the repository without git. */
function below(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (["node_modules", "dist", ".git", ".env"].includes(entry.name)) return [];
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? below(path) : entry.isFile() ? [path] : [];
  });
}
