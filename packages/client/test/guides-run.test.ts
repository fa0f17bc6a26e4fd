/**
 * The code of the guides does what the guides say, with packed packages and on a real instance: programs print it, pages show it in a
 * real browser.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { createPresence, type JsonObject } from "@presence-service/client";
import type { Page } from "playwright-core";
import { createPresenceServer } from "../../server/src/server.ts";
import { eventually, freePort, Instance } from "../../server/test/harness/index.ts";
import { components } from "./guides/components.ts";
import { Guide } from "./guides/guide.ts";
import { Program } from "./guides/program.ts";
import { Site } from "./guides/site.ts";
import { type PackedApp, packApp, ROOT } from "./packed.ts";

const URL_OF_GUIDES = "ws://localhost:3001";
const SECRET = "a-secret-of-these-tests-of-32-bytes";
const HTTP_OF_GUIDES = "http://localhost:3001";
/** Whether the layer of cursors is painted at a place. */
const ALPHA_AT = ([x, y]: readonly [number, number]) =>
  (document.querySelector("canvas")?.getContext("2d")?.getImageData(x, y, 1, 1).data[3] ?? 0) > 100;
const THINGS = `<!doctype html><style>body { margin: 0 } [data-thing] { float: left; width: 150px; height: 60px; margin: 10px; border: 8px solid }</style>
<main>${["one", "two", "three", "four", "five"].map((name) => `<p data-thing="${name}">${name}</p>`).join("")}</main>
<i id="cursor" style="position: absolute; top: 0; left: 0" hidden></i>
<script type="module">
import { createPresence } from "@presence-service/client";
import { placeOf, pointAtThings } from "/things.ts";
const board = createPresence({ url: "URL" }).board("doc-42");
const [page, cursor] = [document.documentElement, document.querySelector("#cursor")];
pointAtThings(board, page);
board.cursors.subscribe((moved) => {
  for (const move of moved) {
    const place = placeOf(page, move);
    cursor.hidden = move.hidden || place === undefined;
    cursor.style.translate = \`\${place?.x}px \${place?.y}px\`;
  }
});
</script>`;
const PIXELS_OFF_MAX = 2;

/** The packages that apps of the guides have besides ours, and those that the packed server needs. */
const TOOLS = ["react", "react-dom", "vue", "svelte", "@prometheus-io", "@redis", "jose", "pino", "ws", "zod"];

let packed: PackedApp;
before(async () => {
  packed = await packApp(TOOLS);
});
// There is none where a name has chosen no test of this file.
after(() => packed?.remove());

test("what the guides install is what `npm run build` has packed", () => {
  const named = ["quick-start", "react"].flatMap((name) => [
    ...readFileSync(join(ROOT, "docs/guides", `${name}.md`), "utf8").matchAll(/"\$PRESENCE"\/(\S+)/g),
  ]);
  assert.equal(named.length, 5);
  for (const [, pattern = ""] of named) assert.equal(globSync(pattern, { cwd: ROOT }).length, 1, pattern);
});

test("quick-start: two pages see each other, and the program says who comes and goes", { timeout: 60_000 }, async (t) => {
  const url = await service(t);
  const guide = Guide.named("quick-start");
  const folder = guide.unpack(packed.folder, { [URL_OF_GUIDES]: url });
  const site = await Site.open(t, folder);
  const program = new Program(t, folder, "watch.ts");
  const ben = await site.visit("?name=Ben");
  await here(ben, ["Ben", "Robot"]);
  const ana = await site.visit("?name=Ana");
  for (const page of [ana, ben]) await here(page, ["Ana", "Ben", "Robot"]);

  const board = (await ana.locator("#board").boundingBox()) ?? assert.fail("the board is shown");
  await ana.mouse.move(board.x + 200, board.y + 100);
  await at(ben, ".cursor", board.x + 200, board.y + 100);
  assert.equal(await ben.locator(".cursor").textContent(), "Ana");
  await ana.mouse.move(board.x + 200, board.y + board.height + 20);
  await ben.locator(".cursor").waitFor({ state: "detached" });

  await ana.close({ runBeforeUnload: true });
  for (const line of guide.output("watch")) await program.printed(line);
  program.stop("SIGINT");
  assert.equal(await program.ended, 0);
  await here(ben, ["Ben"]);
});

