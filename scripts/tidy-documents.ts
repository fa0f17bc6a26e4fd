/** The rules of what is written for people, in documents and comments: sentences, links, names of files, and the ids of what is promised. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { paths, ROOT, type SourceFile } from "./repository.ts";
import { commentsOf, lineOf } from "./source-text.ts";
import { type Rule, sample } from "./tidy-rule.ts";

/** The folders whose comments name the subject of each sentence. */
const PLAIN_COMMENTS = ["packages/", "scripts/"];

/** `R4` of its heading, `R4.1` of its clause, C1 of its paragraph, F1 of its line, S1 of the comment that explains it. */
export const RULE_IDS = idsIn("docs/REPLICATION.md", /^(?:### |- \*\*)(R[\d.]+)/gm);
const IDS = new Set([
  ...RULE_IDS,
  ...idsIn("docs/PROTOCOL.md", /^\*\*[\w ]+ \((C\d)(?:, (C\d))?\)\.\*\* /gm),
  ...idsIn("ARCHITECTURE.md", /^- \*\*(F\d)\*\* /gm),
  ...["ghosts", "leaves", "slices"].flatMap((name) =>
    idsIn(`packages/server/src/testing/checkers/${name}.ts`, /^(?:\/\*\*| \*) (S\d)[ .]/gm),
  ),
  ...idsIn("packages/server/src/testing/view.ts", /\((S\d)\)/g),
]);

export const DOCUMENT_RULES: readonly Rule[] = [
  {
    name: "no sentence of a comment or a document begins with Who, Whose, Whom or What, unless it is a question",
    check: (files) =>
      files
        .filter(({ path }) => path.endsWith(".md") || PLAIN_COMMENTS.some((folder) => path.startsWith(folder)))
        .flatMap(headlessSentences),
    bad: sample("scripts/a.ts", "const a = 1;\n// A client joins\n// once. Who joins twice\n// is refused."),
    good: sample(
      "scripts/a.ts",
      'const a = "x. What it does."; // What is it? A sample: the one who reads it knows "Who joins." from it.\n/* See What. Whatever. */',
    ),
  },
  {
    name: "relative links in documents lead to files and headings that exist",
    check: deadLinks,
    bad: { path: "docs/a.md", text: "See [b](b-that-is-not-there.md).\n" },
    good: { path: "docs/a.md", text: "# The a\n\nSee [a](#the-a), [x](https://example.com/y.md) and `[no](link.md)`.\n" },
  },
  {
    name: "documents and comments name files that exist",
    check: unknownFiles,
    bad: { path: "ARCHITECTURE.md", text: "See the table (*core/tables*, *core/board*).\n" },
    good: sample("packages/server/src/core/a.ts", '// board.ts and core/board.ts say it.\nconst a = "b-that-is-not-there.ts";'),
  },
  {
    name: 'tests and comments quote ids that exist: ARCHITECTURE.md, "Ids", says where each kind is explained',
    check: (files) =>
      files
        .filter(({ path }) => path.startsWith("packages/") && path.endsWith(".ts"))
        .flatMap(({ path, text }) => {
          const titles = path.endsWith(".test.ts") ? [...text.matchAll(/\[[RCFS]\d+(?:\.\d+)?\]/g)] : [];
          const comments = commentsOf(text).map((comment) => ({ 0: comment.text, index: comment.index }));
          return [...titles, ...comments].flatMap(({ 0: quote, index }) =>
            [...quote.matchAll(/\b[RCFS][1-9]\d*(?:\.\d+)?\b(?! controls)/g)]
              .filter(([id]) => !IDS.has(id))
              .map((found) => `${path}:${lineOf(text, index + found.index)}: there is no ${found[0]}; quote what is meant`),
          );
        }),
    bad: sample("packages/server/src/core/a.test.ts", 'test("[R4.99] an owner is asked", () => {});'),
    good: sample("packages/server/src/core/a.test.ts", 'test("[R4] [R4.1] [C2] an owner is asked (F1)", () => {}); // S1, C6'),
  },
];

function idsIn(path: string, pattern: RegExp): string[] {
  return Array.from(readFileSync(join(ROOT, path), "utf8").matchAll(pattern), ([, ...ids]) => ids.filter((id) => id !== undefined)).flat();
}

function headlessSentences({ path, text }: SourceFile): string[] {
  if (!/\.(?:[jt]s|md)$/.test(path)) return [];
  const prose = path.endsWith(".md") ? [{ text: withoutCode(text), index: 0 }] : commentsOf(text);
  return prose.flatMap((comment) =>
    [...comment.text.matchAll(/(?:^|[.:;!?|][)"'`]*\s|\n *\n|[-–—] )\s*((?:Who|Whose|Whom|What)\b.*?(?:[.!?](?!\S)|$))/gs)].flatMap(
      (match) => {
        const sentence = match[1] ?? "";
        if (sentence.endsWith("?")) return [];
        const line = lineOf(text, comment.index + match.index + match[0].indexOf(sentence));
        return [`${path}:${line}: "${sentence.slice(0, 40)}…": name the subject (a client, a peer, a member), or write a question`];
      },
    ),
  );
}

function deadLinks(checked: readonly SourceFile[]): string[] {
  return checked
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap(({ path, text }) => {
      const prose = withoutCode(text);
      return [...prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].flatMap((match) => {
        const target = match[1] ?? "";
        if (/^[a-z][a-z+.-]*:/.test(target)) return [];
        const [file = "", anchor] = decodeURI(target).split("#");
        const at = `${path}:${lineOf(prose, match.index)}`;
        const linked = file === "" ? path : normalize(join(dirname(path), file));
        if (file !== "" && !existsSync(join(ROOT, linked))) return [`${at}: ${target} does not exist`];
        if (anchor === undefined || !linked.endsWith(".md")) return [];
        const page = file === "" ? text : readFileSync(join(ROOT, linked), "utf8");
        return anchorsOf(page).has(anchor) ? [] : [`${at}: ${linked} has no heading for #${anchor}`];
      });
    });
}

/** `name.ts` or `folder/name.ts` in comments and documents; in ARCHITECTURE.md also `*folder/name*`, and the names in its table of folders. */
function unknownFiles(checked: readonly SourceFile[]): string[] {
  const known = new Set(
    paths().flatMap((path) =>
      path.split("/").map((_, at, parts) =>
        parts
          .slice(at)
          .join("/")
          .replace(/\.tsx?$/, ""),
      ),
    ),
  );
  return checked.flatMap(({ path, text }) => {
    const isPage = path.endsWith(".md");
    if (!isPage && !(path.startsWith("packages/") && path.endsWith(".ts"))) return [];
    const missing = (names: readonly string[], index: number) =>
      names
        .filter((name) => !known.has(name) && name !== "kebab-case")
        .map((name) => `${path}:${lineOf(text, index)}: there is no file ${name}.ts`);
    const found = (isPage ? [{ text, index: 0 }] : commentsOf(text)).flatMap((said) =>
      [...said.text.matchAll(/(?<![\w./-])(?:\.{1,2}\/)*(\w[\w./-]*)\.tsx?\b/g)].flatMap((match) =>
        missing([match[1] ?? ""], said.index + match.index),
      ),
    );
    if (path !== "ARCHITECTURE.md") return found;
    const steps = [...text.matchAll(/(?<!\*)\*([\w-]+\/[\w-]+|[a-z]+(?:-[a-z]+)*)\*(?!\*)/g)].flatMap((match) =>
      missing([match[1] ?? ""], match.index),
    );
    // All names of the first column, but folders: of `…/core/{a,b}` these are core/a and core/b.
    const rows = [...text.matchAll(/^\| (`(?:…|packages)\/[^|]*) \|/gm)].flatMap(({ 1: cell = "", index }) =>
      [...cell.matchAll(/`(?:…\/)?([\w./-]*)(?:\{([\w,-]+)\})?(?:\.ts)?`/g)].flatMap(({ 1: before = "", 2: names }) =>
        missing(
          (names?.split(",") ?? [""]).map((name) => (before + name).replace(/\.ts$/, "")).filter((name) => !isFolder(name)),
          index,
        ),
      ),
    );
    return [...found, ...steps, ...rows];
  });
}

function isFolder(name: string): boolean {
  return paths().some((path) => `/${path}`.includes(`/${name.replace(/\/$/, "")}/`));
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set([...markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)].map((match) => match[1] ?? ""));
  const prose = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, blanked);
  for (const [, heading = ""] of prose.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const anchor = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    let unique = anchor;
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, blanked).replace(/`[^`\n]*`/g, blanked);
}

function blanked(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
