/** A folder with our packages as an app gets them: packed and unpacked, without our sources, beside tools of this repository. */

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
export const PACKAGES = ["protocol", "client", "react", "server"] as const;

export const run = promisify(execFile);

export type PackedApp = {
  /** Its folder: a package with the packed packages in its `node_modules`. */
  readonly folder: string;
  /** Where each package's tarball is. */
  readonly tarballs: ReadonlyMap<string, string>;
  /** Gives the app a package of this repository under another name too. */
  readonly link: (name: string, as?: string) => void;
  readonly remove: () => void;
};

/** Builds and packs all packages, as `npm run build` does. Nothing is downloaded. */
export async function packApp(tools: readonly string[]): Promise<PackedApp> {
  const folder = mkdtempSync(join(tmpdir(), "presence-app-"));
  const tarballs = new Map<string, string>();
  await run(process.execPath, ["scripts/build.js"], { cwd: ROOT });
  mkdirSync(join(folder, "node_modules/@presence-service"), { recursive: true });
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  for (const name of PACKAGES) {
    const unpacked = join(folder, "node_modules/@presence-service", name);
    const tarball = join(ROOT, "dist", `presence-service-${name}-${version}.tgz`);
    tarballs.set(name, tarball);
    mkdirSync(unpacked);
    await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", unpacked]);
  }
  const link = (name: string, as = name) => {
    const path = join(folder, "node_modules", as);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), path);
  };
  for (const tool of tools) link(tool);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
  return { folder, tarballs, link, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
