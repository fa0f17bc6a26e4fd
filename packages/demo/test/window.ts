/** A window of the demo page in a real browser, and what a person does and sees there. It keeps all shifts of the layout. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
/** For a browser on a busy machine. */
export const WAITED_MS_MAX = 10_000;
export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

/** The part of the window of the page that the scripts below use. */
type Watched = { readonly shifts: string[]; readonly axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
type Shift = { readonly value: number; readonly sources: readonly { readonly node: Element | null }[] };

export async function launch(t: TestContext, flags: readonly string[] = []): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS, ...flags] });
  t.after(() => browser.close());
  return browser;
}

export class Window {
  readonly page: Page;
  /** Errors of the page and of its console. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(WAITED_MS_MAX);
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && this.problems.push(message.text()));
  }

  /** In a profile of its own. */
  static async open(t: TestContext, browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Window> {
    const context = await browser.newContext({ viewport: WIDE, ...options });
    t.after(() => context.close());
    const window = new Window(await context.newPage());
    await window.page.addInitScript(keepShifts);
    await window.page.goto(url);
    await window.page.locator('#status[data-status="connected"]').waitFor();
    return window;
  }

  $(selector: string, options: { readonly hasText?: string | RegExp } = {}): Locator {
    return this.page.locator(selector, options);
  }

  member(name: string): Locator {
    return this.$(`[data-testid="member"][data-name="${name}"]`);
  }

  cursor(name: string): Locator {
    return this.$(`[data-testid="cursor"][data-name="${name}"]`);
  }

  /** A place of the board, in pixels of the window. */
  async at(x: number, y: number): Promise<[number, number]> {
    const box = (await this.$("#surface").boundingBox()) ?? assert.fail("there is no board");
    return [box.x + x * box.width, box.y + y * box.height];
  }

  async pointAt(x: number, y: number): Promise<void> {
    await this.page.mouse.move(...(await this.at(x, y)), { steps: 4 });
  }

  /** By finger, which rests at the end: after a throw the browser takes the next tap for the end of it. */
  async drag([fromX, fromY]: readonly [number, number], [toX, toY]: readonly [number, number]): Promise<void> {
    const touch = await this.page.context().newCDPSession(this.page);
    const steps = [0, 0.25, 0.5, 0.75, 1, 1, 1].map((part) => ({ x: fromX + part * (toX - fromX), y: fromY + part * (toY - fromY) }));
    for (const [at, point] of steps.entries()) {
      await touch.send("Input.dispatchTouchEvent", { type: at === 0 ? "touchStart" : "touchMove", touchPoints: [point] });
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  }

  async bots(count: number): Promise<void> {
    await this.$("#bots").fill(String(count));
  }

  /** Every move of an element that was there already, but for those by a transform. */
  shifts(): Promise<string[]> {
    return this.page.evaluate(() => (window as unknown as Watched).shifts);
  }

  /** The findings of axe. The page must have been opened with `bypassCSP`, as axe is a script of another origin. */
  async axe(): Promise<string[]> {
    await this.page.addScriptTag({ content: axe.source });
    return this.page.evaluate(async () => {
      const { violations } = await (window as unknown as Watched).axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    });
  }
}

function keepShifts(): void {
  const shifts: string[] = [];
  Object.assign(window, { shifts });
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries() as unknown as Shift[]) {
      const where = sources.map(({ node }) => (node instanceof Element ? `${node.tagName}#${node.id}.${node.className}` : "text"));
      shifts.push(`${value.toFixed(4)} ${where.join(" ")}`);
    }
  }).observe({ type: "layout-shift", buffered: true });
}
