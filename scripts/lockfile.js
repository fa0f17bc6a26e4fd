/**
 * Completes package-lock.json: adds the platform packages (binaries for another system or processor) that npm left out because
 * its registry does not have them. Without their entries `npm ci` refuses to install anything, and other platforms
 * could not install their packages. Run it when the tidy test says so, after an `npm install` that added such a package.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./node-24.js";

/** @typedef {{ version?: string, dev?: boolean, optionalDependencies?: Record<string, string> }} Entry */

const SYSTEMS = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "win32"];
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

const path = join(ROOT, "package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8"));
const added = missing(lock.packages);
Object.assign(lock.packages, Object.fromEntries(added));
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`lockfile: ${added.length} entries added`);

/** @param {Record<string, Entry>} packages @returns {[string, object][]} */
function missing(packages) {
  return Object.entries(packages).flatMap(([owner, { dev, optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !(`node_modules/${name}` in packages || `${owner}/node_modules/${name}` in packages))
      .map(([name, version]) => /** @type {[string, object]} */ ([`node_modules/${name}`, entryOf(name, version, dev)])),
  );
}

/** The entry of a platform package, made from its name, as `@scope/binding-linux-arm64-musl`. Without integrity, since we have no copy. */
function entryOf(/** @type {string} */ name, /** @type {string} */ version, /** @type {boolean | undefined} */ dev) {
  if (!/^\d/.test(version)) throw new Error(`${name} wants ${version}: only exact versions can be completed; install with a full registry`);
  const words = name.split("/").at(-1)?.split("-") ?? [];
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  const libc = words.some((word) => word.startsWith("musl")) ? ["musl"] : words.some((word) => word.startsWith("gnu")) ? ["glibc"] : [];
  return {
    version,
    ...(cpu.length > 0 && { cpu }),
    ...(dev && { dev }),
    ...(libc.length > 0 && { libc }),
    optional: true,
    ...(os.length > 0 && { os }),
  };
}
