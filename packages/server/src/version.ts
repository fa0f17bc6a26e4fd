/** The version of this package, as in its package.json. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

// One level up both from src/ and from dist/. As a path: where an app's tests have a page of jsdom, a URL is none of Node's.
const manifest: { version: string } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));

export const VERSION = manifest.version;
