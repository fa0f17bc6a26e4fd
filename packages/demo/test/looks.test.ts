/**
 * The demo page as it looks, in both schemes and on a phone: axe finds nothing, and nothing on it shifts.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../../server/test/harness/index.ts";
import { launch, PHONE, WIDE, Window } from "./window.ts";

test("the looks of the demo page", { timeout: 180_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const browser = await launch(t);
  await t.test("axe finds nothing while a board is full of life, and nothing on it shifts", async (t) => {
    for (const [viewport, colorScheme] of [
      [WIDE, "light"],
      [WIDE, "dark"],
      [PHONE, "light"],
      [PHONE, "dark"],
    ] as const) {
      const board = `axe-${viewport.width}-${colorScheme}`;
      // Axe is injected into the page, which the page's own content security policy forbids.
      const ana = await Window.open(t, browser, `${one.url}/?board=${board}&name=Ana`, { viewport, colorScheme, bypassCSP: true });
      const ben = await Window.open(t, browser, `${two.url}/?board=${board}&name=Ben`);
      await ben.pointAt(0.3, 0.3);
      await ben.page.keyboard.press("n");
      await ben.page.keyboard.type("Hello");
      await ben.$('[data-thing="redis"]').click();
      await ana.$('[data-testid="note"]', { hasText: "Hello" }).waitFor();
      if (viewport === PHONE) await ana.$("#toggle").click();
      await ana.bots(6);
      await ana.$('#bots-here[data-here="6"]').waitFor();
      if (viewport === PHONE) await ana.$("#toggle").click();
      await ana.page.keyboard.press("n");
      await ana.$("#avatars button").first().click();
      await ana.$("#follow").waitFor();
      assert.deepEqual(await ana.axe(), [], `${colorScheme}, ${viewport.width} px`);
      if (viewport === PHONE) await ana.$("#toggle").click();
      await ben.$(".tab", { hasText: "picture" }).click();
      await ana.$("#page-picture").waitFor();
      assert.deepEqual(await ana.axe(), [], `${colorScheme}, ${viewport.width} px, the other page`);
      assert.deepEqual(await ana.shifts(), [], `${colorScheme}, ${viewport.width} px`);
      await ana.bots(0);
      await ana.$("#count", { hasText: "2 here" }).waitFor();
      await ben.page.close();
      await ana.$('[data-testid="member"][data-name="Ben"][data-status="left"]').waitFor();
      // Somebody's place in the row or list is taken by the next one.
      const others = (await ana.shifts()).filter((shift) => !/^\S+( (LI#\.|BUTTON#\.avatar))+$/.test(shift));
      assert.deepEqual(others, [], `${colorScheme}, ${viewport.width} px, when people leave`);
      assert.deepEqual(ana.problems, []);
    }
  });
});
