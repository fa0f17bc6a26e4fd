/** How large the SDK is in the bundle of an app that imports `createPresence`, and that nothing is in it that only the service needs (docs/decisions/025-sdk-size.md). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

/**
 * 24 400 bytes as Vite 8.3.8 bundles and minifies it, all of it at first load; whoever makes it larger says here why. It was 26 406, with checks of JSON, readers
 * and writers that only the service calls, and the words of close codes, which the service says itself. 100 bytes since then keep changes on large boards
 * cheap, 30 tell those who show a board that the app has left it, and 126 read `statuses`: they save a viewer on a large board tens of kilobytes each time that
 * a crowd is lost or comes back.
 */
const GZIP_BYTES_MAX = 24_400;

/** Texts of which one is in each part of the protocol that a client has no use for. */
const SERVICE_ONLY = {
  "the words of close codes": "no sign of life, though asked twice",
  "mistakes in clients' messages": "must be the number that joined gave",
  "the classic encoding": "cursor_broadcast",
  "JSON as an encoding": "presence.v2.json names boards by id",
};

const INDEX = fileURLToPath(import.meta.resolve("../src/index.ts"));

test("the SDK in a bundle is no larger than it was, after gzip", async () => {
  const built = await build({
    configFile: false,
    logLevel: "silent",
    resolve: { conditions: ["presence-source"] },
    build: {
      write: false,
      minify: true,
      rollupOptions: { input: "app", preserveEntrySignatures: "strict" },
    },
    plugins: [
      {
        name: "app",
        resolveId: (id) => (id === "app" ? id : undefined),
        load: (id) => (id === "app" ? `export { createPresence } from ${JSON.stringify(INDEX)};` : undefined),
      },
    ],
  });
  assert(!Array.isArray(built) && "output" in built);
  const code = built.output.map((part) => ("code" in part ? part.code : "")).join("");
  const bytes = gzipSync(code).length;
  assert(bytes > 10_000, `a bundle of ${bytes} bytes cannot be the whole SDK`);
  assert(bytes <= GZIP_BYTES_MAX, `${bytes} bytes after gzip, of at most ${GZIP_BYTES_MAX}`);
  for (const [part, text] of Object.entries(SERVICE_ONLY)) assert(!code.includes(text), `${part} are in the bundle`);
});
