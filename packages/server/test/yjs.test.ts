/**
 * The guide from Yjs awareness: its adapter on the clock of the test server, and its editor in a real browser, on two instances.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Board, createPresence } from "@presence-service/client";
import { chromium, type Page } from "playwright-core";
import { build } from "vite";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { createTestServer } from "../src/test-server/index.ts";
import { eventually, startCluster } from "./harness/index.ts";

type State = { readonly yjs?: unknown };
type AwarenessOf = (doc: Y.Doc, board: Board<State>) => Awareness;

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript" };

const app = mkdtempSync(join(tmpdir(), "presence-yjs-"));
after(() => rmSync(app, { recursive: true, force: true }));
symlinkSync(join(ROOT, "node_modules"), join(app, "node_modules"));
writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
const guide = readFileSync(join(ROOT, "docs/guides/from-yjs-awareness.md"), "utf8");
for (const [, name, code = ""] of guide.matchAll(/^```ts file=(\w+)\n([\s\S]*?)^```$/gm)) writeFileSync(join(app, `${name}.ts`), code);
for (const name of ["index.html", "page.ts"]) copyFileSync(new URL(`yjs/${name}`, import.meta.url), join(app, name));

async function twoDocuments() {
  const { awarenessOf }: { awarenessOf: AwarenessOf } = await import(pathToFileURL(join(app, "awareness.ts")).href);
  const server = await createTestServer({ instances: 2 });
  const open = (username: string) => {
    const presence = createPresence<State>({ url: "ws://test", driver: server.driver() });
    const doc = new Y.Doc();
    const board = presence.board("doc-42", { username });
    const awareness = awarenessOf(doc, board);
    const log: string[] = [];
    const nameOf = (id: number) => (id === doc.clientID ? "me" : "other");
    for (const event of ["change", "update"])
      awareness.on(event, ({ added, updated, removed }: Record<string, number[]>) =>
        log.push([event, ...[added, updated, removed].map((ids = []) => ids.map(nameOf).join())].join(" ")),
      );
    return { doc, board, awareness, log };
  };
  const [ana, ben] = [open("Ana"), open("Ben")];
  await server.advance(1_000);
  for (const { log } of [ana, ben]) log.length = 0;
  return { server, ana, ben };
}

test("states of documents travel as they are, nulls and all, under the name and the colour that the service shows", async () => {
  const { server, ana, ben } = await twoDocuments();
  const text = ana.doc.getText("text");
  text.insert(0, "hello");
  const [anchor, head] = [1, 3].map((at) => Y.createRelativePositionFromTypeIndex(text, at));
  ana.awareness.setLocalStateField("user", { name: "Ben", color: "#000000", colorLight: "red;x:y", role: "author" });
  ana.awareness.setLocalStateField("cursor", { anchor, head });
  await server.advance(200);
  const seen = ben.awareness.getStates().get(ana.doc.clientID);
  assert.deepEqual(seen?.["cursor"], JSON.parse(JSON.stringify({ anchor, head })));
  assert.equal(seen?.["cursor"].anchor.type, null);
  const { color } = ana.board.self ?? assert.fail();
  assert.deepEqual(seen?.["user"], { name: "Ana", color, colorLight: `${color}33`, role: "author" });
  assert.deepEqual(ben.log, ["change  other ", "update  other "]);
  assert.ok(JSON.stringify(ana.board.self?.state).length < 400);
  assert.ok(JSON.stringify(seen?.["cursor"]).length < 300, "as the guide says");

  // It is said again, and Ana becomes idle: of her document nothing has changed.
  ana.awareness.setLocalState(ana.awareness.getLocalState());
  await server.advance(6 * 60_000);
  assert.equal(ben.board.others[0]?.status, "idle");
  assert.deepEqual(ben.log.length, 2);
  ana.awareness.setLocalStateField("cursor", null);
  await server.advance(200);
  assert.equal(ben.awareness.getStates().get(ana.doc.clientID)?.["cursor"], null);
});

test("one who leaves, ends the awareness or says null is removed, and comes back", async () => {
  const { server, ana, ben } = await twoDocuments();
  ana.awareness.setLocalState(null);
  await server.advance(200);
  assert.deepEqual([...ben.awareness.getStates().keys()], [ben.doc.clientID]);
  ana.awareness.setLocalState({ a: 1 });
  await server.advance(200);
  assert.deepEqual(ben.awareness.getStates().get(ana.doc.clientID)?.["a"], 1);
  ana.doc.destroy();
  await server.advance(200);
  assert.deepEqual([...ben.awareness.getStates().keys()], [ben.doc.clientID]);
  assert.deepEqual(
    ben.board.others.map(({ username }) => username),
    ["Ana"],
    "the member stays",
  );
  assert.deepEqual(
    ben.log.filter((line) => line.startsWith("change")),
    ["change   other", "change other  ", "change   other"],
  );
  ben.awareness.setLocalStateField("b", 1);
  await server.advance(200);
  assert.equal(ana.awareness.getStates().get(ben.doc.clientID)?.["b"], undefined, "it has ended");
});

test("silence means nothing, and nobody repeats a state", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"] });
  const { server, ana, ben } = await twoDocuments();
  t.mock.timers.tick(120_000);
  await server.advance(120_000);
  assert.deepEqual([ana.log, ben.log], [[], []]);
  assert.equal(ben.awareness.getStates().size, 2);
});

test("others cannot take one's own place, nor another's, and what is no state is left out", async () => {
  const { server, ana, ben } = await twoDocuments();
  const claims: unknown[] = [[ben.doc.clientID, { a: 1 }], [ana.doc.clientID, { a: 1 }], [7, null], ["7", {}], "text", { 0: 7 }, [8, "x"]];
  for (const [at, yjs] of claims.entries()) {
    const presence = createPresence<State>({ url: "ws://test", driver: server.driver() });
    presence.board("doc-42", { username: `Eve ${at}`, state: { yjs } });
  }
  await server.advance(2_000);
  assert.equal(ben.board.others.length, claims.length + 1);
  assert.deepEqual([...ben.awareness.getStates().keys()].sort(), [ana.doc.clientID, ben.doc.clientID].sort());
  assert.equal(ben.awareness.getLocalState()?.["a"], undefined);
  assert.equal(ben.awareness.getStates().get(ana.doc.clientID)?.["user"].name, "Ana");
  assert.throws(() => ben.awareness.setLocalStateField("much", "x".repeat(4_097)), RangeError);
});

test("two editors on two instances show each other's text cursor, with name and colour", { timeout: 90_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const dist = join(app, "dist");
  const conditions = ["presence-source", "module", "browser", "production"];
  await build({
    root: app,
    base: "./",
    logLevel: "error",
    configFile: false,
    resolve: { conditions },
    build: { outDir: dist, minify: false },
  });
  const site = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = pathname === "/" ? "/index.html" : pathname;
    response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain");
    response.end(readFileSync(join(dist, file)));
  }).listen(0);
  t.after(() => void site.close());
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  t.after(() => browser.close());
  // One context, as the two share their document through a channel of the browser.
  const context = await browser.newContext();
  const problems: string[] = [];
  const open = async (name: string, ...urls: string[]): Promise<Page> => {
    const page = await context.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    const query = new URLSearchParams([["name", name], ...urls.map((url) => ["url", url])]);
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/?${query}`);
    return page;
  };
  const [ana, ben] = [await open("Ana", one.wsUrl, two.wsUrl), await open("Ben", two.wsUrl)];
  const textOf = (page: Page) => page.evaluate(() => (window as unknown as Editor).view.state.doc.toString());
  const type = async (page: Page, text: string) => {
    await page.bringToFront();
    await page.locator(".cm-content").click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type(text, { delay: 20 });
  };

  await type(ana, "hello");
  await eventually(async () => (await textOf(ben)) === "hello", { what: "the text is on both pages" });
  await eventually(async () => (await caret(ben))?.at === 5, { what: "Ana's cursor is behind her text" });
  const color = await ana.evaluate(() => (window as unknown as Editor).board.self.color);
  assert.deepEqual(await caret(ben), { at: 5, name: "Ana", color });
  await type(ben, " world");
  await eventually(async () => (await caret(ana))?.at === 11, { what: "Ben's cursor is behind his" });
  assert.equal((await caret(ben))?.at, 5, "Ana's stays where it was in the text");
  await ana.bringToFront();
  await ana.keyboard.press("Control+Home");
  await ana.keyboard.press("Shift+ArrowRight");
  await eventually(async () => (await ben.locator(".cm-ySelection").textContent()) === "h", { what: "Ana's selection" });

  await one.kill("SIGKILL");
  await type(ana, "!");
  await eventually(async () => (await caret(ben))?.at === 12, { withinMs: 10_000, what: "Ana's cursor is back, over the other instance" });

  await ana.close();
  await eventually(async () => (await caret(ben)) === undefined, { withinMs: 10_000, what: "Ana's cursor goes with her" });
  assert.deepEqual(problems, []);
});

type Editor = {
  readonly board: { readonly self: { readonly color: string } };
  readonly view: { readonly state: { readonly doc: object }; posAtDOM(node: Node): number };
};

/** The only cursor of another one on that page. */
async function caret(page: Page): Promise<{ readonly at: number; readonly name: string; readonly color: string } | undefined> {
  return page.evaluate(() => {
    const caret = document.querySelector<HTMLElement>(".cm-ySelectionCaret");
    if (caret === null) return undefined;
    const rgb = (caret.style.backgroundColor.match(/\d+/g) ?? []).map((part) => Number(part).toString(16).padStart(2, "0"));
    return {
      at: (window as unknown as Editor).view.posAtDOM(caret),
      name: caret.querySelector(".cm-ySelectionInfo")?.textContent ?? "",
      color: `#${rgb.join("")}`,
    };
  });
}
