/** The metrics table becomes Prometheus text, with every series there from the start. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics, METRICS, OTHER_METRICS } from "./metrics.ts";

test("every metric is exposed, also before anything happened", async (t) => {
  const metrics = createMetrics({ version: "1.2.3" });
  t.after(() => metrics.close());
  const text = await metrics.expose();
  for (const { name, type } of [...Object.values(METRICS), ...Object.values(OTHER_METRICS)])
    assert.match(text, new RegExp(`# TYPE ${name} ${type}\n`));
  assert.match(text, /presence_build_info\{version="1\.2\.3",node="[\d.]+"\} 1/);
  assert.match(text, /presence_bus_published_total\{kind="delta"\} 0/);
  assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/);
});

test("counters and gauges are what the fields say at the time of the scrape", async (t) => {
  const metrics = createMetrics({ version: "0" });
  t.after(() => metrics.close());
  metrics.framesOut += 5;
  metrics.published.cursors++;
  metrics.linkUp.publisher = 1;
  metrics.echoSeconds.observe(0.0015);
  metrics.beforeScrape = () => {
    metrics.boards = 7;
  };
  for (const times of [1, 2]) {
    const text = await metrics.expose();
    assert.match(text, new RegExp(`presence_client_frames_total ${5 * times}\n`));
    assert.match(text, /presence_bus_published_total\{kind="cursors"\} 1\n/);
    assert.match(text, /presence_redis_connected\{link="publisher"\} 1\n/);
    assert.match(text, /presence_boards 7\n/);
    assert.match(text, /presence_bus_echo_seconds_bucket\{le="0\.002"\} 1\n/);
    metrics.framesOut += 5;
  }
});

test("names follow the conventions: base units, counters end in _total, help ends in a full stop", () => {
  const names = new Set<string>();
  for (const { name, type, help } of [...Object.values(METRICS), ...Object.values(OTHER_METRICS)]) {
    assert.match(name, /^(presence|process|nodejs)_[a-z_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_ms$|milli|kilo/);
    assert.match(help, /\.$/);
    names.add(name);
  }
  assert.equal(names.size, Object.keys(METRICS).length + Object.keys(OTHER_METRICS).length);
});

test("the event loop's delay is what exceeds the measuring interval", async (t) => {
  const metrics = createMetrics({ version: "0" });
  t.after(() => metrics.close());
  const until = performance.now() + 120;
  await new Promise((resolve) => setTimeout(resolve, 30));
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { p50, p99 } = metrics.eventLoopDelay();
  assert(p50 < 0.02, `p50 ${p50}`);
  assert(p99 > 0.04 && p99 < 0.5, `p99 ${p99}`);
});
