/**
 * Runs the tests and ends with one line, `N passed, N failed`; exits with 1 if any failed or none ran.
 * `--fast`: only tests without processes of their own. `--name=text`: only tests whose name contains the text. Other arguments: parts
 * of the paths of files to run. Test files share the cores. A file with real processes (`test/`) that needs the machine for itself says
 * `Runs alone:` and why in its first comment, and runs after the others, by itself. In a run of all files, a file with real processes in
 * which tests failed runs once more at the end, by itself: a machine that stands still for seconds looks like a fault to tests that prove
 * how soon faults are noticed. Both runs are shown, and a last line names each file that failed at first.
 */

// Not `{ globSync }`: the Node that starts this script may have none.
import * as fs from "node:fs";
import { availableParallelism } from "node:os";
import { relative, resolve } from "node:path";
import { run } from "node:test";
import { continueOnNode24, ROOT } from "./node-24.js";
import { FileReport } from "./test-report.js";

await continueOnNode24();

/** For a test that sets no timeout itself; a file may take as long as its tests. */
const TEST_TIMEOUT_MS = 120_000;

/** If tests failed in more files than this, the cause is not the machine. */
const AGAIN_MAX = 3;

const options = process.argv.slice(2);
const isFast = options.includes("--fast");
const name = options.find((option) => option.startsWith("--name="))?.slice("--name=".length);
const filters = options.filter((option) => !option.startsWith("--"));
const unknown = options.find((option) => option.startsWith("--") && option !== "--fast" && !option.startsWith("--name="));
if (unknown !== undefined) {
  console.error(`Unknown option ${unknown}; there are --fast, --name=text and parts of file paths.`);
  process.exit(1);
}

const modules = wanted("{packages/*/src,scripts}/**/*.test.ts");
const processes = isFast ? [] : wanted("packages/*/test/**/*.test.ts");
const alone = processes.filter(runsAlone);

/** @type {FileReport[]} */
const reports = [];
await runFiles(modules, availableParallelism());
// Such a test mostly waits: for a timeout, a failover, a process.
await runFiles(
  processes.filter((file) => !runsAlone(file)),
  availableParallelism(),
);
await runFiles(alone, 1);
const unsteady = filters.length === 0 ? await runAgain() : [];

const sum = (/** @type {"passed" | "failed" | "skipped"} */ what) => reports.reduce((all, report) => all + report[what], 0);
if (sum("passed") + sum("failed") === 0) console.log("\nNo test ran.");
process.exitCode = sum("failed") > 0 || sum("passed") === 0 ? 1 : 0;
if (unsteady.length > 0) console.log(`\nFailed at first and passed when run again, alone: ${unsteady.join(", ")}. Find out why.`);
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed${sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : ""}`);

/** @returns {Promise<string[]>} the files whose second run passed; it replaces the first one in the sums */
async function runAgain() {
  const failed = reports.filter((report) => report.failed > 0 && processes.includes(report.file));
  if (failed.length === 0 || failed.length > AGAIN_MAX) return [];
  console.log("\nOnce more, alone:");
  const passed = [];
  for (const report of failed) {
    reports.splice(reports.indexOf(report), 1);
    const from = reports.length;
    await runFiles([report.file], 1);
    if (reports.slice(from).every(({ failed }) => failed === 0)) passed.push(report.file);
  }
  return passed;
}

async function runFiles(/** @type {string[]} */ files, /** @type {number} */ concurrency) {
  if (files.length === 0) return;
  const execArgv = ["--conditions=presence-source", `--test-timeout=${TEST_TIMEOUT_MS}`];
  const only = name === undefined ? {} : { testNamePatterns: new RegExp(name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) };
  const open = new Map(files.map((file) => [file, new FileReport(file)]));
  reports.push(...open.values());
  // A test that stands in a module which test files share (a contract) is reported under that module.
  const reportOf = (/** @type {string} */ path) => {
    let report = open.get(path);
    if (report === undefined) {
      report = new FileReport(path);
      reports.push(report);
      open.set(path, report);
    }
    return report;
  };
  for await (const event of run({ files, concurrency, execArgv, cwd: ROOT, ...only })) {
    const { file } = event.data;
    if (file === undefined) continue;
    const path = relative(ROOT, resolve(ROOT, file));
    reportOf(path).add(event);
    if (event.type !== "test:summary") continue;
    await reportOf(path).print(event.data.duration_ms);
    open.delete(path);
  }
  // A shared module has no summary, nor has a file that failed before its first test.
  for (const report of open.values()) await report.print();
}

function wanted(/** @type {string} */ pattern) {
  const files = fs.globSync(pattern, { cwd: ROOT }).sort();
  return filters.length === 0 ? files : files.filter((file) => filters.some((filter) => file.includes(filter)));
}

function runsAlone(/** @type {string} */ file) {
  return /^\/\*\*(?:(?!\*\/)[\s\S])*\bRuns alone: /.test(fs.readFileSync(resolve(ROOT, file), "utf8"));
}
