/**
 * The examples as somebody gets them who copies their folder: with our packages packed, built by their own `npm run build`, and looked
 * at in a browser. Other packages are those of this repository, in the versions that the examples name; nothing is downloaded.
 * Runs alone: bundlers and a browser use all cores.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import axe from "axe-core";
import { chromium, type Page } from "playwright-core";
import { preview } from "vite";
import { eventually, freePort, Instance } from "../../server/test/harness/index.ts";
import { createPresence } from "../src/index.ts";
import { type PackedApp, packApp, ROOT, run } from "./packed.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const OURS = "@presence-service/";
const PIXELS_OFF_MAX = 3;
/** Without this process's conditions, which lead to our sources. */
const ENV: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: "", NODE_ENV: "production" };
const EXAMPLES = readdirSync(join(ROOT, "examples")).filter((name) => existsSync(join(ROOT, "examples", name, "package.json")));

let packed: PackedApp;

before(async () => {
  packed = await packApp([]);
});
// There is none where a name has chosen no test of this file.
after(() => packed?.remove());

test("each example starts by one command, has a README, and names exact versions of what this repository has", () => {
  assert.deepEqual(EXAMPLES, ["canvas", "nextjs", "node-agent", "react", "vanilla"]);
  for (const name of EXAMPLES) {
    const { scripts } = manifestOf(name);
    assert.equal(scripts["start"], "node ../start.js", name);
    assert.ok(scripts["dev"], name);
    assert.match(readFileSync(join(ROOT, "examples", name, "README.md"), "utf8"), /npm start/, name);
    for (const [dependency, version] of Object.entries(dependenciesOf(name))) {
      if (dependency.startsWith(OURS)) assert.equal(version, `file:../../packages/${dependency.slice(OURS.length)}`, name);
      else if (name !== "nextjs") assert.equal(version, versionHere(dependency), `${dependency} in examples/${name}/package.json`);
    }
  }
});

for (const name of ["vanilla", "react"]) {
  test(`${name}: two pages see each other's cursors`, { timeout: 90_000 }, async (t) => {
    const instance = await Instance.start(t, { redisUrl: "memory:" });
    await seeEachOther(t, name, await built(t, name, instance.wsUrl));
  });
}

const NEXT = join(ROOT, "examples/nextjs");
const skip = existsSync(join(NEXT, "node_modules/next"))
  ? false
  : "Next.js takes 370 MB, and is not installed: cd examples/nextjs && npm install";