test("agents: one that answers, by the SDK, and one that works, by the admin API", { timeout: 60_000 }, async (t) => {
  const env = { AUTH_SECRET: SECRET, ADMIN_TOKEN: "an-admin-token-of-these-tests-of-32-bytes" };
  const instance = await Instance.start(t, { redisUrl: "memory:", env: { ...env, AUTH_ANONYMOUS: "doc-42=write+event" } });
  const guide = Guide.named("agents");
  const folder = guide.unpack(packed.folder, { [URL_OF_GUIDES]: instance.wsUrl, [HTTP_OF_GUIDES]: instance.url });
  const presence = createPresence<JsonObject, Record<string, unknown>>({ url: instance.wsUrl });
  t.after(() => presence.close());
  const board = presence.board("doc-42", { username: "Ana" });
  const said: unknown[] = [];
  const doing = new Set<unknown>();
  for (const name of ["answer", "translated"]) board.on(name, ({ member, data }) => said.push([member.username, data]));
  board.on("user_updated", ({ member }) => doing.add(member.state["doing"]));
  const agents = () => board.others.filter(({ kind }) => kind === "agent").map(({ username, userId }) => `${username}, ${userId}`);

  const agent = new Program(t, folder, "agent.ts", env);
  await eventually(() => agents().join() === "Word counter, word-counter", { what: "the agent is there" });
  assert(board.broadcast("ask", { text: "to be or not to be" }));
  for (const line of guide.output("agent")) await agent.printed(line);
  await eventually(() => said.length > 0, { what: "it answers" });
  assert.deepEqual(said.splice(0), [["Word counter", { text: "6 words" }]]);
  agent.stop("SIGTERM");
  assert.equal(await agent.ended, 0);
  await eventually(() => agents().length === 0, { what: "it is gone at once", withinMs: 2000 });

  const cursors: string[] = [];
  board.cursors.subscribe((moved) => cursors.push(...moved.map(({ member }) => member.username)));
  const worker = new Program(t, folder, "worker.ts", env);
  for (const line of guide.output("worker")) await worker.printed(line);
  assert.equal(await worker.ended, 0);
  await eventually(() => said.length === 2 && agents().length === 0, { what: "it has worked, and left" });
  const translated = ["TO BE", "OR NOT TO BE"].map((text, page) => ["Translator", { page, text }]);
  assert.deepEqual(said, translated);
  assert(cursors.includes("Translator"));
  assert(doing.has("counting for Ana"));
});

test("react: two windows of the app see each other, and a reaction arrives", { timeout: 60_000 }, async (t) => {
  const url = await service(t);
  const folder = Guide.named("react").unpack(packed.folder, { [URL_OF_GUIDES]: url });
  writeFileSync(
    join(folder, "main.tsx"),
    'import { createRoot } from "react-dom/client"; import App from "./App"; createRoot(document.querySelector("main")!).render(<App />);',
  );
  writeFileSync(join(folder, "index.html"), '<!doctype html><main></main><script type="module" src="/main.tsx"></script>');
  const bundled = ["react", "react-dom/client", "react/jsx-runtime", "react/jsx-dev-runtime"];
  const site = await Site.open(t, folder, { bundled });
  const [one, two] = [await site.visit(), await site.visit()];
  const said: string[] = [];
  two.on("console", (message) => said.push(message.text()));
  await eventually(async () => (await two.locator(".presence-avatar").count()) === 2, { what: "both are shown", withinMs: 10_000 });
  await one.mouse.move(400, 300);
  await two.locator(".presence-cursor-name", { hasText: "Ana" }).waitFor();
  await one.getByText("Pen").click();
  await two.getByText("1 others draw").waitFor();
  await one.getByText("🎉").click();
  await eventually(() => said.includes("Ana 🎉"), { what: "the reaction arrives" });
});

