/** The parts that rules of the form of the code are made of: a rule, the files that it concerns, and the ways to look at each. This file has no rule. */

import { dirname, join, normalize } from "node:path";
import type { SourceFile } from "./repository.ts";
import { codeOf, importsOf, lineOf } from "./source-text.ts";

export const SCOPE = "@presence-service/";

export type Rule = {
  readonly name: string;
  /** `path:line: the problem and how to fix it`, one per finding. */
  readonly check: (files: readonly SourceFile[]) => string[];
  /** A file with exactly one finding. */
  readonly bad: SourceFile;
  /** A similar file without a finding. */
  readonly good: SourceFile;
};

export function isCode(path: string): boolean {
  return /\.(?:ts|tsx|js|mjs|css)$/.test(path) && /^(?:packages|scripts)\//.test(path);
}

/** Code that ships or runs, in any package, without the tests. */
export function production(path: string): boolean {
  return /^packages\/[^/]+\/src\/.*\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path);
}

export function inServer(path: string): boolean {
  return production(path) && path.startsWith("packages/server/src/");
}

export function isPure(path: string): boolean {
  return production(path) && (path.startsWith("packages/protocol/src/") || path.startsWith("packages/server/src/core/"));
}

export function packageOf(path: string): string {
  return path.split("/")[1] ?? "";
}

export function leavesPackage(path: string, specifier: string): boolean {
  return packageOf(normalize(join(dirname(path), specifier))) !== packageOf(path);
}

export function eachFile(concerns: (path: string) => boolean, judge: (file: SourceFile) => string | undefined): Rule["check"] {
  const problemsOf = (file: SourceFile) => {
    const problem = judge(file);
    return problem === undefined ? [] : [`${file.path}: ${problem}`];
  };
  return (checked) => checked.filter(({ path }) => concerns(path)).flatMap(problemsOf);
}

export function eachImport(
  concerns: (path: string) => boolean,
  judge: (file: SourceFile, specifier: string) => string | undefined,
): Rule["check"] {
  return (checked) =>
    checked
      .filter(({ path }) => concerns(path))
      .flatMap((file) =>
        importsOf(file.text).flatMap(({ specifier, line }) => {
          const problem = judge(file, specifier);
          return problem === undefined ? [] : [`${file.path}:${line}: ${problem}`];
        }),
      );
}

export function eachMatch(concerns: (path: string) => boolean, pattern: RegExp, problem: (found: string) => string): Rule["check"] {
  return (checked) =>
    checked
      .filter(({ path }) => concerns(path))
      .flatMap(({ path, text }) => {
        const code = codeOf(text);
        return [...code.matchAll(pattern)].map((match) => `${path}:${lineOf(code, match.index)}: ${problem(match[0])}`);
      });
}

export function onlyIn(owner: string, named: RegExp): Rule["check"] {
  return eachImport(
    (path) => production(path) && path !== owner,
    (_file, specifier) => (named.test(specifier) ? `only ${owner} may import ${specifier}` : undefined),
  );
}

/** A file with the docstring that every file needs, so that a sample breaks one rule only. */
export function sample(path: string, text: string): SourceFile {
  return { path, text: `/** A sample. */\n${text}\n` };
}
