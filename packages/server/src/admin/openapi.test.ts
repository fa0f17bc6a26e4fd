/** The OpenAPI document in docs/ is made of the calls: `npm run docs` writes it anew. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { allCalls } from "./calls.ts";
import type { Inside } from "./inside.ts";
import { openApiOf } from "./openapi.ts";

const FILE = new URL("../../../../docs/admin-api.json", import.meta.url);
/** The document needs no instance. */
const CALLS = allCalls({ manager: { inspection: {} } } as unknown as Inside);

test("docs/admin-api.json is that of the code", () => {
  const text = `${JSON.stringify(openApiOf(CALLS), null, 2)}\n`;
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(FILE, text);
  assert.equal(readFileSync(FILE, "utf8"), text, "`npm run docs` writes it anew");
});

test("every call has a name of its own and says which answers it gives", () => {
  assert.equal(new Set(CALLS.map(({ id }) => id)).size, CALLS.length);
  assert.equal(new Set(CALLS.map(({ method, path }) => `${method} ${path}`)).size, CALLS.length);
  for (const { id, path, params, answers } of CALLS) {
    assert(Object.keys(answers).length > 0, id);
    assert.deepEqual(
      Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name),
      Object.keys(params.shape),
      id,
    );
  }
});
