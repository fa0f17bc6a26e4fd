/**
 * More windows of the demo page: beside it, and at the other instance of `npm run cluster`.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../../server/test/harness/index.ts";
import { launch, PHONE, Window } from "./window.ts";

test("more windows of the demo page", { timeout: 90_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  // The browser finds the instances at the ports of `npm run cluster`, which another program may have on this machine.
  const browser = await launch(t, [
    `--host-resolver-rules=MAP localhost:3001 localhost:${one.port}, MAP localhost:3002 localhost:${two.port}`,
  ]);
  const first = "http://localhost:3001/?board=windows&name=Ana";

  await t.test("another window is beside this one, on the same page of the board, and is somebody else", async (t) => {
    const ana = await Window.open(t, browser, first);
    await ana.$(".tab", { hasText: "Picture" }).click();
    const opened = ana.page.waitForEvent("popup");
    await ana.$("#another-window").click();
    const another = await opened;
    await another.locator('#status[data-status="connected"]').waitFor();
    assert.ok(await another.locator("#page-picture").isVisible());
    await ana.$("#count", { hasText: "2 here" }).waitFor();
    assert.notEqual(await another.locator("#name").inputValue(), "Ana");
    assert.ok(((await another.evaluate(() => outerWidth)) ?? 0) < 1000, "it leaves room for the first window");
    await another.close();
  });

  await t.test("a window opens at the other instance, or moves there under the same name", async (t) => {
    const ana = await Window.open(t, browser, first);
    const opened = ana.page.waitForEvent("popup");
    await ana.$("#another-instance", { hasText: "3002" }).click();
    const there = await opened;
    await there.locator('#status[data-status="connected"]').waitFor();
    const other = await there.locator("#instance").textContent();
    assert.notEqual(other, await ana.$("#instance").textContent());
    await ana.$('[data-testid="member"][data-self="false"] .where', { hasText: other ?? "" }).waitFor();

    await ana.$("#move", { hasText: "3002" }).click();
    await ana.$("#instance", { hasText: other ?? "" }).waitFor();
    assert.equal(await ana.$("#name").inputValue(), "Ana");
    await ana.$("#move", { hasText: "3001" }).waitFor();
    await there.close();
  });

  await t.test("a phone, and an instance that is not one of two, offer what they have", async (t) => {
    const ana = await Window.open(t, browser, one.url, { viewport: PHONE });
    await ana.$("#toggle").click();
    assert.equal(await ana.$("#cluster").isVisible(), false);
    const opened = ana.page.waitForEvent("popup");
    await ana.$("#another-window").click();
    await (await opened).locator('#status[data-status="connected"]').waitFor();
  });
});