test("nextjs: two pages see each other's cursors, and the server's page is an empty board", { timeout: 240_000, skip }, async (t) => {
  const instance = await Instance.start(t, { redisUrl: "memory:" });
  // In its own folder: Next.js follows no link that leads out of it.
  for (const name of ["protocol", "client", "react"])
    cpSync(join(packed.folder, "node_modules", OURS, name), join(NEXT, "node_modules", OURS, name), { recursive: true });
  const env = { ...ENV, NEXT_TELEMETRY_DISABLED: "1", NEXT_PUBLIC_PRESENCE_URL: instance.wsUrl };
  await runBuild(NEXT, env);
  const port = await freePort();
  const server = spawn(process.execPath, ["node_modules/next/dist/bin/next", "start", "--port", String(port)], {
    cwd: NEXT,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  t.after(() => void server.kill("SIGKILL"));
  const address = `http://localhost:${port}/`;
  const page = () =>
    fetch(address).then(
      (response) => response.text(),
      () => "",
    );
  await eventually(async () => (await page()) !== "", { what: "Next.js listens", withinMs: 30_000 });
  assert.match(await page(), /Plan for spring/);
  await seeEachOther(t, "nextjs", address);
});

test("canvas: a cursor is at its place of the canvas, however each has panned and zoomed", { timeout: 90_000 }, async (t) => {
  const instance = await Instance.start(t, { redisUrl: "memory:" });
  const { ana, ben, problems } = await openTwo(t, await built(t, "canvas", instance.wsUrl));
  // A canvas has no elements: the arguments of fillText tell where a name is.
  const isNameAt = async (x: number, y: number, page = ben) => {
    const drawn = await page.evaluate(() => (window as unknown as { drawn: [string, number, number][] }).drawn.at(-1));
    return drawn !== undefined && Math.abs(drawn[1] - x) < 1 && Math.abs(drawn[2] - y) < 1;
  };
  await pointAt(ana, "#viewport", 0.5, 0.5);
  // A name is so far right of the tip, and below it.
  const [right, down] = [18, 26];
  await eventually(() => isNameAt(450 + right, 300 + down), { what: "Ana's cursor is in the middle of Ben's view, as of hers" });
  await ben.mouse.move(300, 300);
  await ben.mouse.wheel(100, 60);
  await eventually(() => isNameAt(350 + right, 240 + down), { what: "Ben pans, and it stays at its place of the canvas" });
  await eventually(() => isNameAt(400 + right, 360 + down, ana), {
    what: "Ben's pointer rests, and points to another place of the canvas",
  });
  await ben.keyboard.down("Control");
  await ben.mouse.wheel(0, -200 * Math.LN2);
  await ben.keyboard.up("Control");
  await eventually(() => isNameAt(400 + right, 180 + down), { what: "Ben zooms in twofold around 300, 300" });
  await ben.mouse.wheel(5_000, 0);
  await eventually(() => isNameAt(12 + 8, 180 + down), { what: "far away it is at the edge" });
  await ben.getByRole("button", { name: "Ana" }).click();
  await eventually(() => isNameAt(450 + right, 300 + down), { what: "a click on her name brings it to the middle" });
  await shoot(t, ben, "canvas");
  assert.deepEqual(problems, []);
});

test("node-agent: it goes to where somebody points, and leaves when it is stopped", { timeout: 60_000 }, async (t) => {
  const instance = await Instance.start(t, { redisUrl: "memory:" });
  const folder = copy("node-agent");
  const agent = spawn(process.execPath, ["agent.js"], {
    cwd: folder,
    env: { ...ENV, PRESENCE_URL: instance.wsUrl },
    stdio: ["ignore", "ignore", "inherit"],
  });
  t.after(() => void agent.kill("SIGKILL"));
  const presence = createPresence({ url: instance.wsUrl });
  t.after(() => presence.close());
  const board = presence.board("example", { username: "Ana" });
  const [left, places]: [string[], { x: number; y: number }[]] = [[], []];
  board.on("user_left", ({ member, reason }) => left.push(`${member.username} ${reason}`));
  board.cursors.subscribe((moved) => places.push(...moved), { smooth: false });
  await eventually(() => board.others.length === 1 && places.length > 0, { what: "the agent is here and moves" });
  board.moveCursor(0.9, 0.9);
  await eventually(() => (places.at(-1)?.x ?? 0) > 0.8 && (places.at(-1)?.y ?? 0) > 0.8, { what: "the agent comes" });
  await eventually(() => board.others[0]?.state["doing"] === "going to Ana", { what: "it says what it does" });
  agent.kill("SIGTERM");
  await eventually(() => left.length > 0, { what: "it has left" });
  assert.deepEqual(left, ["Robo left"]);
});

/** Ana and Ben point at two places of the page, and each sees the other's cursor there, until Ana leaves. */
async function seeEachOther(t: TestContext, name: string, address: string): Promise<void> {
  const { ana, ben, problems } = await openTwo(t, address);
  const [cursor, area] = name === "vanilla" ? [".cursor", "#page"] : [".presence-cursor", "main"];
  await pointAt(ana, area, 0.25, 0.5);
  await pointAt(ben, area, 0.75, 0.75);
  for (const [page, other, x, y] of [
    [ana, "Ben", 0.75, 0.75],
    [ben, "Ana", 0.25, 0.5],
  ] as const) {
    const shown = page.locator(cursor, { hasText: other });
    await eventually(
      async () => {
        const [at, box] = [await shown.boundingBox(), await page.locator(area).boundingBox()];
        return at !== null && box !== null && Math.hypot(at.x - box.x - x * box.width, at.y - box.y - y * box.height) < PIXELS_OFF_MAX;
      },
      { what: `${other}'s cursor is where ${other} points` },
    );
  }
  await shoot(t, ben, name);
  await ana.close();
  await ben.locator(cursor).waitFor({ state: "detached" });
  assert.deepEqual(problems, []);
}

/** The address of the example, built and served. */
async function built(t: TestContext, name: string, wsUrl: string): Promise<string> {
  const folder = copy(name);
  await runBuild(folder, { ...ENV, VITE_PRESENCE_URL: wsUrl });
  const site = await preview({ root: folder, configFile: false, logLevel: "error", preview: { host: "localhost", port: 0 } });
  t.after(() => site.close());
  return site.resolvedUrls?.local[0] ?? assert.fail("the preview has no address");
}

async function runBuild(cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  await run("npm", ["run", "build", "--silent"], { cwd, env }).catch(({ stdout, stderr }) => assert.fail(`${stdout}${stderr}`));
}

/** Two browsers that show it, as Ana and as Ben. */
async function openTwo(t: TestContext, address: string): Promise<{ ana: Page; ben: Page; problems: string[] }> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  t.after(() => browser.close());
  const problems: string[] = [];
  const open = async (username: string) => {
    const page = await (await browser.newContext({ viewport: { width: 900, height: 600 }, colorScheme: "light" })).newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
    await page.addInitScript(recordNames, ["Ana", "Ben"]);
    await page.goto(`${address}?name=${username}`);
    return page;
  };
  const [ana, ben] = [await open("Ana"), await open("Ben")];
  for (const page of [ana, ben])
    await eventually(async () => /A[\s\S]*B|B[\s\S]*A/.test((await page.locator("body").textContent()) ?? ""), { what: "both are there" });
  return { ana, ben, problems };
}

/** In the page: where it has written which of the names on a canvas. */
function recordNames(names: readonly string[]): void {
  const drawn: [string, number, number][] = [];
  Object.assign(window, { drawn });
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, max) {
    if (names.includes(text)) drawn.push([text, x, y]);
    fillText.call(this, text, x, y, max);
  };
}

