/**
 * The React parts in a real browser: two pages on two instances, in StrictMode.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createPresence } from "@presence-service/client";
import axe from "axe-core";
import { chromium, type Page } from "playwright-core";
import { build } from "vite";
import { eventually, startCluster } from "../../server/test/harness/index.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const PIXELS_OFF_MAX = 2;
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

test("two pages on two instances", { timeout: 90_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const dist = mkdtempSync(join(tmpdir(), "presence-react-"));
  t.after(() => rmSync(dist, { recursive: true, force: true }));
  await build({
    root: fileURLToPath(new URL("./app", import.meta.url)),
    base: "./",
    logLevel: "error",
    configFile: false,
    resolve: { conditions: ["presence-source", "module", "browser", "production"] },
    build: { outDir: dist, emptyOutDir: true, minify: false },
  });
  const site = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = pathname === "/" ? "/index.html" : pathname;
    response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain");
    response.end(readFileSync(join(dist, file)));
  }).listen(0);
  t.after(() => void site.close());
  const address = `http://localhost:${(site.address() as AddressInfo).port}/`;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());
  const problems: string[] = [];
  const open = async (url: string, name: string, colorScheme: "light" | "dark"): Promise<Page> => {
    const page = await (await browser.newContext({ viewport: { width: 800, height: 560 }, colorScheme })).newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
    await page.goto(`${address}?${new URLSearchParams({ url, name })}`);
    return page;
  };

  const watcher = createPresence({ url: two.wsUrl });
  t.after(() => watcher.close());
  const left: string[] = [];
  const board = watcher.board("desk", { username: "Watcher" });
  board.on("user_left", ({ member }) => left.push(member.username));
  const [ana, ben] = [await open(one.wsUrl, "Ana", "light"), await open(two.wsUrl, "Ben", "dark")];
  const cursorOf = (page: Page, name: string) => page.locator(".presence-cursor", { hasText: name });
  for (const page of [ana, ben])
    await eventually(async () => /Ana/.test(await names(page)) && /Ben/.test(await names(page)), { what: "both are there" });

  await t.test("a cursor at rest is where its owner points, within 2 px", async () => {
    for (const [x, y] of [
      [0.25, 0.3],
      [0.98, 0.95],
    ] as const) {
      await pointAt(ana, x, y);
      await cursorOf(ben, "Ana").waitFor({ state: "attached" });
      await eventually(async () => (await offset(ben, x, y)) < PIXELS_OFF_MAX, { what: "Ana's cursor has arrived" });
    }
    const label = await box(ben, ".presence-cursor-name");
    const area = await box(ben, "#area");
    assert.ok(label.x + label.width <= area.x + area.width && label.y + label.height <= area.y + area.height, "the name is not cut");
    await ben.setViewportSize({ width: 600, height: 560 });
    await eventually(async () => (await offset(ben, 0.98, 0.95)) < PIXELS_OFF_MAX, { what: "it stays there in a window of another size" });
    await ben.setViewportSize({ width: 800, height: 560 });
  });

  await t.test("people who come move nothing, and axe finds nothing", async (t) => {
    const before = [await box(ben, "#beside"), await box(ben, ".presence-avatars"), await box(ben, "#area")];
    const guests = ["Chloé", "Dai", "Eli"].map((username) => {
      const presence = createPresence({ url: one.wsUrl, name: username });
      presence.board("desk", { username });
      return presence;
    });
    t.after(() => {
      for (const guest of guests) guest.close();
    });
    await ben.locator(".presence-avatar-rest").waitFor();
    await eventually(async () => (await ben.locator(".presence-avatar-rest").textContent()) === "+3", { what: "six people" });
    await ben.locator(".presence-avatar-rest").click();
    const list = await box(ben, ".presence-avatar-list");
    assert.ok(list.x >= 0 && list.x + list.width <= 800, "the list is not cut");
    assert.deepEqual([await box(ben, "#beside"), await box(ben, ".presence-avatars"), await box(ben, "#area")], before);
    await pointAt(ana, 0.5, 0.6);
    await ana.locator(".presence-avatar").first().waitFor();
    for (const [page, scheme] of [
      [ana, "light"],
      [ben, "dark"],
    ] as const) {
      await page.addScriptTag({ content: axe.source });
      const violations = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
        return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      });
      assert.deepEqual(violations, [], scheme);
      const shot = join(tmpdir(), `presence-react-${scheme}.png`);
      await page.screenshot({ path: shot });
      t.diagnostic(`screenshot: ${shot}`);
    }
    for (const guest of guests) guest.close();
    await eventually(() => left.length === 3, { what: "the guests have left" });
  });

  await t.test("another key, a remount and a reload: nobody sees a leave", async () => {
    await ana.locator("#key").click();
    await ana.locator("#mount").click();
    await ana.locator("#mount").click();
    await ana.reload();
    await eventually(async () => /Ben/.test(await names(ana)), { what: "Ana is back" });
    // Longer than the second after which a board that was given back is left.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual(
      left.filter((name) => name === "Ana" || name === "Ben"),
      [],
    );
    await ana.locator("#mount").click();
    await eventually(() => left.includes("Ana"), { what: "one who stays away leaves" });
  });
  assert.deepEqual(problems, []);
});

async function names(page: Page): Promise<string> {
  return (await page.locator("#names").textContent()) ?? "";
}

async function box(page: Page, selector: string) {
  return (await page.locator(selector).first().boundingBox()) ?? assert.fail(`there is no ${selector}`);
}

/** Within the border of 10 px. */
async function inner(page: Page) {
  const { x, y, width, height } = await box(page, "#area");
  return { x: x + 10, y: y + 10, width: width - 20, height: height - 20 };
}

async function pointAt(page: Page, x: number, y: number): Promise<void> {
  const area = await inner(page);
  await page.mouse.move(area.x + x * area.width, area.y + y * area.height, { steps: 5 });
}

async function offset(page: Page, x: number, y: number): Promise<number> {
  const area = await inner(page);
  const tip = await page.locator(".presence-cursor").evaluate((element) => {
    const { left, top } = element.getBoundingClientRect();
    return { left, top };
  });
  return Math.hypot(tip.left - area.x - x * area.width, tip.top - area.y - y * area.height);
}
