/**
 * A guide of docs/guides as somebody follows it: each of its code blocks is a file in a folder of its own. ```` ```ts file=board ```` is the file
 * `board` with the extension of its language; a second block of that file goes on with it. ```` ```text output=board ```` is what the program prints.
 */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Scope } from "../../../server/test/harness/index.ts";

export const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
/** Blocks that are files. */
const CODE = ["ts", "tsx", "js", "vue", "svelte", "html", "css"];
/** Blocks that are none: commands, their output, and data. Any other language is a mistake, perhaps a misspelt one. */
const OTHER = ["sh", "text", "json"];

type Block = { readonly language: string; readonly key: string; readonly name: string; readonly code: string; readonly line: number };

export class Guide {
  readonly #page: string;
  readonly #blocks: readonly Block[];

  constructor(page: string, markdown = readFileSync(join(ROOT, page), "utf8")) {
    this.#page = page;
    this.#blocks = blocksOf(markdown);
  }

  /** The pages whose blocks are files, as paths from the root of the repository. */
  static pages(): string[] {
    const guides = readdirSync(join(ROOT, "docs/guides")).filter((name) => name.endsWith(".md"));
    return [...guides.map((name) => `docs/guides/${name}`).sort(), "packages/react/README.md"];
  }

  static named(name: string): Guide {
    return new Guide(`docs/guides/${name}.md`);
  }

  /** Blocks that name no file, or have a language that is none. */
  mistakes(): string[] {
    return this.#blocks.flatMap(({ language, key, line }) => {
      const at = `${this.#page}:${line}`;
      if (CODE.includes(language)) return key === "file" ? [] : [`${at}: say which file it is, as in \`\`\`${language} file=name`];
      return OTHER.includes(language) ? [] : [`${at}: "${language}" is none of ${[...CODE, ...OTHER].join(", ")}`];
    });
  }

  /** By name, `index.html`. */
  files(): Map<string, string> {
    const files = new Map<string, string>();
    for (const { language, key, name, code } of this.#blocks)
      if (key === "file") files.set(`${name}.${language}`, (files.get(`${name}.${language}`) ?? "") + code);
    return files;
  }

  /** The lines that the guide shows as what a program prints. */
  output(name: string): string[] {
    const shown = this.#blocks.find((block) => block.key === "output" && block.name === name);
    assert(shown, `${this.#page} has no output of ${name}`);
    return shown.code.trimEnd().split("\n");
  }

  /** Writes the files into a folder of their own inside an app's. `replaced`: addresses of the guide, and those of the test. */
  unpack(app: string, replaced: Readonly<Record<string, string>> = {}): string {
    const folder = mkdtempSync(join(app, "guide-"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    for (const [name, code] of this.files())
      writeFileSync(
        join(folder, name),
        Object.entries(replaced).reduce((text, [from, to]) => text.replaceAll(from, to), code),
      );
    return folder;
  }
}

/** A folder with all that this repository has installed. It ends with the test. */
export function appFolder(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), "presence-guide-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  return folder;
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```([\w-]+)(?: (file|output)=([\w.-]+))?[^\n]*\n([\s\S]*?)^```$/gm)].map((found) => {
    const [, language = "", key = "", name = "", code = ""] = found;
    return { language, key, name, code, line: markdown.slice(0, found.index).split("\n").length };
  });
}
