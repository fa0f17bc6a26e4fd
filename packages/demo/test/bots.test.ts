/**
 * The bots of the demo page, and the frames that a browser draws among a hundred of them.
 * Runs alone: it measures what a browser draws.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "@presence-service/client";
import { eventually, Instance } from "../../server/test/harness/index.ts";
import { launch, Window } from "./window.ts";

const BOTS = 100;
const FRAMES = 300;
/** Far from smooth: this only finds what stops the page. The frames are printed to be read; a quiet machine has 16.7 ms between them. */
const MEDIAN_MS_MAX = 100;
/** For a hundred bots that come one after the other. */
const COMING_MS_MAX = 120_000;

test("the bots of the demo page", { timeout: 300_000 }, async (t) => {
  const browser = await launch(t);

  await t.test(`${BOTS} bots come, are drawn at every frame, and leave`, async (t) => {
    const instance = await Instance.start(t, { redisUrl: "memory:" });
    const ana = await Window.open(t, browser, `${instance.url}/?name=Ana`);
    const presence = createPresence({ url: instance.wsUrl });
    t.after(() => presence.close());
    const seen = presence.observe("demo");
    await ana.bots(BOTS);
    await ana.$(`#bots-here[data-here="${BOTS}"]`).waitFor({ timeout: COMING_MS_MAX });
    await eventually(() => seen.memberCount === BOTS + 1, { what: "others see them too" });
    assert.equal(await ana.$("#avatars .rest").textContent(), `+${BOTS - 8}`);

    const frames = await ana.page.evaluate(framesOf, FRAMES);
    frames.sort((a, b) => a - b);
    const quantile = (part: number) => frames[Math.floor(part * (frames.length - 1))] ?? 0;
    const cursors = await ana.$(".cursor:visible").count();
    t.diagnostic(
      `${cursors} cursors in sight; milliseconds between ${FRAMES} frames: ${[0.5, 0.9, 0.99, 1].map((part) => quantile(part).toFixed(1)).join(" / ")} (p50 / p90 / p99 / max)`,
    );
    assert.ok(cursors > BOTS / 2);
    assert.ok(quantile(0.5) < MEDIAN_MS_MAX, `${quantile(0.5)} ms between frames`);

    assert.deepEqual(await ana.shifts(), []);
    await ana.bots(1);
    await eventually(() => seen.memberCount === 2, { what: "all but one have left", withinMs: COMING_MS_MAX });
    assert.deepEqual(ana.problems, []);
  });

  await t.test("where the service refuses some of them, the page says how many are here and why", async (t) => {
    const instance = await Instance.start(t, { redisUrl: "memory:", env: { CONNECTIONS_PER_ADDRESS: "8" } });
    const ana = await Window.open(t, browser, `${instance.url}/?name=Ana`);
    await ana.bots(20);
    await ana.$("#bots-here", { hasText: "7 of 20 bots: the service lets in no more" }).waitFor({ timeout: COMING_MS_MAX });
    await ana.bots(5);
    await ana.$("#bots-here", { hasText: /^5 bots$/ }).waitFor();
  });
});

/** Runs in the page: the times between frames, in milliseconds. */
function framesOf(count: number): Promise<number[]> {
  return new Promise((resolve) => {
    const times: number[] = [];
    let last: number | undefined;
    requestAnimationFrame(function drawn(at) {
      if (last !== undefined) times.push(at - last);
      last = at;
      if (times.length === count) resolve(times);
      else requestAnimationFrame(drawn);
    });
  });
}
