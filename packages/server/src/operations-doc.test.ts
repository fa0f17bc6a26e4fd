/** Compares docs/OPERATIONS.md and .env.example with the code. After a change of a table in the code: `npm run docs`. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compareTable } from "../test/harness/document.ts";
import { SETTINGS } from "./config.ts";
import { EXIT_STATUS } from "./errors.ts";
import { HISTOGRAMS, METRICS, OTHER_METRICS } from "./telemetry/metrics.ts";

const OPERATIONS = new URL("../../../docs/OPERATIONS.md", import.meta.url);
const ENV_EXAMPLE = new URL("../../../.env.example", import.meta.url);

type Metric = { name: string; type: string; help: string; label?: string; values?: readonly string[] };

function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(
    ([name, { default: fallback, unit, allowed, meaning }]) =>
      `| \`${name}\` | ${fallback === "" ? "not set" : `\`${fallback}\``} | ${unit} | ${meaning} Allowed: ${allowed}. |`,
  );
  return ["| name | default | unit | what it is, and why |", "|---|---|---|---|", ...rows].join("\n");
}

function metricsTable(): string {
  const all = [METRICS, HISTOGRAMS, OTHER_METRICS].flatMap((table) => Object.values<Metric>(table));
  const rows = all.map(({ name, type, label, values, help }) => {
    const shown = label === undefined ? "" : values === undefined ? label : `${label}: ${values.join(", ")}`;
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  return ["| name | type | label | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

test("the table of settings in docs/OPERATIONS.md is that of the code", () => compareTable("OPERATIONS.md", "settings", settingsTable()));

test("the table of metrics in docs/OPERATIONS.md is that of the code", () => compareTable("OPERATIONS.md", "metrics", metricsTable()));

test(".env.example has every setting, with its default", () => {
  const lines = readFileSync(ENV_EXAMPLE, "utf8").split("\n");
  for (const [name, { default: fallback }] of Object.entries(SETTINGS))
    assert(
      lines.some((line) => line === `${name}=${fallback}` || line === `# ${name}=${fallback}`),
      `${name}=${fallback}`,
    );
});

test("docs/OPERATIONS.md names every exit status", () => {
  const text = readFileSync(OPERATIONS, "utf8");
  for (const status of new Set([0, 1, 70, ...Object.values(EXIT_STATUS)])) assert.match(text, new RegExp(`^\\| ${status} \\|`, "m"));
});
