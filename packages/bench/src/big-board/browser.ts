/**
 * The work of a page on a big board: a real Chromium opens page/ on it, and is measured while nobody does anything, while people move, and
 * while people come and go. It says nothing of what the service pays.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Browser, type CDPSession, chromium, type Page } from "playwright-core";
import { build } from "vite";
import type { Watched } from "./page/main.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const WHOLE_MS_MAX = 60_000;

type InPage = { readonly watched: Watched };

/** Times of the page's main thread are milliseconds per second. */
export type Phase = {
  readonly name: string;
  readonly framesPerSecond: number;
  readonly frameP50: number;
  readonly frameP99: number;
  readonly frameMax: number;
  readonly longTasks: number;
  readonly longestTask: number;
  readonly script: number;
  readonly style: number;
  readonly layout: number;
  readonly task: number;
  readonly movesPerSecond: number;
  readonly changes: number;
  readonly heapMb: number;
  readonly nodes: number;
};

export class Chrome {
  readonly #browser: Browser;
  readonly #dist: string;
  readonly #site: ReturnType<typeof createServer>;

  private constructor(browser: Browser, dist: string, site: ReturnType<typeof createServer>) {
    this.#browser = browser;
    this.#dist = dist;
    this.#site = site;
  }

  static async launch(isMinified = true): Promise<Chrome> {
    const dist = mkdtempSync(join(tmpdir(), "presence-big-board-"));
    await build({
      root: fileURLToPath(new URL("./page", import.meta.url)),
      base: "./",
      logLevel: "error",
      configFile: false,
      resolve: { conditions: ["presence-source", "module", "browser", "production"] },
      // Profiles of a page that is not minified have names of functions.
      build: { outDir: dist, emptyOutDir: true, minify: isMinified },
    });
    const site = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost");
      const file = pathname === "/" ? "/index.html" : pathname;
      response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain");
      response.end(readFileSync(join(dist, file)));
    }).listen(0);
    return new Chrome(await chromium.launch({ executablePath: CHROMIUM, args: FLAGS }), dist, site);
  }

  async open(serviceUrl: string, parts: "react" | "sdk", members: number): Promise<Viewer> {
    const page = await (await this.#browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    const { port } = this.#site.address() as AddressInfo;
    const query = new URLSearchParams({ url: serviceUrl, parts, members: String(members) });
    await page.goto(`http://localhost:${port}/?${query}`);
    const devTools = await page.context().newCDPSession(page);
    // Of the processor, whatever else runs on the machine.
    await devTools.send("Performance.enable", { timeDomain: "threadTicks" });
    return new Viewer(page, devTools, problems);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#site.close();
    rmSync(this.#dist, { recursive: true, force: true });
  }
}

export class Viewer {
  readonly problems: readonly string[];
  readonly #page: Page;
  readonly #devTools: CDPSession;

  constructor(page: Page, devTools: CDPSession, problems: readonly string[]) {
    this.#page = page;
    this.#devTools = devTools;
    this.problems = problems;
  }

  /** Milliseconds from the navigation until the page had the whole roster. */
  async whole(): Promise<number> {
    const handle = await this.#page.waitForFunction(() => (window as unknown as InPage).watched.wholeAt, undefined, {
      timeout: WHOLE_MS_MAX,
    });
    return (await handle.jsonValue()) ?? Number.NaN;
  }

  async measure(name: string, seconds: number): Promise<Phase> {
    await this.#devTools.send("HeapProfiler.collectGarbage");
    const before = await this.#metrics();
    await this.#page.evaluate(() => (window as unknown as InPage).watched.begin());
    await wait(seconds * 1000);
    const seen = await this.#page.evaluate(() => {
      const { frames, longTasks, moves, changes } = (window as unknown as InPage).watched;
      return { frames, longTasks, moves, changes };
    });
    const after = await this.#metrics();
    await this.#devTools.send("HeapProfiler.collectGarbage");
    const rested = await this.#metrics();
    const took = after("Timestamp") - before("Timestamp");
    const per = (metric: string) => (1000 * (after(metric) - before(metric))) / took;
    const frames = seen.frames.sort((a, b) => a - b);
    const at = (part: number) => frames[Math.floor(part * (frames.length - 1))] ?? Number.NaN;
    return {
      name,
      framesPerSecond: frames.length / took,
      frameP50: at(0.5),
      frameP99: at(0.99),
      frameMax: at(1),
      longTasks: seen.longTasks.length,
      longestTask: Math.max(0, ...seen.longTasks),
      script: per("ScriptDuration"),
      style: per("RecalcStyleDuration"),
      layout: per("LayoutDuration"),
      task: per("TaskDuration"),
      movesPerSecond: seen.moves / took,
      changes: seen.changes,
      heapMb: rested("JSHeapUsedSize") / 1e6,
      nodes: rested("Nodes"),
    };
  }

  /** Where the main thread spends its time: functions by their own time, in milliseconds per second. */
  async profile(seconds: number): Promise<readonly (readonly [string, number])[]> {
    await this.#devTools.send("Profiler.enable");
    await this.#devTools.send("Profiler.setSamplingInterval", { interval: 200 });
    await this.#devTools.send("Profiler.start");
    await wait(seconds * 1000);
    const { profile } = await this.#devTools.send("Profiler.stop");
    const times = new Map<number, number>();
    for (const [at, id] of (profile.samples ?? []).entries()) times.set(id, (times.get(id) ?? 0) + (profile.timeDeltas?.[at] ?? 0));
    const own = new Map<string, number>();
    for (const { id, callFrame } of profile.nodes) {
      const name = `${callFrame.functionName || "(anonymous)"}:${callFrame.lineNumber + 1}`;
      own.set(name, (own.get(name) ?? 0) + (times.get(id) ?? 0) / 1000 / seconds);
    }
    return [...own].sort(([, a], [, b]) => b - a);
  }

  async #metrics(): Promise<(name: string) => number> {
    const { metrics } = await this.#devTools.send("Performance.getMetrics");
    const values = new Map(metrics.map(({ name, value }) => [name, value]));
    return (name) => values.get(name) ?? Number.NaN;
  }
}
