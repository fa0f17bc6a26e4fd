/**
 * The Inspector in a real browser: two instances, one Redis, people on both.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { eventually, freePort, Instance, SessionClient, startCluster } from "./harness/index.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const VIEW = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
/** For a browser that starts on a busy machine. */
const WAITED_MS_MAX = 10_000;
const TOKEN = "an-admin-token-of-these-tests-of-32-bytes";
const BOARD = "team/doc-42";
const XSS = '<img src=x onerror="document.title=1">';

test("the Inspector in a real browser", { timeout: 180_000 }, async (t) => {
  const { one, two } = await startCluster(t, { env: { ADMIN_TOKEN: `ops:${TOKEN}`, LOG_FORMAT: "json" } });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());
  const ana = await SessionClient.connect(t, one.wsUrl);
  const eve = await SessionClient.connect(t, two.wsUrl);
  await ana.join(BOARD, "Ana");
  await eve.join(BOARD, XSS);
  await eventually(() => ana.names(BOARD).includes(XSS), { what: "ana sees eve" });
  const [idOfOne, idOfTwo] = [await idOf(one), await idOf(two)];

  await t.test("without a token, and with a wrong one, it says what to do; the token is nowhere but in the page", async (t) => {
    const { page, addresses } = await open(t, browser, `${one.url}/inspector`);
    await page.getByText("This service asks for a token").waitFor();
    assert.equal(await page.locator("#inside").isVisible(), false);
    assert.equal(await page.locator("#measured").isVisible(), false);
    // The field has the focus already.
    await page.keyboard.type(`${TOKEN}x`);
    await page.keyboard.press("Enter");
    await page.getByText("That token is not right").waitFor();
    await enter(page);
    assert.equal(await page.locator("#access").isVisible(), false);
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href]));
    const isIn = (text: string) => text.includes(TOKEN);
    assert.equal([kept, ...addresses, ...one.lines, ...two.lines].some(isIn), false);
    assert.equal(await page.inputValue("#token"), "");
    await page.click("#forget");
    await page.getByText("This service asks for a token").waitFor();
  });

  await t.test("instances and who hears whom; boards, searched; a member of another instance, and why it is shown", async (t) => {
    const { page, problems } = await open(t, browser, `${one.url}/inspector/`);
    await enter(page);
    const hearing = (from: string, nth: number) => page.locator(`#matrix tr[data-key="${from}"] td`).nth(nth);
    await page.locator(`#matrix tr[data-key="${idOfTwo}"]`).waitFor();
    await eventually(async () => (await page.locator("#matrix .fresh").count()) === 2, { what: "each hears the other" });
    assert.match((await hearing(idOfOne, 1).textContent()) ?? "", /^\d+\.\d s$/);
    assert.equal(await hearing(idOfOne, 0).textContent(), "·");

    await page.fill("#search", "no-such-board");
    await page.getByText("No board of this instance has that in its id.").waitFor();
    await page.fill("#search", "doc-4");
    await chooseBoard(page);
    assert.match((await page.locator("#board-facts").textContent()) ?? "", /^2 members \(2 users\), 1 connected here/);
    const facts = async (name: string) => (await memberNamed(page, name).locator(".facts").textContent()) ?? "";
    assert.match(await facts(XSS), new RegExp(`^active · at ${idOfTwo.slice(0, 8)} · user `));
    assert.match(await facts("Ana"), /^active · here · user /);
    await memberNamed(page, XSS).locator("button.member").click();
    const words = page.locator("#why-words");
    await eventually(async () => (await words.textContent())?.includes(`Instance ${idOfTwo.slice(0, 8)} says so, which lives.`), {
      what: "it says whose word it is",
    });
    assert.equal(await page.locator(`#claims tr[data-key="${idOfTwo} 1"]`).count(), 1);
    await memberNamed(page, "Ana").locator("button.member").click();
    await eventually(async () => (await words.textContent())?.includes("It is connected to this instance"), { what: "ana is here" });
    assert.equal(await page.locator('img[src="x"]').count(), 0);
    assert.match(await page.title(), /^Inspector/);

    // The board is in the address: a reload leads there again.
    await page.reload();
    await enter(page);
    await memberNamed(page, "Ana").waitFor();
    assert.deepEqual(problems, []);
  });

  await t.test("plots and truths are drawn from what the instance measures", async (t) => {
    const { page } = await open(t, browser, `${one.url}/inspector/`);
    await enter(page);
    const row = (name: string) => page.locator("#truths tr", { hasText: name });
    const isMeasured = async (name: string) => /\d, (?:99 % within [\d.]+ s, )?all within/.test((await row(name).textContent()) ?? "");
    // An instance that was silent for a moment is not measured until it has told its time again (R23.12), which takes up to 4 s.
    await eventually(
      async () => {
        const guest = await SessionClient.connect(t, two.wsUrl);
        await guest.join(BOARD, "guest");
        await eventually(() => ana.names(BOARD).includes("guest"), { what: "the guest is shown" });
        await guest.close();
        await eventually(() => !ana.names(BOARD).includes("guest"), { what: "the guest is gone" });
        await page.waitForTimeout(1000); // the page asks once a second
        return (await isMeasured("Newcomers elsewhere")) && (await isMeasured("shown after they had left"));
      },
      { what: "a newcomer and a leave were measured", withinMs: 20_000 },
    );
    await page.getByText("Other instances are heard.").waitFor();
    const plot = page.locator(".plot", { hasText: "Redis echo" });
    await eventually(async () => ((await plot.locator("path").getAttribute("d")) ?? "").includes("L"), { what: "a line is drawn" });
    assert.match((await plot.locator("svg").getAttribute("aria-label")) ?? "", /^Redis echo: [\d.]+ ms, up to/);
  });

  await t.test("a hidden page asks nothing", async (t) => {
    const { page, addresses } = await open(t, browser, `${one.url}/inspector/`);
    await enter(page);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
    });
    // Requests that were under way when it was hidden are over then.
    await eventually(
      async () => {
        const before = addresses.length;
        await page.waitForTimeout(1500);
        return addresses.length === before;
      },
      { what: "it is silent", withinMs: 10_000 },
    );
    const before = addresses.length;
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: false, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await eventually(() => addresses.length > before, { what: "it asks again" });
  });

  await t.test("evicting a member asks first, and puts it off at the other instance", async (t) => {
    const { page } = await open(t, browser, `${one.url}/inspector/#board=${encodeURIComponent(BOARD)}`);
    const guest = await SessionClient.connect(t, two.wsUrl);
    await guest.join(BOARD, "guest");
    await enter(page);
    const evict = memberNamed(page, "guest").locator("button.evict");
    await evict.click();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#evict").isVisible(), false);
    await evict.click();
    await page.fill("#evict-reason", "a test");
    await page.locator("#evict button[type=submit]").click();
    await page.getByText("guest was put off this board.").waitFor();
    await memberNamed(page, "guest").waitFor({ state: "detached" });
    await eventually(() => ana.has("user_left", { reason: "kicked" }), { what: "the others are told" });
  });

  await t.test("the own connection: its frames in words, without tokens; cut, paused and slow", async (t) => {
    const { page, problems } = await open(t, browser, `${one.url}/inspector/`);
    await enter(page);
    await page.fill("#own-board", BOARD);
    await page.check("#own-member");
    await page.fill("#own-name", "Inga");
    await page.click("#own-connect");
    await eventually(() => ana.names(BOARD).includes("Inga"), { what: "the others see the page" });
    const frames = (kind: string) => page.locator(`#frames [data-kind="${kind}"]`);
    for (const kind of ["hello", "join", "welcome", "joined"]) await frames(kind).first().waitFor();
    await frames("welcome").locator("summary").click();
    const text = (await frames("welcome").locator("pre").textContent()) ?? "";
    assert.equal(JSON.parse(text).instanceId, idOfOne);
    assert.equal(JSON.parse(text).resumeToken, "(not shown)");
    await frames("joined").locator("summary").click();
    assert.ok((await frames("joined").locator("pre").textContent())?.includes(JSON.stringify(XSS)), "names are text here too");

    const leaves = ana.count("user_left");
    await page.click("#own-cut");
    await eventually(async () => (await frames("welcome").count()) === 2, { what: "it comes back by itself", withinMs: 10_000 });
    assert.equal(await frames("it is cut").count(), 1);
    assert.equal(ana.count("user_left"), leaves, "nobody sees it leave");

    const seen = await frames("user_joined").count();
    await page.click("#own-pause");
    const guest = await SessionClient.connect(t, two.wsUrl);
    await guest.join(BOARD, "late");
    await page.getByText(/frames? waits? on the line/).waitFor();
    assert.equal(await frames("user_joined").count(), seen);
    await page.click("#own-pause");
    await eventually(async () => (await frames("user_joined").count()) > seen, { what: "the frames that waited are there" });

    await page.selectOption("#own-slow", "2000");
    const startedAt = performance.now();
    (await SessionClient.connect(t, two.wsUrl)).join(BOARD, "later").catch(() => {});
    await eventually(() => ana.names(BOARD).includes("later"), { what: "the others see it soon" });
    await eventually(async () => (await frames("user_joined").last().textContent())?.includes('"later"'), {
      what: "the page sees it late",
    });
    assert.ok(performance.now() - startedAt >= 2000);
    await page.selectOption("#own-slow", "0");
    await page.click("#own-connect");
    await eventually(() => !ana.names(BOARD).includes("Inga"), { what: "it has left" });
    assert.deepEqual(problems, []);
  });

  await t.test("axe finds nothing, wide and narrow, light and dark; nothing is wider than a phone", async (t) => {
    for (const [view, colorScheme] of [
      [VIEW, "light"],
      [VIEW, "dark"],
      [PHONE, "light"],
      [PHONE, "dark"],
    ] as const) {
      // Axe is injected into the page, which the page's own content security policy forbids.
      const options = { bypassCSP: true, colorScheme };
      const { page } = await open(t, browser, `${one.url}/inspector/#board=${encodeURIComponent(BOARD)}`, view, options);
      const what = `${colorScheme}, ${view.width} px`;
      await page.getByText("This service asks for a token").waitFor();
      assert.deepEqual(await violations(page), [], `${what}, asking`);
      await enter(page);
      await memberNamed(page, XSS).locator("button.member").click();
      await page.locator("#why").waitFor();
      await page.fill("#own-board", BOARD);
      await page.click("#own-connect");
      await page.locator('#frames [data-kind="joined"] summary').click();
      assert.deepEqual(await violations(page), [], what);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, what);
      await memberNamed(page, "Ana").locator("button.evict").click();
      assert.deepEqual(await violations(page), [], `${what}, dialog`);
      await page.keyboard.press("Escape");
      const shot = join(tmpdir(), `presence-inspector-${colorScheme}-${view.width}.png`);
      await page.screenshot({ path: shot, fullPage: true });
      t.diagnostic(`screenshot: ${shot}`);
      await page.context().close();
    }
  });
});

