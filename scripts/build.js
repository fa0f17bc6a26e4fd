/**
 * Builds each published package, so that others can install it: JavaScript and types in its `dist/` (in the server's also the command as few files, and the Inspector), and a tarball in the `dist/` of the root,
 * as the registry would have it. Development runs the sources and needs no build.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
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
  if (name === "server") await (await import("./bundle.js")).bundle();
  if (name === "server") cpSync(join(ROOT, "packages/inspector/dist"), join(folder, "dist/inspector"), { recursive: true });
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  console.log(`build: packages/${name}/dist`);
}

// Folders would be linked, and then bring their own React and the like: a tarball is what an app gets.
const tarballs = join(ROOT, "dist");
rmSync(tarballs, { recursive: true, force: true });
mkdirSync(tarballs);
const args = ["pack", "--silent", "--pack-destination", tarballs, ...PACKAGES.map((name) => `--workspace=packages/${name}`)];
const packed = spawnSync("npm", args, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"], shell: process.platform === "win32" });
if (packed.status !== 0) process.exit(1);
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const pathOf = (/** @type {string} */ name) => join(tarballs, `presence-service-${name}-${version}.tgz`);
console.log(`
build: in an app: npm install ${["protocol", "client"].map(pathOf).join(" ")}
       with React, also ${pathOf("react")}
       inside a Node server, protocol and ${pathOf("server")}`);
