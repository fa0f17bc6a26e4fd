/**
 * How evenly and how late others' cursors are drawn: two demo pages in a real browser, the one that watches behind a slow link.
 * Runs alone: it measures what a browser draws.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { chromium, type Page } from "playwright-core";
import { eventually, FaultProxy, startCluster } from "./harness/index.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const VIEW = { width: 1200, height: 640 };
/** Pixels a second. */
const SPEED = 180;
const MOVED_MS = 4000;
/** Until the delay has settled. */
const SETTLED_MS = 1500;
const STALL_MS = 60;
const STALL_EVERY_MS = 2000;

const LINKS = [
  { link: "direct", delayMs: 0, stalls: false },
  { link: "40 ms there and back", delayMs: 20, stalls: false },
  { link: "the same, stalled for 3 % of the time", delayMs: 20, stalls: true },
] as const;

/** On a clock that both pages share. */
type Trace = readonly { readonly at: number; readonly x: number }[];

test("cursors in a real browser move evenly", { timeout: 240_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());
  const rows: string[] = [];
  let board = 20;
  for (const [everyMs, hasPaths] of [
    [16, false],
    [16, true],
    [100, false],
    [4, true],
  ] as const) {
    // The finest path shows what there is to show without a way.
    for (const { link, delayMs, stalls } of everyMs === 4 ? LINKS.slice(0, 1) : LINKS) {
      const what = `${link}, a pointer event every ${everyMs} ms${hasPaths ? ", with paths" : ""}`;
      await t.test(what, async (t) => {
        const proxy = await FaultProxy.start(t, { target: two.port });
        board++;
        const open = async (url: string): Promise<Page> => {
          const context = await browser.newContext({ viewport: VIEW });
          t.after(() => context.close());
          const page = await context.newPage();
          await page.goto(url);
          return page;
        };
        const mover = await open(`${one.url}/?board=${board}&name=Ana${hasPaths ? "&paths" : ""}`);
        const watcher = await open(`http://127.0.0.1:${proxy.port}/?board=${board}&name=Ben`);
        await mover.locator('[data-testid="member"][data-name="Ben"]').waitFor();
        await watcher.locator('[data-testid="member"][data-name="Ana"]').waitFor();
        proxy.toTarget.delay(delayMs);
        proxy.toClient.delay(delayMs);
        const isOver = new AbortController();
        const stalling = stalls ? stallNowAndThen(proxy, delayMs, isOver.signal) : undefined;
        const [moved, drawn] = await Promise.all([move(mover, everyMs), watch(watcher)]);
        isOver.abort();
        await stalling;

        const { speeds, ages } = judge(moved, drawn);
        const lost = drawn.length / ((MOVED_MS / 1000) * 60);
        rows.push(
          `| ${everyMs} ms${hasPaths ? ", paths" : ""} | ${link} | ${three(speeds)} | ${quantile(ages, 0.5)} / ${quantile(ages, 0.99)} | ${lost.toFixed(2)} |`,
        );
        const rest = moved.at(-1)?.x ?? 0;
        let tip = 0;
        const isThere = async () => {
          tip = await tipOf(watcher);
          return Math.abs(tip - rest) < 2;
        };
        await eventually(isThere, { what: () => `at rest it is within 2 pixels of ${rest}, not at ${tip}` });
        // Loose, for a busy machine. Drawn as they come, cursors of 100 ms stand still in five frames of six.
        const even = speeds.filter((speed) => Math.abs(speed - SPEED) < SPEED / 2).length / speeds.length;
        assert.ok(even > 0.8, `${Math.round(even * 100)} % of the frames are within half of the speed`);
      });
    }
  }
  t.diagnostic(`speed of ${SPEED} px/s in each frame, p1 / p50 / p99; age in ms, p50 / p99; share of 60 frames a second that were drawn`);
  for (const row of rows) t.diagnostic(row);
});

/** Moves the pointer evenly to the right, by events of the page. */
function move(page: Page, everyMs: number): Promise<Trace> {
  return page.evaluate(
    async ({ everyMs, speed, movedMs }) => {
      const surface = document.querySelector("#surface") as HTMLElement;
      const { left, top, width } = surface.getBoundingClientRect();
      // Cursors are drawn within the border of the surface.
      const drawnShare = (document.querySelector("#cursors")?.clientWidth ?? width) / width;
      const trace: { at: number; x: number }[] = [];
      const startedAt = performance.now();
      const pointAt = (now: number) => {
        const x = 20 + ((now - startedAt) / 1000) * speed;
        trace.push({ at: performance.timeOrigin + now, x: x * drawnShare });
        surface.dispatchEvent(new PointerEvent("pointermove", { clientX: left + x, clientY: top + 200, isPrimary: true, bubbles: true }));
      };
      await new Promise<void>((resolve) => {
        let events = 0;
        const next = () => {
          const now = performance.now();
          pointAt(now);
          if (now > startedAt + movedMs) resolve();
          else setTimeout(next, startedAt + ++events * everyMs - performance.now());
        };
        next();
      });
      return trace;
    },
    { everyMs, speed: SPEED, movedMs: MOVED_MS },
  );
}

/** Where the cursor is drawn, frame by frame. */
function watch(page: Page): Promise<Trace> {
  return page.evaluate(async (movedMs) => {
    const trace: { at: number; x: number }[] = [];
    const startedAt = performance.now();
    let before = startedAt;
    await new Promise<void>((resolve) => {
      const frame = (now: number) => {
        // At the beginning of a frame the style is what the frame before has drawn.
        const element = document.querySelector<HTMLElement>('[data-testid="cursor"]');
        if (element && !element.hidden) trace.push({ at: performance.timeOrigin + before, x: new DOMMatrix(element.style.transform).e });
        before = now;
        if (now > startedAt + movedMs) resolve();
        else requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
    return trace;
  }, MOVED_MS);
}

function tipOf(page: Page): Promise<number> {
  return page.locator('[data-testid="cursor"]').evaluate((element) => new DOMMatrix((element as HTMLElement).style.transform).e);
}

async function stallNowAndThen(proxy: FaultProxy, delayMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await wait(STALL_EVERY_MS - STALL_MS);
    proxy.toClient.stall();
    await wait(STALL_MS);
    proxy.toClient.pass();
    proxy.toTarget.delay(delayMs);
    proxy.toClient.delay(delayMs);
  }
}

/** Speeds from frame to frame, and how long ago the pointer was where the cursor is drawn. */
function judge(moved: Trace, drawn: Trace): { speeds: number[]; ages: number[] } {
  const speeds: number[] = [];
  const ages: number[] = [];
  const begin = (moved[0]?.at ?? 0) + SETTLED_MS;
  for (const [nth, { at, x }] of drawn.entries()) {
    const before = drawn[nth - 1];
    if (before === undefined || at < begin || at <= before.at) continue;
    speeds.push(((x - before.x) / (at - before.at)) * 1000);
    const after = moved.findIndex((place) => place.x >= x);
    const [from, to] = [moved[after - 1], moved[after]];
    if (from && to) ages.push(at - from.at - ((to.at - from.at) * (x - from.x)) / (to.x - from.x));
  }
  return { speeds, ages };
}

function three(values: number[]): string {
  return [0.01, 0.5, 0.99].map((share) => quantile(values, share)).join(" / ");
}

function quantile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
}
