/**
 * Builds each published package, so that others can install it: JavaScript and types in `dist/`, in the server's also the Inspector. Development runs the sources and needs no
 * build. To use a package in another project: `npm run build` here, then `npm install <path of the package>` there.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./node-24.js";
import "./setup.js";

/** Each package comes after those whose types it needs. */
const PACKAGES = ["protocol", "client", "react", "server"];

for (const name of PACKAGES) {
  const folder = join(ROOT, "packages", name);
  rmSync(join(folder, "dist"), { recursive: true, force: true });
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "--project", join(folder, "tsconfig.build.json")], { stdio: "inherit" });
  if (status !== 0) process.exit(1);
  // npm packs a licence only from the package's own folder.
  if (name === "server") cpSync(join(ROOT, "packages/inspector/dist"), join(folder, "dist/inspector"), { recursive: true });
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  console.log(`build: packages/${name}/dist`);
}
