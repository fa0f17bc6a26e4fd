/** The metrics table becomes Prometheus text, with every series there from the start. */

import assert from "node:assert/strict";
import { createHistogram } from "node:perf_hooks";
import { test } from "node:test";
import { createMetrics, HISTOGRAMS, LOOP_RESOLUTION_MS, loopDelayIn, METRICS, OTHER_METRICS } from "./metrics.ts";

test("every metric is exposed, also before anything happened", async (t) => {
  const metrics = createMetrics({ version: "1.2.3" });
  t.after(() => metrics.close());
  const text = await metrics.expose();
  for (const { name, type } of [...Object.values(METRICS), ...Object.values(HISTOGRAMS), ...Object.values(OTHER_METRICS)])
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
  for (const { name, type, help } of [...Object.values(METRICS), ...Object.values(HISTOGRAMS), ...Object.values(OTHER_METRICS)]) {
    assert.match(name, /^(presence|process|nodejs)_[a-z_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_ms$|milli|kilo/);
    assert.match(help, /\.$/);
    names.add(name);
  }
  assert.equal(names.size, Object.keys(METRICS).length + Object.keys(HISTOGRAMS).length + Object.keys(OTHER_METRICS).length);
});

test("the event loop's delay is what exceeds the measuring interval", () => {
  const ticks = createHistogram();
  assert.deepEqual(loopDelayIn(ticks), { p50: 0, p99: 0 });
  const record = (ms: number, times: number) => {
    for (let nth = 0; nth < times; nth++) ticks.record(ms * 1e6);
  };
  const rounded = () => Object.values(loopDelayIn(ticks)).map((seconds) => Math.round(seconds * 1000) / 1000);
  record(LOOP_RESOLUTION_MS - 1, 97);
  assert.deepEqual(rounded(), [0, 0]);
  record(LOOP_RESOLUTION_MS + 100, 3);
  assert.deepEqual(rounded(), [0, 0.1]);
  record(LOOP_RESOLUTION_MS + 5, 100);
  assert.deepEqual(rounded(), [0.005, 0.1]);
});

test("a turn of the event loop that takes long shows as its delay, in seconds", async (t) => {
  const startedAt = performance.now();
  const metrics = createMetrics({ version: "0" });
  t.after(() => metrics.close());
  await new Promise((resolve) => setTimeout(resolve, 2 * LOOP_RESOLUTION_MS));
  const until = performance.now() + 100;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, LOOP_RESOLUTION_MS));
  const { p99 } = metrics.eventLoopDelay();
  // The bounds hold on a machine that is overloaded as well: it can only add to the turn, and the turn is part of this test.
  assert(p99 > 0.05 && p99 < (performance.now() - startedAt) / 1000, `p99 ${p99}`);
});