/** The example beside the packed packages, with what its package.json names and nothing else. */
function copy(name: string): string {
  const folder = join(packed.folder, name);
  cpSync(join(ROOT, "examples", name), folder, {
    recursive: true,
    filter: (path) => !/[\\/](?:node_modules|dist|\.next)$/.test(path),
  });
  rmSync(join(folder, "package-lock.json"), { force: true });
  for (const dependency of Object.keys(dependenciesOf(name)))
    if (!dependency.startsWith(OURS) && !existsSync(join(packed.folder, "node_modules", dependency))) packed.link(dependency);
  return folder;
}

async function pointAt(page: Page, area: string, x: number, y: number): Promise<void> {
  const box = (await page.locator(area).boundingBox()) ?? assert.fail(`there is no ${area}`);
  for (const step of [20, 0]) await page.mouse.move(box.x + x * box.width - step, box.y + y * box.height - step);
}

/** A picture of it to look at, and what axe finds: people copy these pages. */
async function shoot(t: TestContext, page: Page, name: string): Promise<void> {
  await page.addScriptTag({ content: axe.source });
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } };
    return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
  assert.deepEqual(found, []);
  const path = join(packed.folder, `../presence-example-${name}.png`);
  await page.screenshot({ path });
  t.diagnostic(`screenshot: ${path}`);
}

type Manifest = {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, "examples", name, "package.json"), "utf8")) as Manifest;
}

function dependenciesOf(name: string): Readonly<Record<string, string>> {
  const { dependencies, devDependencies } = manifestOf(name);
  return { ...dependencies, ...devDependencies };
}

function versionHere(dependency: string): string {
  return (JSON.parse(readFileSync(join(ROOT, "node_modules", dependency, "package.json"), "utf8")) as { version: string }).version;
}
