/** Tables of docs/ that are made from the code, between two comments: a test compares them, `npm run docs` writes them anew. */

import { fail } from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

/** The table stands between `<!-- name … -->` and `<!-- /name -->`. */
export function compareTable(document: string, name: string, table: string): void {
  const file = new URL(`../../../../docs/${document}`, import.meta.url);
  const text = readFileSync(file, "utf8");
  const [, before, found, after] = new RegExp(`^(.*<!-- ${name}\\b[^\n]*-->\n)(.*)(<!-- /${name} -->.*)$`, "s").exec(text) ?? [];
  if (found === undefined) fail(`docs/${document} has no place for a table between <!-- ${name} --> and <!-- /${name} -->`);
  if (process.env["UPDATE_DOCS"] === "1") return writeFileSync(file, `${before}${table}\n${after}`);
  const [made, written] = [table.split("\n"), found.trimEnd().split("\n")];
  const differences = [
    ...made.filter((row) => !written.includes(row)).map((row) => `  + ${row}`),
    ...written.filter((row) => !made.includes(row)).map((row) => `  - ${row}`),
  ];
  if (`${table}\n` !== found)
    fail(`the table "${name}" of docs/${document} is not that of the code: \`npm run docs\` writes it anew\n${differences.join("\n")}`);
}
