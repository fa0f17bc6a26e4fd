/** The metrics table becomes Prometheus text, with every series there from the start. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics, HISTOGRAMS, LoopMonitor, METRICS, OTHER_METRICS } from "./metrics.ts";

test("every metric is exposed, also before anything happened", async () => {
  const metrics = createMetrics({ version: "1.2.3" });
  const text = await metrics.expose();
  for (const { name, type } of [...Object.values(METRICS), ...Object.values(HISTOGRAMS), ...Object.values(OTHER_METRICS)])
    assert.match(text, new RegExp(`# TYPE ${name} ${type}\n`));
  assert.match(text, /presence_build_info\{version="1\.2\.3",node="[\d.]+"\} 1/);
  assert.match(text, /presence_bus_published_total\{kind="delta"\} 0/);
  assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/);
});

test("counters and gauges are what the fields say at the time of the scrape", async () => {
  const metrics = createMetrics({ version: "0" });
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

test("the event loop's delay is how late timers went off, in seconds", (t) => {
  t.mock.method(performance, "now", () => now);
  let now = 0;
  const loop = new LoopMonitor();
  const rounded = () => Object.values(loop.read()).map((seconds) => Math.round(seconds * 1000) / 1000);
  assert.deepEqual(rounded(), [0, 0], "no timer yet");
  for (let nth = 0; nth < 97; nth++) loop.wasLate(0.2);
  assert.deepEqual(rounded(), [0, 0]);
  for (let nth = 0; nth < 3; nth++) loop.wasLate(100);
  assert.deepEqual(rounded(), [0, 0.1]);
  now = 10_000;
  assert.deepEqual(rounded(), [0, 0.1], "the window ends with this read");
  loop.wasLate(5);
  assert.deepEqual(rounded(), [0, 0.1], "the last full window");
  now = 20_000;
  assert.deepEqual(rounded(), [0.005, 0.005]);
});
