/**
 * The attacks that the service has to withstand, each with its defence and the tests that make it: `npm run attacks` runs them, `-- --list`
 * only lists them, `-- token` takes those whose threat has that word. At the end, or with `-- --packages` alone: packages with known holes, licences, and
 * a list of all packages (SBOM).
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { node24, ROOT } from "./node-24.js";
import "./usage.js";

const { values, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean", default: false }, packages: { type: "boolean", default: false } },
});
await import("./setup.js");

/** @type {{ threat: string, defence: string, tests: string[] }[]} */
const ATTACKS = JSON.parse(readFileSync(join(ROOT, "packages/server/test/attacks/attacks.json"), "utf8"));

/** Licences that ask for no more than a notice. */
const ALLOWED = /^(MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|BlueOak-1\.0\.0)$/;

const wanted = ATTACKS.filter(({ threat }) => words.every((word) => threat.includes(word)));
if (wanted.length === 0) {
  console.error(`attacks: no threat has ${words.join(" ")} in it: --list prints all`);
  process.exit(64);
}
const isPackagesOnly = values.packages;
if (!isPackagesOnly)
  for (const { threat, defence, tests } of wanted)
    console.log(`${threat}\n  defence: ${defence}\n  tests:   ${tests.join("\n           ")}`);
if (values.list) process.exit(0);

/** @type {string[]} */
const failed = [];
const files = [...new Set(wanted.flatMap(({ tests }) => tests))];
if (!isPackagesOnly) check("tests", node24(), ["scripts/test.js", ...files]);
if (words.length === 0) {
  audit();
  packages();
}
console.log(failed.length === 0 ? "\nattacks: all are withstood" : `\nattacks: failed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** @param {string} what @param {string} program @param {readonly string[]} args */
function check(what, program, args) {
  if (spawnSync(program, args, { cwd: ROOT, stdio: "inherit" }).status !== 0) failed.push(what);
}

/** Asks the npm registry for known holes in the packages that run with the service. Not every registry answers that. */
function audit() {
  const { stdout } = spawnSync("npm", ["audit", "--json", "--omit=dev"], { cwd: ROOT, encoding: "utf8" });
  /** @type {{ metadata?: { vulnerabilities: { total: number } } }} */
  const report = parsed(stdout);
  if (report.metadata === undefined)
    return console.log("attacks: this npm registry tells no known holes; ask another one with `npm audit --omit=dev`");
  const { total } = report.metadata.vulnerabilities;
  console.log(`attacks: ${total} known holes in packages that run with the service`);
  if (total > 0) failed.push("known holes: `npm audit --omit=dev` names them");
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Writes the list of the packages that run with the service, and looks at their licences. */
function packages() {
  const { status, stdout } = spawnSync(
    "npm",
    ["sbom", "--sbom-format=cyclonedx", "--omit=dev", "--omit=optional", "--workspace=@presence-service/server"],
    {
      cwd: ROOT,
      encoding: "utf8",
    },
  );
  if (status !== 0) return void failed.push("SBOM");
  const file = join(mkdtempSync(join(tmpdir(), "presence-sbom-")), "presence-service.cdx.json");
  writeFileSync(file, stdout);
  /** @type {{ name: string, version: string, licenses?: { license?: { id?: string }, expression?: string }[] }[]} */
  const components = JSON.parse(stdout).components;
  const strange = components.filter(
    ({ licenses = [] }) => !licenses.some(({ license, expression }) => ALLOWED.test(expression ?? license?.id ?? "")),
  );
  console.log(`attacks: ${components.length} packages run with the service, listed in ${file}`);
  for (const { name, version, licenses } of strange) failed.push(`licence of ${name} ${version}: ${JSON.stringify(licenses)}`);
}
