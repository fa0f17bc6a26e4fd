/** Numbers of clients, of replication and of Redis that depend on each other and live in different rooms. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../../client/src/core/backoff.ts";
import { CONSTANTS } from "../core/constants.ts";
import { OPEN_MS_MAX } from "../redis/client.ts";
import { HALF_OPEN_MS_MAX } from "../testing/world-client.ts";
import { LOST_GRACE_MS } from "../testing/world-instance.ts";
import { GRACE_MS, HEARTBEAT_MS, SILENT_VISITS_MAX, VISIT_MS } from "./timing.ts";

/** The longest that a client keeps its member after its last message. */
const GIVEN_UP_MS = SILENT_VISITS_MAX * VISIT_MS + GRACE_MS.full;
/** The longest that a client waits before its first try, after a connection that lived. */
const firstTryMs = (retry: "backoff" | "elsewhere", atLeastMs = 0) => new Backoff().delayMs(retry, 1, 0, atLeastMs);

test("[C3] a silent client was asked twice before its connection counts as lost", () => {
  assert.ok((SILENT_VISITS_MAX - 1) * VISIT_MS >= 2 * HEARTBEAT_MS);
});

test("[R11.2] an ended attempt is remembered until a half-open connection that knows nothing of it has given its member up", () => {
  assert.ok(CONSTANTS.endedMs > GIVEN_UP_MS);
});

test("[R12.5] people of a stopped instance are shown until they had time to come back elsewhere", () => {
  assert.ok(CONSTANTS.goodbyeMs >= firstTryMs("elsewhere", CONSTANTS.retryMsMax) + 2_000);
});

test("[C2] a lost connection is waited for until its client had time for two tries", () => {
  assert.ok(GRACE_MS.full >= 3 * firstTryMs("backoff") && GRACE_MS.short > firstTryMs("backoff"));
});

test("[C6] a roster counts as settling until everybody who lost a connection came back or was given up", () => {
  assert.ok(CONSTANTS.settlingMs >= GRACE_MS.full);
});

test("[R9.5] a connection to Redis has time to be opened and to prove itself before it is replaced again", () => {
  assert.ok(CONSTANTS.recycleMsMin > OPEN_MS_MAX + CONSTANTS.heartbeatMs);
});

test("the World's clients are given up as real ones are", () => {
  assert.deepEqual([HALF_OPEN_MS_MAX, LOST_GRACE_MS], [SILENT_VISITS_MAX * VISIT_MS, GRACE_MS.full]);
});
