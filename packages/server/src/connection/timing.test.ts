/** Numbers of clients, of replication and of Redis that depend on each other and stand in different files. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Backoff } from "../../../client/src/core/backoff.ts";
import { CONSTANTS } from "../core/constants.ts";
import { OPEN_MS_MAX } from "../redis/client.ts";
import { HALF_OPEN_MS_MAX, QUIET_HALF_OPEN_MS_MAX } from "../testing/world-client.ts";
import {
  type Finding,
  GRACE_MS,
  HEARTBEAT_MS,
  QUIET_MS_MAX,
  SILENT_MS_MAX,
  Silence,
  STEPS_PER_VISIT,
  UNSEEN_SILENT_MS_MAX,
  VISIT_MS,
} from "./timing.ts";

/**
 * The longest that a client keeps its member after its last message, where its instance knows that somebody looks, or cannot know it: one
 * that hears nobody asks as if everybody looked (C3).
 */
const GIVEN_UP_MS = SILENT_MS_MAX + GRACE_MS.full;
/** The longest that a client waits before its first try, after a connection that lived. */
const firstTryMs = (retry: "backoff" | "elsewhere", atLeastMs = 0) => new Backoff().delayMs(retry, 1, 0, atLeastMs);

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

test("[R23.6] a member that comes back within the longest grace has not left", () => {
  assert.ok(CONSTANTS.falseLeaveMs >= GRACE_MS.full);
});

test("[R9.5] a connection to Redis has time to be opened and to prove itself before it is replaced again", () => {
  assert.ok(CONSTANTS.recycleMsMin > OPEN_MS_MAX + CONSTANTS.heartbeatMs);
});

test("the World's clients are given up as real ones are", () => {
  assert.deepEqual([HALF_OPEN_MS_MAX, QUIET_HALF_OPEN_MS_MAX], [SILENT_MS_MAX, QUIET_MS_MAX]);
});

/** A client that is visited on each of its steps, or on those alone on which something can be due, as the lobby does it. */
class Visits {
  /** How many were made. */
  made = 0;
  readonly #silence = new Silence(0);
  readonly #isEach: boolean;
  #step = 0;
  #next = STEPS_PER_VISIT;
  #wasSeen = false;

  constructor(isEach = true) {
    this.#isEach = isEach;
  }

  heard(): void {
    this.#silence.heard(this.#step);
  }

  answered(): void {
    this.#silence.answered(this.#step);
  }

  /** `seen(n)`: on the n-th visit. */
  findings(count: number, seen: (visit: number) => boolean): Finding[] {
    return Array.from({ length: count }, (_, nth) => this.next(seen(nth + 1)));
  }

