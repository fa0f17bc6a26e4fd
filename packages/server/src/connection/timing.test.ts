/** Numbers of clients, of replication and of Redis that depend on each other and stand in different files. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Backoff } from "../../../client/src/core/backoff.ts";
import { CONSTANTS } from "../core/constants.ts";
import { OPEN_MS_MAX } from "../redis/client.ts";
import { HALF_OPEN_MS_MAX, QUIET_HALF_OPEN_MS_MAX } from "../testing/world-client.ts";
import { type Finding, GRACE_MS, HEARTBEAT_MS, QUIET_MS_MAX, SILENT_MS_MAX, Silence, VISIT_MS } from "./timing.ts";

/** The longest that a client keeps its member after its last message. */
const GIVEN_UP_MS = SILENT_MS_MAX + GRACE_MS.full;
/** The longest that a client waits before its first try, after a connection that lived. */
const firstTryMs = (retry: "backoff" | "elsewhere", atLeastMs = 0) => new Backoff().delayMs(retry, 1, 0, atLeastMs);

test("[C3] a silent client was asked twice before its connection counts as lost", () => {
  assert.ok(SILENT_MS_MAX - VISIT_MS >= 2 * HEARTBEAT_MS);
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

test("[C2] the documents tell these graces", () => {
  const read = (name: string) => readFileSync(new URL(`../../../../docs/${name}.md`, import.meta.url), "utf8");
  const [short, full] = [GRACE_MS.short / 1000, GRACE_MS.full / 1000];
  assert.match(read("PROTOCOL"), new RegExp(`a closed tab\\) ${short} s; a lost connection ${full} s `));
  assert.match(read("OPERATIONS"), new RegExp(`a page is reloaded or closed \\| ${short} s of grace`));
});

test("[C6] a roster counts as settling until everybody who lost a connection came back or was given up", () => {
  assert.ok(CONSTANTS.settlingMs >= GRACE_MS.full);
});

test("[R9.5] a connection to Redis has time to be opened and to prove itself before it is replaced again", () => {
  assert.ok(CONSTANTS.recycleMsMin > OPEN_MS_MAX + CONSTANTS.heartbeatMs);
});

test("the World's clients are given up as real ones are", () => {
  assert.deepEqual([HALF_OPEN_MS_MAX, QUIET_HALF_OPEN_MS_MAX], [SILENT_MS_MAX, QUIET_MS_MAX]);
});

/** The findings of that many visits, beginning with the first after a message; `*`: with a heartbeat. `seen(n)`: on the n-th visit. */
function findings(visits: number, seen: (visit: number) => boolean, silence = new Silence()): string[] {
  return Array.from({ length: visits }, (_, nth) => {
    const finding: Finding = silence.visit(seen(nth + 1));
    return finding + (silence.takeBeat(seen(nth + 1)) ? "*" : "");
  });
}

test("[C3] where somebody else looks, a silent client is asked on the second visit and quiet from the third on", () => {
  const silence = new Silence();
  findings(7, () => true, silence);
  silence.heard();
  assert.deepEqual(
    findings(10, () => true, silence),
    ["fine", "fine*", "quiet", "quiet", "quiet", "quiet*", "quiet", "quiet", "quiet", "lost*"],
  );
  assert.ok(QUIET_MS_MAX < 8_000);
});

test("[C3] a client whose boards nobody else is on is asked every 10 s only", () => {
  assert.equal(findings(9, () => false).filter((each) => each.endsWith("*")).length, 2);
});

test("[C3] nobody is quiet who was not asked: somebody comes to look at any moment", () => {
  for (let phase = 0; phase < 4; phase++) {
    for (let comesAt = 1; comesAt < 10; comesAt++) {
      const silence = new Silence();
      // The client answers every question before the next visit.
      for (let visit = -phase; visit < 40; visit++) {
        const isSeen = visit >= comesAt;
        assert.equal(silence.visit(isSeen), "fine", `phase ${phase}, seen from ${comesAt}, visit ${visit}`);
        if (silence.takeBeat(isSeen)) silence.heard();
      }
    }
  }
});

test("[C3] a client that talks all the time still hears from the service every 10 s", () => {
  const silence = new Silence();
  let beats = 0;
  for (let visit = 0; visit < 40; visit++) {
    silence.heard();
    silence.visit(true);
    if (silence.takeBeat(true)) beats++;
  }
  assert.equal(beats, 10);
});