test("vue-and-svelte: a page in Vue and one in Svelte see each other", { timeout: 60_000 }, async (t) => {
  const url = await service(t);
  const folder = Guide.named("vue-and-svelte").unpack(packed.folder, { [URL_OF_GUIDES]: url });
  const html = (script: string) => `<!doctype html><main></main><script type="module">${script}</script>`;
  const vue = 'import { createApp } from "vue"; import Desk from "/Desk.vue"; window.app = createApp(Desk, { name: "Ana" });';
  writeFileSync(join(folder, "vue.html"), html(`${vue} window.app.mount("main");`));
  const svelte = 'import { mount, unmount } from "svelte"; import Page from "/Page.svelte"; const target = document.querySelector("main");';
  const app = 'const page = mount(Page, { target, props: { name: "Ben" } }); window.app = { unmount: () => unmount(page) };';
  writeFileSync(join(folder, "svelte.html"), html(`${svelte} ${app}`));
  const site = await Site.open(t, folder, { plugins: [components()] });
  const [ana, ben] = [await site.visit("vue.html"), await site.visit("svelte.html")];
  for (const page of [ana, ben]) await here(page, ["Ana", "Ben"]);
  for (const [mover, viewer, name] of [
    [ana, ben, "Ana"],
    [ben, ana, "Ben"],
  ] as const) {
    const surface = (await mover.locator("main > div").boundingBox()) ?? assert.fail("the surface is shown");
    await mover.mouse.move(surface.x + 200, surface.y + 100);
    await at(viewer, ".cursor", surface.x + 200, surface.y + 100);
    assert.equal(await viewer.locator(".cursor").textContent(), name);
    assert.equal(await viewer.locator("#pens").textContent(), "0 draw");
    await mover.locator("button").click();
    await eventually(async () => (await viewer.locator("#pens").textContent()) === "1 draw", { what: `${name} draws` });
  }
  for (const [leaver, viewer, name] of [
    [ana, ben, "Ben"],
    [ben, undefined, ""],
  ] as const) {
    await leaver.evaluate("app.unmount()");
    if (viewer !== undefined) await here(viewer, [name]);
  }
  const presence = createPresence({ url });
  t.after(() => presence.close());
  const board = presence.observe("doc-42");
  await eventually(() => board.status === "connected" && board.memberCount === 0, { what: "both have left" });
});

test("canvas: cursors are at the same place of the world in every view, and a view can be followed", { timeout: 60_000 }, async (t) => {
  const url = await service(t);
  const folder = Guide.named("canvas").unpack(packed.folder, { [URL_OF_GUIDES]: url });
  const site = await Site.open(t, folder);
  const [ana, ben] = [await site.visit("?name=Ana"), await site.visit("?name=Ben")];
  // Its cursor has a tip there, and nothing to the left of it.
  const isDrawn = (page: Page, x: number, y: number) => page.evaluate(ALPHA_AT, [x + 4, y + 2] as const);
  const seen = (page: Page, x: number, y: number) =>
    eventually(async () => (await isDrawn(page, x, y)) && !(await isDrawn(page, x - 6, y)), { what: `a cursor points at ${x}, ${y}` });
  await ana.mouse.move(299, 200);
  await ana.mouse.move(300, 200);
  await seen(ben, 300, 200);

  // Ben pans: the place of the world is elsewhere on his screen. Then he zooms, around the place where his pointer is.
  await ben.mouse.move(100, 100);
  await ben.mouse.wheel(150, 50);
  await seen(ben, 150, 150);
  await ben.keyboard.down("Control");
  await ben.mouse.wheel(0, -200 * Math.log(2));
  await ben.keyboard.up("Control");
  await seen(ben, 200, 200);
  // A place beyond the first window, and beyond two bytes.
  await ana.mouse.wheel(100_000, -50_000);
  await ana.mouse.move(400, 300);
  await eventually(async () => !(await isDrawn(ben, 200, 200)), { what: "Ana is elsewhere" });

  await ben.locator("#follow").click();
  await seen(ben, 400, 300);
  assert.equal(await ben.locator("#follow").textContent(), "Following Ana");
  await ana.mouse.wheel(-50, -50);
  await ana.mouse.move(420, 320);
  await seen(ben, 420, 320);
  await ben.mouse.move(500, 500);
  await eventually(async () => (await ben.locator("#follow").textContent()) === "Follow", { what: "a move of his own ends it" });
});

