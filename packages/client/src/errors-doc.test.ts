/** docs/ERRORS.md has a heading for each code of an `error` event, and for nothing else. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERROR_CODES } from "@presence-service/protocol";
import type { PresenceErrorCode } from "./types.ts";

/** The compiler refuses this list if a code is missing, or is the SDK's no longer. */
const OWN = {
  abuse: true,
  bad_url: true,
  ended: true,
  kicked: true,
  no_random: true,
  token_failed: true,
  unknown: true,
  unreachable: true,
  url_failed: true,
} satisfies Record<Exclude<PresenceErrorCode, (typeof ERROR_CODES)[number]>, true>;

test("each code of an error has a heading in docs/ERRORS.md", () => {
  const page = readFileSync(new URL("../../../docs/ERRORS.md", import.meta.url), "utf8");
  const headings = [...page.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
  assert.deepEqual(headings.sort(), [...ERROR_CODES, ...Object.keys(OWN)].sort());
});
