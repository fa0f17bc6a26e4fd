/**
 * The results of one test file, gathered from the runner's events. One line if all tests passed; failures in full, with the
 * output of the file's processes; skipped tests with their reason. Counts tests, not the suites around them.
 */

import { inspect } from "node:util";

/** The last lines of a process usually show why it failed; a load test prints far more than anybody can read. */
const OUTPUT_LINES_MAX = 200;

export class FileReport {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Messages of tests (`t.diagnostic`): figures that are shown although the test passed. @type {string[]} */
  #notes = [];
  /** @type {string[]} */
  #failures = [];
  /** @type {string[]} */
  #skips = [];
  /** Names of the test under way and of the suites and tests around it. @type {string[]} */
  #path = [];
  #output = "";
  #file;

  /** @param {string} file relative to the repository */
  constructor(file) {
    this.#file = file;
  }

  add(/** @type {import("node:test/reporters").TestEvent} */ { type, data }) {
    switch (type) {
      case "test:stdout":
      case "test:stderr":
        this.#output += data.message;
        break;
      case "test:start":
        this.#path.length = data.nesting;
        this.#path.push(data.name);
        break;
      case "test:diagnostic":
        this.#notes.push(data.message);
        break;
      case "test:pass":
        this.#pass(data);
        break;
      case "test:fail":
        this.#fail(data);
        break;
    }
  }

  /** Prints nothing for a file without tests. */
  print(/** @type {number | undefined} */ durationMs = undefined) {
    if (this.passed + this.failed + this.skipped === 0) return;
    const time = durationMs === undefined ? "" : `, ${seconds(durationMs)}`;
    console.log(`${this.failed > 0 ? "✗" : "✓"} ${this.#file}  ${this.passed} passed${time}`);
    for (const skip of this.#skips) console.log(`  - skipped: ${skip}`);
    for (const note of this.#notes) console.log(indent(note));
    for (const failure of this.#failures) console.log(indent(failure));
    if (this.failed > 0 && this.#output.trim() !== "") {
      const lines = this.#output.trimEnd().split("\n");
      const cut = lines.length > OUTPUT_LINES_MAX ? `, the last ${OUTPUT_LINES_MAX} of ${lines.length} lines` : "";
      console.log(`  printed meanwhile${cut}:\n${indent(lines.slice(-OUTPUT_LINES_MAX).join("\n"), "  | ")}`);
    }
  }

  #pass(/** @type {import("node:test").EventData.TestPass} */ data) {
    if (data.skip !== undefined && data.skip !== false) {
      this.skipped++;
      this.#skips.push(`${this.#fullName(data)}: ${data.skip === true || data.skip === "" ? "no reason given" : data.skip}`);
    } else if (data.details.type !== "suite" && !this.#isWholeFile(data)) this.passed++;
  }

  #fail(/** @type {import("node:test").EventData.TestFail} */ data) {
    const error = /** @type {Error & { failureType?: string }} */ (data.details.error);
    // A suite or test that fails only because of a test inside it was reported with that test.
    if (error.failureType === "subtestsFailed") return;
    this.failed++;
    this.#failures.push(`✗ ${this.#fullName(data)}  (${seconds(data.details.duration_ms)})\n${indent(describe(error))}`);
  }

  /** Node reports a file without tests as one passed test named after it. @param {{ name: string, nesting: number }} data */
  #isWholeFile({ name, nesting }) {
    return nesting === 0 && name.endsWith(this.#file);
  }

  #fullName(/** @type {{ name: string, nesting: number }} */ { name, nesting }) {
    return [...this.#path.slice(0, nesting), name].join(" › ");
  }
}

/** The thrown error as text, without the stack lines of the test runner. */
function describe(/** @type {Error} */ error) {
  const text = error.cause instanceof Error ? inspect(error.cause, { depth: 5 }) : String(error.cause ?? error.message);
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*node:(?:internal|async_hooks)[^{]*$/.test(line))
    .join("\n");
}

function indent(/** @type {string} */ text, prefix = "  ") {
  return text.replace(/^/gm, prefix);
}

function seconds(/** @type {number} */ ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
