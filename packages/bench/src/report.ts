/** Results as Markdown tables, for docs/BENCHMARKS.md. */

import type { Histogram } from "./histogram.ts";
import type { IdleResult } from "./idle.ts";
import type { Result } from "./load.ts";

/** Above this the generator itself is late, and adds to the latencies that it measures. */
const BUSY_GENERATOR = 0.7;

type Column = readonly [title: string, cell: (result: Result) => string];

const COLUMNS: readonly Column[] = [
  ["protocol", ({ load }) => load.protocol],
  ["users", ({ load, cpuSeconds }) => `${cpuSeconds.instances.length} × ${load.usersPerInstance}`],
  ["boards", ({ boards, load }) => `${boards}${(load.areas ?? 1) > 1 ? ` of ${load.areas} areas` : ""}`],
  ["moves/s each", ({ load }) => `${load.movesPerSecond}${load.moving < 1 ? ` (${Math.round(100 * load.moving)} % move)` : ""}`],
  ["moves/s", ({ movesMade, seconds }) => thousands(movesMade / seconds)],
  ["updates/s delivered", ({ delivered, seconds }) => thousands(delivered / seconds)],
  ["of deliverable", ({ delivered, deliverable }) => `${Math.round((100 * delivered) / deliverable)} %`],
  ["local p50 / p99 ms", ({ local }) => quantiles(local)],
  ["cross p50 / p99 ms", ({ remote }) => quantiles(remote)],
  ["CPU s per million", ({ cpuSeconds, delivered }) => fixed((sum(cpuSeconds.instances) * 1e6) / delivered, 2)],
  ["cores: instances", ({ cpuSeconds, seconds }) => cpuSeconds.instances.map((cpu) => fixed(cpu / seconds, 2)).join(" + ")],
  ["Redis", ({ cpuSeconds, seconds }) => fixed(cpuSeconds.redis / seconds, 2)],
  ["generator", ({ cpuSeconds, seconds }) => generatorShare(cpuSeconds.generator / seconds)],
  ["bytes per update", ({ bytes, delivered }) => fixed(bytes / delivered, 1)],
  ["RSS MB", ({ residentBytes }) => residentBytes.map((bytes) => Math.round(bytes / 1e6)).join(" + ")],
];

export function loadTable(results: readonly Result[]): string {
  return table(
    COLUMNS.map(([title]) => title),
    results.map((result) => COLUMNS.map(([, cell]) => cell(result))),
  );
}

export function idleTable(results: readonly IdleResult[]): string {
  return table(
    [
      "protocol",
      "idle joined connections",
      "board size",
      "status",
      "RSS MB before",
      "RSS MB after",
      "KB per connection",
      "KB later",
      "% of a core before",
      "after",
    ],
    results.map((result) => {
      const { protocol, connections, residentBytesBefore: before, coreShareBefore, coreShareAfter } = result;
      const perConnection = (bytes: number) => fixed((bytes - before) / connections / 1000, 1);
      return [
        protocol,
        String(connections),
        String(result.boardSize),
        protocol === "classic" ? "" : result.status,
        String(Math.round(before / 1e6)),
        String(Math.round(result.residentBytesAfter / 1e6)),
        perConnection(result.residentBytesAfter),
        perConnection(result.residentBytesLater),
        fixed(100 * coreShareBefore, 2),
        fixed(100 * coreShareAfter, 2),
      ];
    }),
  );
}

export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  return [titles, titles.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function quantiles(histogram: Histogram): string {
  return histogram.count === 0 ? "–" : `${fixed(histogram.quantile(0.5), 1)} / ${fixed(histogram.quantile(0.99), 1)}`;
}

function generatorShare(share: number): string {
  return `${fixed(share, 2)}${share > BUSY_GENERATOR ? " (busy: latencies are too high)" : ""}`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString("en").replaceAll(",", " ");
}

export function fixed(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
