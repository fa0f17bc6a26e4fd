#!/usr/bin/env node
/**
 * The command `presence-service`, before and after anything is built: npm links only commands whose file exists when it installs.
 * All else is in dist/cli.js.
 */

import { existsSync } from "node:fs";

const built = new URL("../dist/cli.js", import.meta.url);
if (existsSync(built)) {
  await import(built.href);
} else {
  console.error("presence-service: it has not been built yet. Run `npm run build` in the repository, then this command again.");
  process.exitCode = 69;
}