  /** `isSeen`: since the last visit. */
  next(isSeen: boolean): Finding {
    this.#step += STEPS_PER_VISIT;
    if (isSeen && !this.#wasSeen) this.#next = this.#step;
    this.#wasSeen = isSeen;
    if (this.#step < this.#next && !this.#isEach) return "fine";
    this.made++;
    const finding = this.#silence.visit(this.#step, { isSeen });
    this.#next = this.#step + this.#silence.rest(this.#step, { isSeen }) * STEPS_PER_VISIT;
    return finding;
  }
}

const isAsk = (finding: Finding) => finding.endsWith("ask");

test("[C3] where somebody looks, a silent client is asked on the second visit and quiet from the third on", () => {
  const visits = new Visits();
  visits.findings(7, () => true);
  visits.heard();
  assert.deepEqual(
    visits.findings(10, () => true),
    ["fine", "ask", "quiet", "quiet", "quiet", "quiet_ask", "quiet", "quiet", "quiet", "lost"],
  );
  assert.ok(QUIET_MS_MAX < 8_000);
});

test("[C3] where nobody looks, a silent client is asked every 45 s, again and again once it does not answer, and lost after 65 s", () => {
  const all = new Visits().findings(26, () => false);
  assert.deepEqual(
    all.flatMap((finding, nth) => (finding === "fine" ? [] : [`${(nth + 1) * VISIT_MS}: ${finding}`])),
    [`${HEARTBEAT_MS}: ask`, "55000: ask", `${UNSEEN_SILENT_MS_MAX}: lost`],
  );
});

test("[C3] a silent client was asked twice before its connection counts as lost, whoever looks and from when on", () => {
  for (let comesAt = 0; comesAt < 30; comesAt++) {
    const all = new Visits().findings(40, (visit) => visit >= comesAt);
    const asked = all.slice(0, all.indexOf("lost")).filter(isAsk).length;
    assert.ok(all.includes("lost") && asked >= 2, `seen from ${comesAt}: ${all.join(" ")}`);
  }
});

test("[C3] whoever comes to look at a dead client sees it as reconnecting within 8 s, and as gone within 25 s and its grace", () => {
  for (let comesAt = 1; comesAt < 20; comesAt++) {
    const all = new Visits().findings(40, (visit) => visit >= comesAt);
    const quietAfter = all.findIndex((finding) => finding.startsWith("quiet")) + 2 - comesAt;
    const lostAfter = all.indexOf("lost") + 2 - comesAt;
    assert.ok(quietAfter * VISIT_MS <= QUIET_MS_MAX || all.indexOf("lost") < comesAt, `seen from ${comesAt}: ${all.join(" ")}`);
    assert.ok(lostAfter * VISIT_MS <= SILENT_MS_MAX, `seen from ${comesAt}: ${all.join(" ")}`);
  }
});

test("[C3] nobody is quiet who was not asked: somebody comes to look at any moment", () => {
  for (let phase = 0; phase < 12; phase++) {
    for (let comesAt = 1; comesAt < 20; comesAt++) {
      const visits = new Visits();
      // The client answers every question before the next visit.
      for (let nth = -phase; nth < 40; nth++) {
        const finding = visits.next(nth >= comesAt);
        assert.ok(finding === "fine" || finding === "ask", `phase ${phase}, seen from ${comesAt}, visit ${nth}: ${finding}`);
        if (finding === "ask") visits.heard();
      }
    }
  }
});

test("[C3] a client that talks all the time still hears from the service: every 10 s where somebody looks, every 45 s elsewhere", () => {
  const beats = (isSeen: boolean) => {
    const visits = new Visits();
    return Array.from({ length: 360 }, () => {
      visits.heard();
      return visits.next(isSeen);
    }).filter(isAsk).length;
  };
  assert.deepEqual([beats(true), beats(false)], [90, 20]);
});

test("[C3] an answer to a client's question stands for a heartbeat, and leaves its silence as it is", () => {
  const visits = new Visits();
  const perBeat = HEARTBEAT_MS / VISIT_MS;
  visits.findings(perBeat - 1, () => false);
  visits.answered();
  assert.equal(visits.findings(perBeat, () => false).findIndex(isAsk), perBeat - 1);
});

test("[C3] visits that are left out would have found nothing, whoever looks and whatever the client says", () => {
  for (const heardEvery of [1, 2, 3, 7, 11, 50]) {
    for (const seenEvery of [1, 2, 5, 13, 50]) {
      for (const answeredEvery of [4, 31, 1000]) {
        const [some, each] = [new Visits(false), new Visits()];
        for (let nth = 1; nth < 400; nth++) {
          if (nth % heardEvery === 0) for (const visits of [some, each]) visits.heard();
          if (nth % answeredEvery === 0) for (const visits of [some, each]) visits.answered();
          // Somebody looks for three visits.
          const isSeen = nth % seenEvery < 3;
          assert.equal(some.next(isSeen), each.next(isSeen), `visit ${nth}, ${heardEvery}, ${seenEvery}, ${answeredEvery}`);
        }
      }
    }
  }
});

test("[C3] messages between steps count from the next visit on, whatever the step", () => {
  for (let at = 0; at < STEPS_PER_VISIT; at++) {
    const silence = new Silence(at);
    const findings = [1, 2, 3].map((nth) => silence.visit(nth * STEPS_PER_VISIT, { isSeen: true }));
    assert.deepEqual(findings, ["fine", "ask", "quiet"], `heard after step ${at}`);
  }
});

test("[C3] a client at which nobody looks is visited twice for each heartbeat that it answers", () => {
  const visits = new Visits(false);
  for (let nth = 1; nth <= 180; nth++) if (isAsk(visits.next(false))) visits.heard();
  assert.equal(visits.made, 20);
});
