/** Each case quotes docs/PROTOCOL.md, so that a case proves something and a sentence that changes finds its cases. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CLIENT_CASES } from "./client/certify.ts";
import { SERVER_CASES } from "./server/certify.ts";

const CASES = [...SERVER_CASES, ...CLIENT_CASES];
const page = plain(readFileSync(new URL("../../../docs/PROTOCOL.md", import.meta.url), "utf8"));

test("each case quotes words that PROTOCOL.md has: if the page has new ones, see whether the case still proves them", () => {
  const lost = CASES.filter(({ says }) => !page.includes(plain(says))).map(({ name, says }) => `${name}: ${says}`);
  assert.deepEqual(lost, []);
});

test("each case has a name of its own", () => {
  const names = CASES.map(({ name }) => name);
  assert.deepEqual(names.length, new Set(names).size);
});

function plain(text: string): string {
  return text.replace(/\s+/g, " ");
}
