/**
 * The demo page in a real browser: two pages on two instances see each other move.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PACKED } from "@presence-service/protocol";
import axe from "axe-core";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { ClassicClient, eventually, freePort, SessionClient, startCluster } from "./harness/index.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const VIEW = { width: 900, height: 640 };
const PHONE = { width: 390, height: 844 };
/** A cursor at rest is where its owner points, but for rounding. */
const PIXELS_OFF_MAX = 2;
/** For a browser that starts on a busy machine. */
const WAITED_MS_MAX = 10_000;

test("in a real browser", { timeout: 120_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());

  await t.test("two pages on two instances see each other's cursor move", async (t) => {
    const [ana, ben] = [await open(t, browser, `${one.url}/?board=7&name=Ana`), await open(t, browser, `${two.url}/?board=7&name=Ben`)];
    await member(ana.page, "Ben").waitFor();
    await member(ben.page, "Ana").waitFor();
    const instances = await Promise.all(
      [member(ana.page, "Ana"), member(ana.page, "Ben")].map((item) => item.getAttribute("data-instance")),
    );
    assert.notEqual(instances[0], instances[1], "they are on two instances");

    for (const [mover, watcher, name] of [
      [ana.page, ben.page, "Ana"],
      [ben.page, ana.page, "Ben"],
    ] as const) {
      for (const [x, y] of [
        [0.25, 0.3],
        [0.6, 0.7],
      ] as const) {
        await pointAt(mover, x, y);
        await cursor(watcher, name).waitFor({ state: "visible" });
        await eventually(async () => Math.hypot(...(await offset(watcher, name, x, y))) < PIXELS_OFF_MAX, {
          what: `${name}'s cursor is where ${name} points`,
        });
      }
    }

    const shot = join(tmpdir(), "presence-two-pages.png");
    await ben.page.screenshot({ path: shot });
    t.diagnostic(`screenshot: ${shot}`);

    // After a reload Ben sees no leave, and Ana keeps her name.
    await ana.page.reload();
    await eventually(async () => (await member(ben.page, "Ana").getAttribute("data-status")) === "active", { what: "Ana is back" });
    await ana.page.close();
    await ben.page.locator('[data-testid="member"][data-name="Ana"][data-status="left"]').waitFor({ timeout: 8000 });
    await member(ben.page, "Ana").waitFor({ state: "detached" });
    assert.deepEqual([...ana.problems, ...ben.problems], []);
  });

  await t.test("names with markup are shown as text", async (t) => {
    const name = '<img src=x onerror="document.title=1">';
    const ana = await open(t, browser, `${one.url}/?board=8&name=Ana`);
    const eve = await open(t, browser, `${two.url}/?board=8&name=${encodeURIComponent(name)}`);
    const item = ana.page.locator('[data-testid="member"][data-self="false"]');
    await item.waitFor();
    assert.ok((await item.textContent())?.includes(name));
    await pointAt(eve.page, 0.5, 0.5);
    await ana.page.locator('[data-testid="cursor"]').waitFor({ state: "visible" });
    assert.equal(await ana.page.locator('img[src="x"]').count(), 0);
    assert.equal(await ana.page.title(), "Presence");
  });

  await t.test("on a phone, whole names stand beside cursors, wherever these point", async (t) => {
    const name = "Maximiliana Featherstonehaugh";
    const ana = await open(t, browser, `${one.url}/?board=10&name=Ana`, PHONE);
    const far = await open(t, browser, `${two.url}/?board=10&name=${encodeURIComponent(name)}`);
    await member(far.page, "Ana").waitFor({ state: "attached" });
    for (const [x, y] of [
      [0.02, 0.02],
      [0.49, 0.5],
      [0.6, 0.5],
      [0.75, 0.99],
      [0.99, 0.5],
    ] as const) {
      await pointAt(far.page, x, y);
      await cursor(ana.page, name).waitFor({ state: "visible" });
      await eventually(async () => Math.hypot(...(await offset(ana.page, name, x, y))) < PIXELS_OFF_MAX, {
        what: "the cursor has arrived",
      });
      const label = await cursor(ana.page, name).locator("span").boundingBox();
      const board = await surface(ana.page);
      assert.ok(label !== null && label.x >= board.x && label.y >= board.y, `at ${x}, ${y} it is not cut at the left or top`);
      assert.ok(label.x + label.width <= board.x + board.width, `at ${x}, ${y} it is not cut at the right`);
      assert.ok(label.y + label.height <= board.y + board.height, `at ${x}, ${y} it is not cut at the bottom`);
    }
    const shot = join(tmpdir(), "presence-phone.png");
    await ana.page.screenshot({ path: shot });
    t.diagnostic(`screenshot: ${shot}`);
  });

  await t.test("the roster of a board with many on it comes packed, and the page shows them all", async (t) => {
    const crowd = await Promise.all(
      Array.from({ length: 50 }, (_, nth) => SessionClient.connect(t, (nth % 2 === 0 ? one : two).wsUrl, { encoding: "binary" })),
    );
    await Promise.all(crowd.map((client, nth) => client.join("12", `user ${nth}`)));
    const page = await (await browser.newContext({ viewport: VIEW })).newPage();
    t.after(() => page.close());
    let packed = 0;
    page.on("websocket", (socket) =>
      socket.on("framereceived", ({ payload }) => {
        if (payload[0] === PACKED) packed++;
      }),
    );
    await page.goto(`${two.url}/?board=12&name=Ana`);
    const members = page.locator('[data-testid="member"]');
    await eventually(async () => (await members.count()) === 51, { what: "all are listed" });
    assert.ok(packed > 0);
  });

  await t.test("axe finds nothing on the page, and the list of people is scrolled with the keyboard", async (t) => {
    const crowd = await ClassicClient.connect(t, two.wsUrl);
    crowd.join(11, "crowd");
    for (let at = 0; at < 40; at++) (await ClassicClient.connect(t, two.wsUrl)).join(11, `person ${at}`);
    for (const [view, scheme] of [
      [VIEW, "light"],
      [VIEW, "dark"],
      [PHONE, "light"],
    ] as const) {
      // Axe is injected into the page, which the page's own content security policy forbids.
      const { page } = await open(t, browser, `${one.url}/?board=11&name=Ana`, view, { bypassCSP: true, colorScheme: scheme });
      if (view === PHONE) await page.locator("#toggle").click();
      await member(page, "person 39").waitFor();
      await page.addScriptTag({ content: axe.source });
      const violations = await page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
        return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      });
      assert.deepEqual(violations, [], `${scheme}, ${view.width} px`);
      await page.locator("#roster").focus();
      await page.keyboard.press("End");
      await eventually(() => page.locator("#roster").evaluate((list) => list.scrollTop > 0), { what: "the list has scrolled" });
    }
  });

  await t.test("a plain WebSocket from a page of another origin", async (t) => {
    const port = await freePort();
    const site = createServer((_, response) => response.end("<!doctype html><title>another site</title>")).listen(port);
    t.after(() => void site.close());
    const ben = await ClassicClient.connect(t, two.wsUrl);
    ben.join(9, "ben");
    const { page } = await open(t, browser, `http://localhost:${port}/`);
    const heard = page.evaluate(
      (url) =>
        new Promise<string>((resolve, reject) => {
          const socket = new WebSocket(url);
          socket.binaryType = "arraybuffer";
          socket.onerror = () => reject(new Error("refused"));
          socket.onopen = () => {
            socket.send(new Uint8Array([0x03, 0, 9, 3, 0x61, 0x6e, 0x61]));
            socket.send(new Uint8Array([0x01, 0, 9, 1, 0, 2, 0]));
          };
          socket.onmessage = ({ data }) => {
            const bytes = [...new Uint8Array(data)];
            if (bytes[0] === 0x05) resolve(String.fromCharCode(...bytes.slice(5, 8)));
          };
        }),
      one.wsUrl,
    );
    assert.equal(await heard, "ben");
    await eventually(() => ben.cursorOf(9, "ana")?.x === 256, { what: "ben sees the page's cursor" });
  });

  await t.test("a page whose instance has died says that the connection is lost, not that the page is offline", async (t) => {
    const { page } = await open(t, browser, `${one.url}/?board=12&name=Ana`);
    const sign = page.locator("#status");
    await member(page, "Ana").waitFor();
    await one.kill("SIGKILL");
    await eventually(async () => (await sign.textContent())?.startsWith("Connection lost"), { what: "it says so" });
    assert.equal(await member(page, "Ana").locator(".state").textContent(), "you, not connected");
    await page.context().setOffline(true);
    await eventually(async () => (await sign.textContent())?.startsWith("You are offline"), { what: "it says that, too" });
  });
});

