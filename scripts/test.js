/**
 * Runs the tests and ends with one line, `N passed, N failed`; exits with 1 if any failed or none ran.
 * `--fast`: only tests without processes of their own. `--name=text`: only tests whose name contains the text. Other arguments: parts
 * of the paths of files to run. Tests of modules (`src/`, `scripts/`) share the cores; those with real processes (`test/`) run one by one.
 */

import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { run } from "node:test";
import { continueOnNode24, ROOT } from "./node-24.js";
import { FileReport } from "./test-report.js";

await continueOnNode24();

/** For a test that sets no timeout itself; a file may take as long as its tests. */
const TEST_TIMEOUT_MS = 120_000;

const options = process.argv.slice(2);
const isFast = options.includes("--fast");
const name = options.find((option) => option.startsWith("--name="))?.slice("--name=".length);
const filters = options.filter((option) => !option.startsWith("--"));
const unknown = options.find((option) => option.startsWith("--") && option !== "--fast" && !option.startsWith("--name="));
if (unknown !== undefined) {
  console.error(`Unknown option ${unknown}; there are --fast, --name=text and parts of file paths.`);
  process.exit(1);
}

const modules = [...packageFolders("src"), join(ROOT, "scripts")].flatMap(testsBelow).filter(isWanted);
const processes = isFast ? [] : packageFolders("test").flatMap(testsBelow).filter(isWanted);

/** @type {FileReport[]} */
const reports = [];
await runFiles(modules, availableParallelism());
await runFiles(processes, 1);

const sum = (/** @type {"passed" | "failed" | "skipped"} */ what) => reports.reduce((all, report) => all + report[what], 0);
if (sum("passed") + sum("failed") === 0) console.log("\nNo test ran.");
process.exitCode = sum("failed") > 0 || sum("passed") === 0 ? 1 : 0;
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed${sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : ""}`);

async function runFiles(/** @type {string[]} */ files, /** @type {number} */ concurrency) {
  if (files.length === 0) return;
  const execArgv = ["--conditions=presence-source", `--test-timeout=${TEST_TIMEOUT_MS}`];
  const only = name === undefined ? {} : { testNamePatterns: new RegExp(name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) };
  const open = new Map(files.map((file) => [file, new FileReport(relative(ROOT, file))]));
  reports.push(...open.values());
  // A test that stands in a module which test files share (a contract) is reported under that module.
  const reportOf = (/** @type {string} */ path) => {
    let report = open.get(path);
    if (report === undefined) {
      report = new FileReport(relative(ROOT, path));
      reports.push(report);
      open.set(path, report);
    }
    return report;
  };
  for await (const event of run({ files, concurrency, execArgv, cwd: ROOT, ...only })) {
    const { file } = event.data;
    if (file === undefined) continue;
    const path = resolve(ROOT, file);
    reportOf(path).add(event);
    if (event.type !== "test:summary") continue;
    reportOf(path).print(event.data.duration_ms);
    open.delete(path);
  }
  // A shared module has no summary, nor has a file that failed before its first test.
  for (const report of open.values()) report.print();
}

function isWanted(/** @type {string} */ file) {
  return filters.length === 0 || filters.some((filter) => relative(ROOT, file).includes(filter));
}

function packageFolders(/** @type {"src" | "test"} */ kind) {
  return readdirSync(join(ROOT, "packages")).map((folder) => join(ROOT, "packages", folder, kind));
}

/** @returns {string[]} */
function testsBelow(/** @type {string} */ folder) {
  try {
    const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
    return entries
      .flatMap((entry) => (entry.isFile() && entry.name.endsWith(".test.ts") ? [join(entry.parentPath, entry.name)] : []))
      .sort();
  } catch {
    return [];
  }
}