test("where the admin API is off, the Inspector says so; on a loopback port it needs no token, and is not on the other port", {
  timeout: 90_000,
}, async (t) => {
  const adminPort = await freePort();
  const plain = await Instance.start(t, { redisUrl: "memory:" });
  const split = await Instance.start(t, { redisUrl: "memory:", env: { ADMIN_PORT: String(adminPort) } });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());

  await t.test("off: what to set, and what is known anyhow", async (t) => {
    const { page } = await open(t, browser, `${plain.url}/inspector/`);
    await page.getByText("The admin API is off").waitFor();
    assert.match((await page.locator("#access-text").textContent()) ?? "", /Set ADMIN_TOKEN/);
    await page.locator(".plot").first().waitFor();
    await page.locator("#facts", { hasText: await idOf(plain) }).waitFor();
    await page.click("#own-connect");
    await page.locator('#frames [data-kind="joined"]').waitFor();
  });

  await t.test("a loopback port: all of it, calls that change something too", async (t) => {
    assert.equal((await fetch(`${split.url}/inspector/`)).status, 404);
    const ana = await SessionClient.connect(t, split.wsUrl);
    await ana.join("b1", "Ana");
    const { page, problems } = await open(t, browser, `http://localhost:${adminPort}/inspector/#board=b1`);
    // The own connection goes to the port of the page: another one is another origin.
    await page.fill("#own-board", "b1");
    await page.click("#own-connect");
    await page.locator('#frames [data-kind="joined"]').waitFor();
    await memberNamed(page, "Ana").locator("button.evict").click();
    await page.locator("#evict button[type=submit]").click();
    await page.getByText("Ana was put off this board.").waitFor();
    assert.deepEqual(problems, []);
  });

  await t.test("WebSockets of other origins do not get in by that port", async (t) => {
    const { page } = await open(t, browser, `${plain.url}/livez`);
    const outcome = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const socket = new WebSocket(url);
          socket.onopen = () => resolve("open");
          socket.onerror = () => resolve("refused");
        }),
      `ws://localhost:${adminPort}/presence`,
    );
    assert.equal(outcome, "refused");
  });
});

