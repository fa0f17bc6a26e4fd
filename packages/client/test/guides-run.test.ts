/**
 * The code of the guides does what the guides say, on a real instance: programs print it, pages show it in a real browser.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { eventually, Instance } from "../../server/test/harness/index.ts";
import { Guide } from "./guides/guide.ts";
import { Program } from "./guides/program.ts";
import { Site } from "./guides/site.ts";

const URL_OF_GUIDES = "ws://localhost:3001";
const PIXELS_OFF_MAX = 2;

test("quick-start: two pages see each other, and the program says who comes and goes", { timeout: 60_000 }, async (t) => {
  const instance = await Instance.start(t, { redisUrl: "memory:" });
  const guide = Guide.named("quick-start");
  const folder = guide.unpack(t, { [URL_OF_GUIDES]: instance.wsUrl });
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

/** The page lists these people, in whatever order they came. */
async function here(page: Page, names: readonly string[]): Promise<void> {
  const shown = async () => (await page.locator("#people").textContent())?.replace("Here: ", "").split(", ").sort().join(", ");
  await eventually(async () => (await shown()) === names.join(", "), { what: `it shows ${names.join(", ")}`, withinMs: 10_000 });
}

/** The upper left corner of the element is there. */
async function at(page: Page, selector: string, x: number, y: number): Promise<void> {
  await eventually(
    async () => {
      const box = await page.locator(selector).boundingBox();
      return box !== null && Math.hypot(box.x - x, box.y - y) < PIXELS_OFF_MAX;
    },
    { what: `${selector} is at ${x}, ${y}`, withinMs: 10_000 },
  );
}
