/** The types of the SDK, in an app that gives its own `State` and `Events`. Each `@ts-expect-error` is a mistake that they must refuse. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "./client.ts";
import type { CursorMove, Member } from "./index.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { atDesk, greet, joined, memberOf } from "./testing/service.ts";

test("the contract of the API, as an app's types see it", async () => {
  type State = { tool: "pen" | "select"; selection: string[]; note?: string };
  type Events = { reaction: { emoji: string } };
  const driver = new FakeDriver();
  const presence = createPresence<State, Events>({ url: "ws://test", driver, token: () => "t" });
  const board = presence.board("doc-42", { username: "Ana", state: { tool: "pen", selection: [] } });
  const drawn: CursorMove<State>[] = [];
  const tools: State["tool"][] = [];
  board.subscribe(() => tools.push(...board.snapshot().others.map((member: Member<State>) => member.state.tool)));
  board.cursors.subscribe((moved) => drawn.push(...moved));
  board.on("user_joined", ({ member }) => tools.push(member.state.tool));
  board.on("reaction", ({ member, data }) => tools.push(member.state.tool, data.emoji === "🎉" ? "select" : "pen"));
  board.on("error", (error) => assert.fail(error.code));
  board.update({ tool: "select", note: null });
  const socket = await greet(driver);
  const ben = memberOf("ben", { state: { tool: "pen", selection: [] } });
  socket.serve(joined("doc-42", [ben]), { kind: "event", board: 7, actor: 1, name: "reaction", data: { emoji: "🎉" } });
  assert.equal(board.broadcast("reaction", { emoji: "🎉" }), true);
  assert.deepEqual([tools, drawn, board.self?.state.tool], [["pen", "pen", "pen", "select"], [], "select"]);
  const [shown] = board.others;
  assert.ok(shown);
  const followed: (State["tool"] | undefined)[] = [];
  const stop = board.follow(shown, ({ member, cursor }) => followed.push(member.state.tool, cursor?.member.state.tool));
  stop();
  assert.deepEqual([followed, board.justLeft], [["pen", undefined, "pen", undefined], []]);
  // @ts-expect-error: a list, "all" or null
  assert.throws(() => board.look("slide-3"));
  // @ts-expect-error: no such tool
  board.update({ tool: "brush" });
  // @ts-expect-error: a required field cannot be removed
  board.update({ selection: null });
  // @ts-expect-error: no such event
  board.broadcast("applause", {});
  // @ts-expect-error: State has required fields
  presence.board("doc-43", { username: "Ana" });
});

test("a state that cannot be parsed is reported and shown as empty", async () => {
  const parseState = (state: object) => {
    if (!("tool" in state)) throw new Error("no tool");
    return { tool: String(state.tool) };
  };
  const { board, driver } = await atDesk(["ana", memberOf("ben", { state: { tool: 7 } })], { tool: "pen" }, { parseState });
  assert.deepEqual(
    board.others.map(({ state }) => state),
    [{}, { tool: "7" }],
  );
  assert.equal(driver.reports.length, 1);
});

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? unknown : never;
/** The compiler refuses a value of any other type, `any` included. */
const exactly =
  <Wanted>() =>
  <Given>(_value: Given & Same<Wanted, Given>) => {};

test("an app that names no types gets them of parseState, and JSON without it", () => {
  const options = { url: "ws://test", driver: new FakeDriver() };
  const parsed = createPresence({ ...options, parseState: (state) => ({ tool: String(state["tool"]) }) });
  const board = parsed.board("doc-42", { state: { tool: "pen" } });
  exactly<readonly Member<{ tool: string }>[]>()(board.others);
  exactly<(told: () => void) => () => void>()(board.subscribe);
  board.cursors.subscribe((moved) => exactly<readonly CursorMove<{ tool: string }>[]>()(moved));
  exactly<readonly Member[]>()(createPresence(options).board("doc-42").others);
  parsed.close();
});
