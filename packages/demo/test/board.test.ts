/**
 * The board of the demo page in a real browser: what one does on one instance is seen on the other.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "@presence-service/client";
import { eventually, startCluster } from "../../server/test/harness/index.ts";
import { launch, PHONE, Window } from "./window.ts";

test("the board of the demo page", { timeout: 180_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const browser = await launch(t);
  const [atOne, atTwo] = [`${one.url}/?board=`, `${two.url}/?board=`];

  await t.test("a note is seen while it is written and dragged, as text, and goes with its writer", async (t) => {
    const [ana, ben] = [await Window.open(t, browser, `${atOne}notes&name=Ana`), await Window.open(t, browser, `${atTwo}notes&name=Ben`)];
    const markup = '<img src=x onerror="document.title=1">';
    await ana.pointAt(0.5, 0.5);
    await ana.page.keyboard.press("n");
    await ana.page.keyboard.type(markup);
    const note = ben.$('[data-testid="note"]');
    await eventually(async () => (await note.locator("p").textContent()) === markup, { what: "Ben sees it as text" });
    assert.equal(await ben.page.title(), "Presence");

    const before = await note.boundingBox();
    const grip = (await ana.$(".grip").boundingBox()) ?? assert.fail("the note has no grip");
    await ana.page.mouse.move(grip.x + 20, grip.y + 10);
    await ana.page.mouse.down();
    await ana.page.mouse.move(grip.x + 140, grip.y + 90, { steps: 6 });
    await ana.page.mouse.up();
    await eventually(
      async () => {
        const after = await note.boundingBox();
        return before && after && Math.abs(after.x - before.x - 120) < 2 && Math.abs(after.y - before.y - 80) < 2;
      },
      { what: "it has gone as far as Ana dragged it" },
    );

    await ana.page.reload();
    assert.equal(await ana.$("#notes textarea").inputValue(), markup);
    await eventually(async () => (await note.locator("p").textContent()) === markup, { what: "it is there after a reload" });
    await ana.$(".remove").click();
    await note.waitFor({ state: "detached" });
    assert.deepEqual([...ana.problems, ...ben.problems], []);
  });

  await t.test("a selection is a ring in its owner's colour, with the name", async (t) => {
    const [ana, ben] = [await Window.open(t, browser, `${atOne}rings&name=Ana`), await Window.open(t, browser, `${atTwo}rings&name=Ben`)];
    await ana.$('[data-thing="redis"]').click();
    const redis = ben.$('[data-thing="redis"]');
    await redis.locator(".tag", { hasText: /^Ana$/ }).waitFor();
    const colour = await ben.member("Ana").evaluate((item) => (item as HTMLElement).style.getPropertyValue("--colour"));
    assert.equal(
      await redis.evaluate((thing, hex) => {
        const probe = Object.assign(document.createElement("i"), { style: `color: ${hex}` });
        probe.style.color = hex;
        return thing.style.boxShadow.startsWith(probe.style.color);
      }, colour),
      true,
    );
    await redis.click();
    await redis.locator(".tag", { hasText: "Ana +1" }).waitFor();
    await ana.page.keyboard.press("Escape");
    await redis.locator(".tag", { hasText: /^Ben$/ }).waitFor();
    assert.equal(await redis.getAttribute("aria-pressed"), "true");
  });

  await t.test("pages of the board have cursors of their own, and whoever follows is taken along until they move", async (t) => {
    const [ana, ben] = [await Window.open(t, browser, `${atOne}pages&name=Ana`), await Window.open(t, browser, `${atTwo}pages&name=Ben`)];
    await ana.member("Ben").waitFor();
    await ben.pointAt(0.5, 0.3);
    await ana.cursor("Ben").waitFor({ state: "visible" });
    await ben.$(".tab", { hasText: "picture" }).click();
    await ana.cursor("Ben").waitFor({ state: "hidden" });
    await ana.member("Ben").locator(".state", { hasText: "picture" }).waitFor();
    await ben.pointAt(0.4, 0.4);

    await ana.$("#avatars button").click();
    await ana.cursor("Ben").waitFor({ state: "visible" });
    assert.equal(await ana.$("#followed").textContent(), "Ben");
    assert.ok(await ana.$("#page-picture").isVisible());
    await ben.$(".tab", { hasText: "diagram" }).click();
    await ana.$("#page-diagram").waitFor();
    await ana.pointAt(0.6, 0.6);
    await ana.$("#follow").waitFor({ state: "hidden" });
    await ben.$(".tab", { hasText: "picture" }).click();
    await ana.member("Ben").locator(".state", { hasText: "picture" }).waitFor();
    assert.ok(await ana.$("#page-diagram").isVisible(), "Ana has stayed");
    await ben.page.reload();
    assert.ok(await ben.$("#page-picture").isVisible(), "a reload keeps the page");
  });

  await t.test("a reaction is seen by those on the same page", async (t) => {
    const [ana, ben] = [await Window.open(t, browser, `${atOne}emoji&name=Ana`), await Window.open(t, browser, `${atTwo}emoji&name=Ben`)];
    await ana.member("Ben").waitFor();
    await ben.member("Ana").waitFor();
    await ana.page.keyboard.press("3");
    await ben.$('[data-testid="reaction"]').first().waitFor();
    assert.equal(await ben.$('[data-testid="reaction"]').first().textContent(), "🎉");
    await ben.$(".tab", { hasText: "Picture" }).click();
    await ana.page.keyboard.press("2");
    await ana.$(".tab", { hasText: "Picture" }).click();
    await ben.$('[data-testid="member"][data-name="Ana"] .state:empty').waitFor({ state: "attached" });
    await ana.page.keyboard.press("4");
    await ben.$('[data-testid="reaction"]', { hasText: "❤️" }).waitFor();
    assert.equal(await ben.$('[data-testid="reaction"]', { hasText: "👍" }).count(), 0, "that was on the other page");
    await ana.page.keyboard.press("n");
    await ana.page.keyboard.type("1 5");
    await ana.page.keyboard.press("Control+5");
    assert.equal(await ana.$('[data-testid="reaction"]').filter({ hasText: /👋|😂/ }).count(), 0, "what is typed is no shortcut");
  });

  await t.test("members who are idle, or have just left, are greyed, and people of no page of ours harm nobody", async (t) => {
    const ana = await Window.open(t, browser, `${atOne}away&name=Ana`);
    const presence = createPresence({ url: two.wsUrl });
    t.after(() => presence.close());
    const board = presence.board("away", { username: "Ben", state: { note: { text: 7 }, selected: ["x"], instance: null } });
    await ana.member("Ben").waitFor();
    board.setStatus("idle");
    board.area("slide-3");
    await ana.$('[data-testid="member"][data-name="Ben"][data-status="idle"]').waitFor();
    await ana.$('#avatars [data-status="idle"]').waitFor();
    presence.close();
    await ana.$('[data-testid="member"][data-name="Ben"][data-status="left"]').waitFor();
    assert.equal(await ana.$("#count").textContent(), "1 here");
    assert.equal(await ana.$("#avatars button").count(), 0);
    await ana.member("Ben").waitFor({ state: "detached" });
    assert.deepEqual(ana.problems, []);
  });

  await t.test("all of it is done with the keyboard", async (t) => {
    const [ana, ben] = [await Window.open(t, browser, `${atOne}keys&name=Ana`), await Window.open(t, browser, `${atTwo}keys&name=Ben`)];
    const cleo = await Window.open(t, browser, `${atTwo}keys&name=Cleo`);
    await ana.$("#avatars button").nth(1).waitFor();
    const focused = () =>
      ana.page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
    await ana.$("#avatars button").first().focus();
    await ana.page.keyboard.press("ArrowRight");
    assert.equal(await focused(), "Follow Cleo");
    await ana.page.keyboard.press("Home");
    assert.equal(await focused(), "Follow Ben");
    await ana.page.keyboard.press("Enter");
    await ana.$("#follow").waitFor();
    await ana.page.keyboard.press("Escape");
    await ana.$("#follow").waitFor({ state: "hidden" });
    assert.equal(await focused(), "Follow Ben", "the focus is where it was");

    await ana.page.keyboard.press("Tab");
    await ana.page.keyboard.press("Tab");
    assert.match((await focused()) ?? "", /^You/);
    await cleo.cursor("Ana").waitFor({ state: "visible" });
    await ana.page.keyboard.press("Enter");
    await ben.$('[data-thing="you"] .tag', { hasText: "Ana" }).waitFor();

    await ana.$("#put-note").focus();
    await ana.page.keyboard.press("Enter");
    await ana.page.keyboard.type("hello");
    const note = ben.$('[data-testid="note"]');
    await note.waitFor();
    const before = await note.boundingBox();
    await ana.$(".grip").focus();
    await ana.page.keyboard.press("ArrowDown");
    await eventually(async () => ((await note.boundingBox())?.y ?? 0) > (before?.y ?? 0) + 20, { what: "the note has moved down" });
  });

  await t.test("on a phone everything is done by touch", async (t) => {
    const ben = await Window.open(t, browser, `${atTwo}touch&name=Ben`);
    const ana = await Window.open(t, browser, `${atOne}touch&name=Ana`, { viewport: PHONE, hasTouch: true, isMobile: true });
    await ben.member("Ana").waitFor();
    await ana.page.touchscreen.tap(...(await ana.at(0.5, 0.4)));
    await ben.cursor("Ana").waitFor({ state: "visible" });
    await ana.$('[data-thing="b"]').tap();
    await ben.$('[data-thing="b"] .tag', { hasText: "Ana" }).waitFor();
    await ana.$("#reactions button").first().tap();
    await ben.$('[data-testid="reaction"]').first().waitFor();
    await ana.$("#put-note").tap();
    await ana.$("#notes textarea").fill("by thumb");
    await ben.$('[data-testid="note"]', { hasText: "by thumb" }).waitFor();
    const note = (await ana.$(".note.own").boundingBox()) ?? assert.fail("there is no note");
    await ana.drag([note.x + 30, note.y + 15], [note.x + 70, note.y - 105]);
    await eventually(async () => Math.abs(((await ana.$(".note.own").boundingBox())?.y ?? 0) - note.y + 120) < 2, {
      what: "a finger has moved the note",
    });
    // Chromium takes a tap that follows a fast drag at once for the end of that drag.
    await eventually(
      async () => {
        await ana.$("#toggle").tap();
        return (await ana.$("#toggle").getAttribute("aria-expanded")) === "true";
      },
      { what: "the sheet is open" },
    );
    await ana.member("Ben").tap();
    await ana.$("#followed", { hasText: "Ben" }).waitFor();
    assert.equal(await ana.page.evaluate(() => document.documentElement.scrollWidth), PHONE.width, "nothing is wider than the phone");
    const small = await ana.$("button:visible, a:visible").evaluateAll((all) =>
      all
        .map((each) => [each.id || each.className, each.getBoundingClientRect()] as const)
        .filter(([, { height }]) => height < 24)
        .map(([id]) => id),
    );
    assert.deepEqual(small, [], "a thumb hits every button");
  });
});
