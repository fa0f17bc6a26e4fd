/** The version of this package, as in its package.json. */

import { readFileSync } from "node:fs";

// One level up both from src/ and from dist/.
const manifest: { version: string } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

export const VERSION = manifest.version;