test("canvas: a cursor on a thing is on the same thing in a layout of another width", { timeout: 60_000 }, async (t) => {
  const url = await service(t);
  const folder = Guide.named("canvas").unpack(packed.folder);
  writeFileSync(join(folder, "index.html"), THINGS.replace("URL", url));
  const site = await Site.open(t, folder);
  const [ana, ben] = [await site.visit("?name=Ana"), await site.visit("?name=Ben")];
  await ben.setViewportSize({ width: 350, height: 600 });
  for (const thing of ["three", "five"]) {
    const [here, there] = await Promise.all([ana, ben].map((page) => page.locator(`[data-thing=${thing}]`).boundingBox()));
    assert(here && there && here.y !== there.y, "the things have other places");
    await ana.mouse.move(here.x + here.width / 4, here.y + here.height / 2);
    await at(ben, "#cursor", there.x + there.width / 4, there.y + there.height / 2);
  }
  await ana.mouse.move(790, 590);
  await ben.locator("#cursor").waitFor({ state: "hidden" });
});

test("many-documents: counts of boards that one is not on, and who of a team is where", { timeout: 60_000 }, async (t) => {
  const instance = await Instance.start(t, { redisUrl: "memory:", env: { AUTH_SECRET: SECRET, AUTH_ANONYMOUS: "*=read+write" } });
  const guide = Guide.named("many-documents");
  const folder = guide.unpack(packed.folder, { [URL_OF_GUIDES]: instance.wsUrl });
  for (const _window of [1, 2]) {
    const presence = createPresence({ url: instance.wsUrl, token: tokenOf("Ana") });
    t.after(() => presence.close());
    presence.board("doc-42");
  }
  const list = new Program(t, folder, "list.ts");
  for (const line of guide.output("list")) await list.printed(line);

  const ana = new Program(t, folder, "team.ts", {}, ["Ana", "doc-42"]);
  await ana.printed("Ana is in doc-42");
  const ben = new Program(t, folder, "team.ts", {}, ["Ben", "doc-43"]);
  for (const line of guide.output("team")) await ben.printed(line);
});

test("from-socket-io: the code after the move does what the code before it did", { timeout: 60_000 }, async (t) => {
  const port = await freePort();
  const guide = Guide.named("from-socket-io");
  const folder = guide.unpack(packed.folder, {
    "redis://localhost:6379": "memory:",
    ":3000/": `:${port}/`,
    "listen(3000)": `listen(${port})`,
  });
  new Program(t, folder, "server.ts");
  const ana = new Program(t, folder, "client.ts", {}, ["Ana"]);
  await ana.printed("Here: Ana");
  const ben = new Program(t, folder, "client.ts", {}, ["Ben"]);
  for (const line of guide.output("client")) await ana.printed(line);
  await ben.printed("Ana points at 0.5, 0.5");
  // Killed, as a page is reloaded: nobody is shown leaving, and the same person is in one window more until the lost one is over.
  const before = ana.lines.length;
  ben.stop("SIGKILL");
  const again = new Program(t, folder, "client.ts", {}, ["Ben"]);
  await again.printed("Here: Ana, Ben");
  assert.deepEqual(new Set(ana.lines.slice(before).filter((line) => line.startsWith("Here"))), new Set(["Here: Ana, Ben"]));
});

/** An instance in this process, for guides that need no settings. */
async function service(t: TestContext): Promise<string> {
  const server = await createPresenceServer({ port: 0, host: "127.0.0.1", redisUrl: "memory:" });
  t.after(() => server.close());
  return `ws://127.0.0.1:${server.port}`;
}

/** By the lines of docs/AUTH.md. */
function tokenOf(name: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: name, name, boards: { "*": ["write"] }, exp: Math.floor(Date.now() / 1000) + 3600 };
  const text = `${encode({ alg: "HS256" })}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}

/** The page lists these people, in whatever order they came. */
async function here(page: Page, names: readonly string[]): Promise<void> {
  const shown = async () => (await page.locator("#people").textContent())?.replace("Here: ", "").split(", ").sort().join(", ");
  await eventually(async () => (await shown()) === names.join(", "), { what: `it shows ${names.join(", ")}`, withinMs: 10_000 });
}

/** The upper left corner of the element is there. */
async function at(page: Page, selector: string, x: number, y: number): Promise<void> {
  await eventually(
    async () => {
      const box = await page.locator(selector).boundingBox({ timeout: 1000 });
      return box !== null && Math.hypot(box.x - x, box.y - y) < PIXELS_OFF_MAX;
    },
    { what: `${selector} is at ${x}, ${y}`, withinMs: 10_000 },
  );
}