type Opened = { readonly page: Page /** Errors of the console and the page. */; readonly problems: string[] };

/** A page in a profile of its own. */
async function open(
  t: TestContext,
  browser: { newContext(options: object): Promise<BrowserContext> },
  url: string,
  viewport = VIEW,
  options: object = {},
): Promise<Opened> {
  const context = await browser.newContext({ viewport, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(WAITED_MS_MAX);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}

function member(page: Page, name: string) {
  return page.locator(`[data-testid="member"][data-name="${name}"]`);
}

function cursor(page: Page, name: string) {
  return page.locator(`[data-testid="cursor"][data-name="${name}"]`);
}

async function surface(page: Page) {
  return (await page.locator("#surface").boundingBox()) ?? assert.fail("there is no board on the page");
}

async function pointAt(page: Page, x: number, y: number): Promise<void> {
  const box = await surface(page);
  await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 5 });
}

/** The distance in pixels, across and down, between the tip of a cursor and a place of the board. */
async function offset(page: Page, name: string, x: number, y: number): Promise<[number, number]> {
  // Cursors are drawn within the border of the surface.
  const box = (await page.locator("#cursors").boundingBox()) ?? assert.fail("there are no cursors on the page");
  const tip = await cursor(page, name).evaluate((element) => {
    const { e, f } = new DOMMatrix(getComputedStyle(element).transform);
    return { x: e, y: f };
  });
  return [tip.x - x * box.width, tip.y - y * box.height];
}
