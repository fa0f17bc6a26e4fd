/** The journal counts everything that it is told. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE } from "@presence-service/protocol";
import { createMetrics } from "../telemetry/metrics.ts";
import { Journal } from "./journal.ts";

test("each close code with which an instance ends a connection is counted by itself", async () => {
  const metrics = createMetrics({ version: "test" });
  const quiet = { error() {}, warn() {}, info() {}, debug() {} };
  const journal = new Journal(metrics, quiet as never);
  const { normal: _normal, noStatus: _noStatus, ...own } = CLOSE;
  for (const reason of Object.values(own)) journal.closes(reason);
  const text = await metrics.expose();
  const counted = [...text.matchAll(/^presence_client_closes_total\{code="(\d+)"\} (\S+)$/gm)].map(([, code, count]) => `${code} ${count}`);
  assert.deepEqual(
    counted.sort(),
    Object.values(own)
      .map(({ code }) => `${code} 1`)
      .sort(),
  );
});
