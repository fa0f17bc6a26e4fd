/** The alert rules fire when they should and not otherwise, and the dashboard asks what Prometheus understands: promtool says so. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const DEPLOY = join(import.meta.dirname, "../../../deploy");

test("promtool: the rules are right, and each alert fires in its first case and is silent in its second", async () => {
  await run("promtool", ["check", "rules", "presence.rules.yml"], { cwd: join(DEPLOY, "prometheus") });
  await run("promtool", ["test", "rules", "presence.test.yml"], { cwd: join(DEPLOY, "prometheus") });
});

test("promtool: every query of the dashboard is one", async (t) => {
  type Panel = { readonly title: string; readonly targets?: readonly { readonly expr: string }[] };
  const { panels } = JSON.parse(readFileSync(join(DEPLOY, "grafana/presence.json"), "utf8")) as { panels: Panel[] };
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(queries.length > 20);
  const folder = mkdtempSync(join(tmpdir(), "presence-dashboard-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // Grafana puts these in. JSON is YAML.
  const rules = queries.map((query, index) => ({
    record: `query:${index}`,
    expr: query.replaceAll("$__rate_interval", "1m").replaceAll("$job", "presence").replaceAll("$instance", ".+"),
  }));
  const file = join(folder, "rules.yml");
  writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  await run("promtool", ["check", "rules", file]);
});
