/**
 * More windows of the demo page: beside it, and at the other instance of `npm run cluster`.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Instance, startCluster } from "../../server/test/harness/index.ts";
import { launch, PHONE, Window } from "./window.ts";

test("more windows of the demo page", { timeout: 120_000 }, async (t) => {
  const { redis, one, two } = await startCluster(t);
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

  await t.test("a page whose instance has died says so in plain words, and the others see at once where it is served again", async (t) => {
    const [ana, ben] = [
      await Window.open(t, browser, first),
      await Window.open(t, browser, first.replace("3001", "3002").replace("Ana", "Ben")),
    ];
    await ben.$("#move", { hasText: "3001" }).waitFor();
    await two.kill("SIGKILL");
    const notice = ben.$("#problem", { hasText: "Nothing answers at localhost:3002. This page goes on trying and comes back by itself." });
    // Three attempts come first, within 2, 4 and 5 s.
    await notice.waitFor({ timeout: 20_000 });
    assert.match((await notice.textContent()) ?? "", /Or move to port 3001/);
    assert.doesNotMatch((await notice.textContent()) ?? "", /Content-Security-Policy/);
    await Instance.start(t, { redisUrl: redis.url, port: two.port });
    await ben.$('#status[data-status="connected"]').waitFor({ timeout: 20_000 });
    assert.equal(await notice.isVisible(), false);
    const where = (await ben.$("#instance").textContent()) ?? "";
    // The page looks by itself every 10 s.
    await ana.member("Ben").locator(".where", { hasText: where }).waitFor({ timeout: 6_000 });
    await ana.$("#instances", { hasText: "2" }).waitFor({ timeout: 3_000 });
  });
});
