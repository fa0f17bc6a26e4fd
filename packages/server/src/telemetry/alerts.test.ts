/** Alert rules and dashboard (deploy/) name only metrics, labels and bounds that this service exposes. That they work, test/alerts.test.ts shows. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { HISTOGRAMS, METRICS, OTHER_METRICS } from "./metrics.ts";

type Series = { name: string; type: string; label?: string; values?: readonly string[]; buckets?: readonly number[] };

const ROOT = new URL("../../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const RULES = read("deploy/prometheus/presence.rules.yml");
const CASES = read("deploy/prometheus/presence.test.yml");
const DASHBOARD = read("deploy/grafana/presence.json");

/** Prometheus adds these to every series. */
const LABELS_OF_TARGETS = ["job", "instance"];

const ALERTS = [...RULES.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name = ""]) => name);
const RECORDED = [...RULES.matchAll(/^ +- record: (\S+)$/gm)].map(([, name = ""]) => name);

/** Every series that Prometheus has of an instance, with its labels and their values; `undefined`: any. */
function exposed(): Map<string, Map<string, ReadonlySet<string> | undefined>> {
  const series = new Map<string, Map<string, ReadonlySet<string> | undefined>>();
  for (const { name, type, label, values, buckets = [] } of [METRICS, HISTOGRAMS, OTHER_METRICS].flatMap((table) =>
    Object.values<Series>(table),
  )) {
    const labels = new Map<string, ReadonlySet<string> | undefined>();
    for (const one of label?.split(", ") ?? []) labels.set(one, values && new Set(values));
    if (type !== "histogram") series.set(name, labels);
    else {
      series.set(`${name}_count`, labels).set(`${name}_sum`, labels);
      series.set(`${name}_bucket`, new Map([...labels, ["le", new Set([...buckets.map(String), "+Inf"])]]));
    }
  }
  return series;
}

/** The series in that text that no instance exposes, with what is wrong. */
function unknown(text: string): string[] {
  const series = exposed();
  const wrong: string[] = [];
  for (const [, name = "", selectors = ""] of text.matchAll(/\b((?:presence|process|nodejs)_[a-z_]+)\b(?:\{([^}]*)\})?/g)) {
    const labels = series.get(name);
    if (labels === undefined) wrong.push(name);
    for (const [, label = "", value = ""] of selectors.matchAll(/(\w+)=~?"([^"]*)"/g)) {
      if (LABELS_OF_TARGETS.includes(label)) continue;
      if (labels?.has(label) !== true) wrong.push(`${name}{${label}}`);
      const values = labels?.get(label);
      wrong.push(...value.split("|").flatMap((one) => (values === undefined || values.has(one) ? [] : [`${name}{${label}="${one}"}`])));
    }
  }
  for (const [name] of text.matchAll(/\bpresence:[\w:]+/g)) if (!RECORDED.includes(name)) wrong.push(name);
  return wrong;
}

test("every metric, label and bound that an alert, its cases or the dashboard name is there", () => {
  assert.deepEqual(unknown(RULES), []);
  assert.deepEqual(unknown(CASES), []);
  assert.deepEqual(unknown(DASHBOARD.replaceAll('\\"', '"')), []);
  const made_up =
    'presence_gost_seconds_sum + presence_ghost_seconds_bucket{le="7"} + presence_members{scope="all"} + presence_boards{kind="x"} + presence:x:y';
  assert.deepEqual(unknown(made_up), [
    "presence_gost_seconds_sum",
    'presence_ghost_seconds_bucket{le="7"}',
    'presence_members{scope="all"}',
    "presence_boards{kind}",
    "presence:x:y",
  ]);
});

test("each alert has a severity, a chapter that says what to do, and two cases", () => {
  assert.ok(ALERTS.length >= 10);
  assert.equal(new Set(ALERTS).size, ALERTS.length);
  const blocks = RULES.split(/^ +- (?=alert: )/m).slice(1);
  for (const block of blocks) {
    assert.match(block, /severity: (page|ticket)/);
    const [, file = "", heading = ""] = /runbook: (\S+)#(\S+)/.exec(block) ?? [];
    assert.ok(existsSync(new URL(file, ROOT)), `${block}: ${file}`);
    const headings = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
      text
        .toLowerCase()
        .replace(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    assert.ok(headings.includes(heading), `no chapter ${heading} in ${file}`);
  }
  const cases = [...CASES.matchAll(/^ +- name: (.+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    cases,
    ALERTS.flatMap((name) => [`${name} fires`, `${name} is silent`]),
  );
});
