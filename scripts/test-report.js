/**
 * The results of one test file, gathered from the runner's events. One line if all tests passed; failures as Node's own reporter shows
 * them, with the output of the file's processes; skipped tests with their reason. Counts tests, not the suites around them.
 */

import { Readable } from "node:stream";
import { spec } from "node:test/reporters";

/** The last lines of a process usually show why it failed; a load test prints far more than anybody can read. */
const OUTPUT_LINES_MAX = 200;

/** @typedef {import("node:test/reporters").TestEvent} TestEvent */

export class FileReport {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Reasons of skipped tests, and messages of tests (`t.diagnostic`): figures that are shown although the test passed. @type {string[]} */
  #notes = [];
  /** Those of suites and tests that failed only because of a test inside them are among these. @type {TestEvent[]} */
  #failures = [];
  #output = "";
  /** Relative to the repository. */
  file;

  /** @param {string} file */
  constructor(file) {
    this.file = file;
  }

  add(/** @type {TestEvent} */ event) {
    switch (event.type) {
      case "test:stdout":
      case "test:stderr":
        this.#output += event.data.message;
        break;
      case "test:diagnostic":
        this.#notes.push(event.data.message);
        break;
      case "test:pass":
        this.#pass(event.data);
        break;
      case "test:fail": {
        const error = /** @type {Error & { failureType?: string }} */ (event.data.details.error);
        if (error.failureType !== "subtestsFailed") this.failed++;
        this.#failures.push(event);
        break;
      }
    }
  }

  /** Prints nothing for a file without tests. */
  async print(/** @type {number | undefined} */ durationMs = undefined) {
    if (this.passed + this.failed + this.skipped === 0) return;
    const time = durationMs === undefined ? "" : `, ${(durationMs / 1000).toFixed(1)} s`;
    console.log(`${this.failed > 0 ? "✗" : "✓"} ${this.file}  ${this.passed} passed${time}`);
    for (const note of this.#notes) console.log(indent(note));
    if (this.failed === 0) return;
    for await (const text of Readable.from(this.#failures).compose(spec)) process.stdout.write(text);
    if (this.#output.trim() === "") return;
    const lines = this.#output.trimEnd().split("\n");
    const cut = lines.length > OUTPUT_LINES_MAX ? `, the last ${OUTPUT_LINES_MAX} of ${lines.length} lines` : "";
    console.log(`  printed meanwhile${cut}:\n${indent(lines.slice(-OUTPUT_LINES_MAX).join("\n"), "  | ")}`);
  }

  #pass(/** @type {import("node:test").EventData.TestPass} */ { name, nesting, skip, details }) {
    // Node reports a file without tests as one passed test named after it.
    const isWholeFile = nesting === 0 && name.endsWith(this.file);
    if (skip !== undefined && skip !== false) {
      this.skipped++;
      this.#notes.push(`- skipped: ${name}: ${skip === true || skip === "" ? "no reason given" : skip}`);
    } else if (details.type !== "suite" && !isWholeFile) this.passed++;
  }
}

function indent(/** @type {string} */ text, prefix = "  ") {
  return text.replace(/^/gm, prefix);
}
