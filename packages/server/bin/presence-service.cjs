#!/usr/bin/env node
/**
 * The command `presence-service`, before and after anything is built: npm links only commands whose file exists when it installs.
 * All else is in dist/command. A CommonJS file, as Node then does not load its loader of ES modules, which takes 1 MB.
 */

const { existsSync } = require("node:fs");
const { join } = require("node:path");

const built = join(__dirname, "../dist/command/cli.cjs");
if (existsSync(built)) {
  require(built);
} else {
  console.error("presence-service: it has not been built yet. Run `npm run build` in the repository, then this command again.");
  process.exitCode = 69;
}
