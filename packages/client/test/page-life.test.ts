/**
 * Pages that a browser keeps or loads without showing them (the back/forward cache, prerendering), and workers, which have no page.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createPresence } from "@presence-service/client";
import { chromium, type Page } from "playwright-core";
import { build } from "vite";
import { eventually, startCluster } from "../../server/test/harness/index.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-component-update", "--disable-sync", "--no-first-run"];

/** The page's script: on the board of its URL; `told` is what the test reads. */
const APP = `import { createPresence } from ${JSON.stringify(fileURLToPath(import.meta.resolve("../src/index.ts")))};
const query = new URLSearchParams(location.search);
const board = createPresence({ url: query.get("url") }).board("desk", { username: query.get("name") });
// Connecting takes less, with the 300 ms for which a session may be waited for.
setTimeout(() => fetch("/waited?ahead=" + globalThis.document?.prerendering), 1500);
globalThis.told = { restored: 0, names: () => board.others.map(({ username }) => username), status: () => board.status };
addEventListener("pageshow", ({ persisted }) => { if (persisted) told.restored++; });
`;

type Told = { restored: number; names(): string[]; status(): string };

test("pages that are kept and pages that are loaded ahead", { timeout: 90_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const site = await serve(t);
  const watcher = createPresence({ url: two.wsUrl });
  t.after(() => watcher.close());
  const board = watcher.board("desk", { username: "Watcher" });
  const seen: string[] = [];
  board.on("user_joined", ({ member }) => seen.push(`+${member.username}`));
  board.on("user_left", ({ member }) => seen.push(`-${member.username}`));
  const query = (name: string) => new URLSearchParams({ url: one.wsUrl, name });

  await t.test("a worker is on a board as a page is", async (t) => {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.address}/elsewhere`);
    await page.evaluate((path) => void new Worker(path, { type: "module" }), `/app.js?${query("Worker")}`);
    await eventually(() => board.others[0]?.username === "Worker" && board.others[0].status === "active", { what: "the worker is seen" });
    await browser.close();
    await eventually(() => board.others.length === 0, { what: "and is gone with its page", withinMs: 30_000 });
    seen.length = 0;
  });

  await t.test("back to a page that the browser kept: the same member, without a leave", async (t) => {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.address}/app?${query("Ana")}`);
    await eventually(() => told(page, "names").then((names) => names.includes("Watcher")), { what: "Ana is on the board" });
    await eventually(() => board.others.length === 1, { what: "Ana is seen" });
    const { memberId } = board.others[0] ?? {};
    await page.goto(`${site.address}/elsewhere`);
    await page.evaluate(() => history.back());
    await eventually(() => told(page, "status").then((status) => status === "connected"), { what: "Ana is back" });
    await eventually(() => board.others[0]?.status === "active", { what: "Ana is active again" });
    assert.deepEqual([seen, board.others[0]?.memberId], [["+Ana"], memberId]);
    assert.equal(await page.evaluate(() => (window as unknown as { told: Told }).told.restored), 1, "the page came from the cache");
  });

  // Chromium holds sockets of such a page back by itself. The SDK does not try, so that no attempt fails meanwhile (prerendered.test.ts).
  await t.test("a page that is loaded ahead is on the board when it is shown, and not before", async (t) => {
    seen.length = 0;
    const waited = site.asked("/waited?ahead=true");
    const target = `/app?${query("Ben")}`;
    // Chromium loads nothing ahead in a page that a debugger looks at.
    const profile = mkdtempSync(join(tmpdir(), "presence-ahead-"));
    const browser = spawn(CHROMIUM, [
      "--headless",
      `--user-data-dir=${profile}`,
      ...FLAGS,
      `${site.address}/ahead?${new URLSearchParams({ target })}`,
    ]);
    t.after(async () => {
      browser.kill("SIGKILL");
      await once(browser, "exit");
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    await waited;
    const later = createPresence({ url: one.wsUrl });
    t.after(() => later.close());
    later.board("desk", { username: "Later" });
    await eventually(() => seen.includes("+Later"), { what: "somebody who came later is seen" });
    assert.equal(seen.includes("+Ben"), false, "nobody has chosen the page");
    site.go();
    await eventually(() => seen.includes("+Ben"), { what: "Ben is seen" });
  });
});

async function told<K extends "names" | "status">(page: Page, what: K): Promise<ReturnType<Told[K]>> {
  return page.evaluate((key) => (window as unknown as { told?: Told }).told?.[key]() ?? [], what) as Promise<ReturnType<Told[K]>>;
}

/** A site with the app. `asked` resolves when a browser asks for that path; `go` has the page `/ahead` follow its link. */
async function serve(t: { after(end: () => void): void }) {
  const built = await build({
    configFile: false,
    logLevel: "silent",
    resolve: { conditions: ["presence-source"] },
    build: { write: false, rollupOptions: { input: "app" } },
    plugins: [{ name: "app", resolveId: (id) => (id === "app" ? id : undefined), load: (id) => (id === "app" ? APP : undefined) }],
  });
  assert(!Array.isArray(built) && "output" in built);
  const script = built.output.map((part) => ("code" in part ? part.code : "")).join("");
  const awaited = new Map<string, () => void>();
  let go = () => {};
  const gone = new Promise<void>((resolve) => {
    go = resolve;
  });
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    response.setHeader("content-type", pathname === "/app.js" ? "text/javascript" : "text/html");
    awaited.get(request.url ?? "")?.();
    if (pathname === "/app.js") response.end(script);
    else if (pathname === "/app") response.end('<!doctype html><title>App</title><script type="module" src="/app.js"></script>');
    else if (pathname === "/ahead") response.end(ahead(searchParams.get("target") ?? ""));
    else if (pathname === "/go") void gone.then(() => response.end());
    else response.end("<!doctype html><title>Elsewhere</title>elsewhere");
  }).listen(0);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const asked = (path: string) => new Promise<void>((resolve) => awaited.set(path, resolve));
  return { address: `http://localhost:${(server.address() as AddressInfo).port}`, asked, go };
}

/** A page that has the browser load another one before its link is followed. */
function ahead(target: string): string {
  const rules = { prerender: [{ urls: [target], eagerness: "immediate" }] };
  return `<!doctype html><title>Ahead</title><a href="${target.replaceAll("&", "&amp;")}">go</a>
<script type="speculationrules">${JSON.stringify(rules)}</script>
<script>fetch("/go").then(() => document.querySelector("a").click());</script>`;
}