type Opened = {
  readonly page: Page;
  /** Errors of the console and the page, but for calls that were refused. */
  readonly problems: string[];
  /** Of every request. */
  readonly addresses: string[];
};

/** A page in a profile of its own. */
async function open(t: TestContext, browser: Browser, url: string, viewport = VIEW, options: object = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(WAITED_MS_MAX);
  const problems: string[] = [];
  const addresses: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/the server responded with a status of 401/.test(message.text())) problems.push(message.text());
  });
  page.on("request", (request) => addresses.push(request.url()));
  page.on("websocket", (socket) => addresses.push(socket.url()));
  await page.goto(url);
  return { page, problems, addresses };
}

async function enter(page: Page): Promise<void> {
  await page.fill("#token", TOKEN);
  await page.keyboard.press("Enter");
  await page.locator("#inside").waitFor();
}

async function chooseBoard(page: Page): Promise<void> {
  await page.locator(`tr[data-board="${BOARD}"] button`).click();
  await page.locator("#members li").first().waitFor();
}

function memberNamed(page: Page, name: string) {
  return page.locator("#members li").filter({ has: page.locator(".name").getByText(name, { exact: true }) });
}

async function idOf(instance: Instance): Promise<string> {
  const response = await instance.get("/health", { headers: { authorization: `Bearer ${TOKEN}` } });
  return ((await response.json()) as { instanceId: string }).instanceId;
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}
