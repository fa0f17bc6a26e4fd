/** Builds the page into dist/. The server serves it from there, below /inspector/. */

import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  base: "./",
  // The client SDK's TypeScript source: the page needs no other package to be built first.
  resolve: { conditions: ["presence-source", ...defaultClientConditions] },
  build: {
    target: "es2022",
    // The server's content security policy allows neither inline scripts nor data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
