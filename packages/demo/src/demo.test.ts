/** The parts of the page that need no browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inkOn } from "./colour.ts";
import { connectionText, displayName, instancesText, peopleOf, personOf } from "./people.ts";
import { readReaction } from "./reactions.ts";
import { serverUrl } from "./server-url.ts";
import { areaOf, NOTE_LENGTH_MAX, PAGES, pageOf, readState } from "./state.ts";

test("text on a colour is black or white, whichever can be read", () => {
  assert.equal(inkOn("#ffffff"), "#000");
  assert.equal(inkOn("#facc15"), "#000");
  assert.equal(inkOn("#1d4ed8"), "#fff");
  assert.equal(inkOn("#000000"), "#fff");
});

test("a reaction of somebody else is shown only if it is one of ours, on the board", () => {
  assert.deepEqual(readReaction({ emoji: "🎉", x: 0, y: 1, more: 1 }), { emoji: "🎉", x: 0, y: 1 });
  for (const bad of [
    null,
    undefined,
    1,
    "🎉",
    [],
    {},
    { emoji: "<b>", x: 0, y: 0 },
    { emoji: "🎉", x: 2, y: 0 },
    { emoji: "🎉", x: "0", y: 0 },
    { emoji: "🎉", x: Number.NaN, y: 0 },
  ]) {
    assert.equal(readReaction(bad), undefined);
  }
});

test("a page that is not connected shows its own trouble, and does not show the others as reconnecting", () => {
  const shown = (status: "connected" | "reconnecting" | "degraded", isSelf: boolean, instance = "a") => {
    const state = { instance };
    const theirs = status === "reconnecting" && !isSelf ? "reconnecting" : "active";
    const member = {
      memberId: "1" as never,
      userId: "1",
      username: "Ana",
      color: "#336699",
      status: theirs,
      kind: "person",
      joinedAt: 1,
      state,
    } as const;
    const { status: said, remark, instance: by } = personOf(member, isSelf, { status, instance: "a" });
    return [said, remark, by];
  };
  assert.deepEqual(shown("connected", true), ["active", "you", "a"]);
  assert.deepEqual(shown("connected", false), ["active", "", "a"]);
  assert.deepEqual(shown("reconnecting", true), ["reconnecting", "you, not connected", ""]);
  assert.deepEqual(shown("reconnecting", false), ["unknown", "", "a"]);
});

test("the sign says offline only when the network is gone, not when an instance has died", () => {
  assert.match(connectionText("reconnecting", false), /offline/);
  assert.match(connectionText("reconnecting", true), /^Connection lost/);
  for (const isOnline of [true, false]) assert.equal(connectionText("connected", isOnline), "connected");
});

test("while other instances cannot be heard, their people are shown as last known, and no number of instances is shown", () => {
  const member = {
    memberId: "1" as never,
    userId: "1",
    username: "Ana",
    color: "#336699",
    status: "active",
    kind: "person",
    joinedAt: 1,
  } as const;
  const of = (instance: string) => personOf({ ...member, state: { instance } }, false, { status: "degraded", instance: "a" });
  assert.deepEqual([of("a").status, of("b").status, of("b").remark], ["active", "unknown", "last known"]);
  assert.deepEqual([instancesText("degraded", 2), instancesText("connected", 2), instancesText("reconnecting", 2)], ["1", "2", "–"]);
});

test("a member without a visible name is Anonymous", () => {
  for (const name of ["", "  ", "\u00a0\u3000", "\u200b\ufeff\u00ad"]) assert.equal(displayName(name), "Anonymous");
  for (const name of ["Ana", "😀", " x "]) assert.equal(displayName(name), name);
});

test("a link cannot lead the page to another service than the one that it comes from", () => {
  const page = "http://board.example:3001/app/?board=x#y";
  const own = "ws://board.example:3001/app/";
  for (const asked of [
    null,
    "",
    "wss://evil.example/ws",
    "//evil.example",
    "http://board.example/",
    "javascript:alert(1)",
    "ws://board.example:3001@evil.example/",
    "ftp://board.example:3001/",
  ])
    assert.equal(serverUrl(asked, page), own, String(asked));
  for (const asked of ["/ws", "ws://board.example:3001/ws", "http://board.example:3001/ws?token=x"])
    assert.equal(serverUrl(asked, page), "ws://board.example:3001/ws", asked);
  assert.equal(serverUrl(null, "https://board.example/"), "wss://board.example/");
});

test("whatever somebody else wrote as their state, a state comes out, with no more of a note than fits", () => {
  const note = { text: "Hello", x: 0, y: 1, page: "picture" };
  assert.deepEqual(readState({ instance: "0123456789", selected: "redis", note, more: 1 }), {
    instance: "01234567",
    selected: "redis",
    note,
  });
  assert.deepEqual(readState({}), { instance: "" });
  assert.deepEqual(readState({ instance: 1, selected: null, note: "Hello" }), { instance: "" });
  for (const bad of [{ text: 1 }, { x: -0.1 }, { y: 1.1 }, { x: "0" }, { page: "attic" }, { page: null }])
    assert.equal(readState({ note: { ...note, ...bad } }).note, undefined, JSON.stringify(bad));
  assert.equal(readState({ note: { ...note, text: "😀".repeat(1000) } }).note?.text, "😀".repeat(NOTE_LENGTH_MAX));
});

test("people of an app without areas are on the first page, and those of another app's area on none", () => {
  for (const page of PAGES) assert.equal(pageOf(areaOf(page) ?? undefined), page);
  assert.deepEqual([pageOf(undefined), pageOf(""), pageOf("slide-3")], ["diagram", "diagram", undefined]);
});

test("those who have just left keep their places in the list, and are not there any more", () => {
  const member = (name: string, joinedAt: number) =>
    ({
      memberId: name as never,
      userId: name,
      username: name,
      color: "#336699",
      status: "active",
      kind: "person",
      joinedAt,
      state: { instance: "a" },
    }) as const;
  const [ana, ben, cleo, dan] = [member("Ana", 1), member("Ben", 2), member("Cleo", 3), member("Dan", 4)];
  const users = [ana, cleo].map((one) => ({ userId: one.userId, username: one.username, color: one.color, isSelf: false, members: [one] }));
  const snapshot = { status: "connected", self: cleo, others: [ana], users, justLeft: [ben, dan], memberCount: 2, userCount: 2 } as const;
  const people = peopleOf(snapshot, { status: "connected", instance: "a" });
  assert.deepEqual(
    people.map(({ name, status, isSelf }) => [name, status, isSelf]),
    [
      ["Ana", "active", false],
      ["Ben", "left", false],
      ["Cleo", "active", true],
      ["Dan", "left", false],
    ],
  );
});
