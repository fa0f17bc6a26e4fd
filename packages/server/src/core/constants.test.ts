/** The numbers of the rules: they go together, and docs/REPLICATION.md shows them. After a change: `UPDATE_DOCS=1 npm test -- core/constants`. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { assertConsistent, CONSTANTS } from "./constants.ts";

const DOCUMENT = new URL("../../../../docs/REPLICATION.md", import.meta.url);

/** Made of the source itself: each number with the sentence above it, which may speak for several. */
function table(): string {
  const source = readFileSync(new URL("./constants.ts", import.meta.url), "utf8");
  let reason = "";
  const rows = [...source.matchAll(/^ {2}(?:\/\*\* (.*) \*\/|(\w+): (.*?)(?: as [^,]*)?,)$/gm)].flatMap(([, sentence, name, value]) => {
    if (sentence !== undefined) reason = sentence;
    return name === undefined ? [] : [`| \`${name}\` | ${value} | ${reason} |`];
  });
  return ["| name | value | rule and reason |", "|---|---|---|", ...rows, ""].join("\n");
}

test("the table in docs/REPLICATION.md is that of the code", () => {
  const text = readFileSync(DOCUMENT, "utf8");
  const [, before = "", found = "", after = ""] = /^(.*<!-- constants -->\n)(.*)(<!-- \/constants -->.*)$/s.exec(text) ?? [];
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(DOCUMENT, before + table() + after);
  else assert.equal(found, table());
  for (const name of Object.keys(CONSTANTS)) assert.ok(table().includes(`\`${name}\``), `${name} has no row`);
});

test("numbers that do not go together are refused in a sentence", () => {
  assertConsistent(CONSTANTS);
  assert.throws(() => assertConsistent({ ...CONSTANTS, suspectBeats: 8 }), /a peer must be suspect before it is down/);
  assert.throws(() => assertConsistent({ ...CONSTANTS, reconnectMsMax: 10_000 }), /reconnect backoff must stay under suspect \+ down/);
});
