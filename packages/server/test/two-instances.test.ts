/** One board on two instances: clients of all kinds see the same people at the same places. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Board, type CursorMove, createDriver, createPresence } from "@presence-service/client";
import type { BoardId } from "@presence-service/protocol";
import {
  ClassicClient,
  type Cluster,
  eventually,
  type Instance,
  type Scope,
  SessionClient,
  startCluster,
  throughout,
} from "./harness/index.ts";

/** Longer than any answer, echo or repetition on a local Redis takes. */
const SETTLED_MS = 600;

type State = { tool?: string; size?: number };
type Events = { wave: { n: number } };

test("two instances, one Redis", { timeout: 120_000 }, async (t) => {
  const cluster = await startCluster(t);
  const { one, two } = cluster;

  await t.test("a join at the other instance is UserJoined, a move a cursor update, a leave UserLeft; rosters are equal", async (t) => {
    const ana = await ClassicClient.connect(t, one.wsUrl);
    const ben = await ClassicClient.connect(t, two.wsUrl);
    ben.join(1, "ben");
    await eventually(() => ben.board(1).count === 1, { what: "ben is on the board" });
    ana.join(1, "ana");
    await eventually(() => ben.has("user_joined", { board: 1, username: "ana" }), { what: "ben is told UserJoined" });
    await eventually(() => ana.has("user_joined", { board: 1, username: "ben" }), { what: "ana is told of ben, who was there" });
    for (const client of [ana, ben]) await eventually(() => client.board(1).count === 2, { what: "both are counted" });
    const [user] = ben.board(1).people.keys();
    for (let x = 100; x < 110; x++) {
      ana.move(1, x, 7);
      await eventually(() => ben.has("cursor_broadcast", { board: 1, user, x, y: 7 }), { what: `ben is told ${x}` });
    }

    for (const instance of [one, two]) {
      const late = await ClassicClient.connect(t, instance.wsUrl);
      late.join(1, "late");
      await eventually(() => late.board(1).count > 0, { what: "the late one has its answer" });
      const kinds = late.received.map(({ kind }) => kind).filter((kind) => kind !== "cursor_broadcast");
      assert.deepEqual(kinds, ["user_joined", "user_joined", "presence_update"], "both at once");
      assert.deepEqual([late.names(1), late.board(1).count], [["ana", "ben"], 3]);
      await eventually(() => ana.names(1).includes("late") && ben.names(1).includes("late"), { what: "the late one is seen" });
      late.leave(1);
      await eventually(() => ana.names(1).length === 1 && ben.names(1).length === 1, { what: "the late one has left" });
    }

    ana.leave(1);
    await eventually(() => ben.has("user_left", { board: 1, user }), { what: "ben is told UserLeft" });
    await eventually(() => ben.board(1).count === 1, { what: "ben is alone" });
    assert.deepEqual([...ana.violations, ...ben.violations], []);
  });

  await t.test("the first member here of a board busy elsewhere gets the whole roster in the first answer", async (t) => {
    const ana = await SessionClient.connect(t, one.wsUrl);
    const ben = await SessionClient.connect(t, one.wsUrl);
    await ana.join("doc-2", "ana", { tool: "pen" });
    await ben.join("doc-2", "ben");
    ben.move("doc-2", 5, 6);
    await eventually(() => ana.cursorOf("doc-2", "ben")?.x === 5, { what: "ana sees ben" });
    const cleo = await SessionClient.connect(t, two.wsUrl, { encoding: "binary" });
    await cleo.join("doc-2", "cleo");
    assert.deepEqual(cleo.names("doc-2"), ["ana", "ben"]);
    assert.deepEqual(cleo.memberOf("doc-2", "ana"), ana.memberOf("doc-2", "ana"));
    await eventually(() => cleo.cursorOf("doc-2", "ben")?.y === 6, { what: "cleo sees ben's cursor" });
    assert.equal(cleo.has("user_joined", { board: 2 }), false);
    nobodyWasMisled(ana, ben, cleo);
  });

  await t.test("the roster of a board with many on it comes packed, from each instance and to the SDK", async (t) => {
    const crowd = await Promise.all(
      Array.from({ length: 80 }, (_, nth) => SessionClient.connect(t, (nth % 2 === 0 ? one : two).wsUrl, { encoding: "binary" })),
    );
    await Promise.all(crowd.map((client, nth) => client.join("many", `user ${nth}`, { tool: "pen" })));
    const everybody = crowd.map((_, nth) => `user ${nth}`).sort();
    let packed = 0;
    const driver = createDriver();
    const unpack = driver.unpack ?? assert.fail("this runtime unpacks nothing");
    driver.unpack = (bytes) => {
      packed++;
      return unpack(bytes);
    };
    const presence = createPresence<State, Events>({ url: two.wsUrl, driver });
    t.after(() => presence.close());
    const board = presence.board("many", { username: "late" });
    await eventually(() => String(namesOf(board).sort()) === String(everybody), { what: () => `all are seen, not ${namesOf(board)}` });
    assert.ok(packed > 0);
    const [first] = crowd;
    first?.move("many", 1, 2);
    first?.leave("many");
    await eventually(() => board.others.length === 79, { what: "one has left" });
  });

  await t.test("binary, JSON and classic clients on one board see each other", async (t) => {
    const [sdk, json, classic] = [await sdkOn(t, one, "3", "sdk"), await SessionClient.connect(t, two.wsUrl), await classicOn(t, one)];
    await json.join("3", "json", { tool: "eraser", size: 3 });
    const far = { sdk: await sdkOn(t, two, "3", "far sdk"), binary: await SessionClient.connect(t, one.wsUrl, { encoding: "binary" }) };
    await far.binary.join("3", "binary");
    const farClassic = await classicOn(t, two, "far classic");
    const everybody = ["binary", "classic", "far classic", "far sdk", "json", "sdk"];
    const others = (name: string) => String(everybody.filter((other) => other !== name));
    const views: [string, () => string[]][] = [
      ["sdk", () => namesOf(sdk.board)],
      ["far sdk", () => namesOf(far.sdk.board)],
      ["json", () => json.names("3")],
      ["binary", () => far.binary.names("3")],
      ["classic", () => classic.names(3)],
      ["far classic", () => farClassic.names(3)],
    ];
    for (const [name, names] of views) await eventually(() => String(names()) === others(name), { what: () => `${name} sees ${names()}` });
    await eventually(() => classic.board(3).count === 6 && json.board("3").count === 6 && sdk.board.memberCount === 6, { what: "six" });

    const colour = json.memberOf("3", "sdk")?.color;
    assert.equal(sdk.board.self?.color, colour);
    const sdkAtClassic = [...farClassic.board(3).people.values()].find(({ username }) => username === "sdk");
    assert.equal(sdkAtClassic?.color, colour, "one colour everywhere");

    // Cursors: others get the SDK's fractions as integers.
    sdk.board.moveCursor(0.5, 1);
    for (const seen of [() => json.cursorOf("3", "sdk"), () => far.binary.cursorOf("3", "sdk"), () => farClassic.cursorOf(3, "sdk")]) {
      await eventually(() => seen()?.x === 32_768 && seen()?.y === 65_535, {
        what: () => `the SDK's cursor, not at ${JSON.stringify(seen())}`,
      });
    }
    classic.move(3, 100, 200);
    await eventually(() => far.sdk.cursors.get("classic")?.point.y === 200 && json.cursorOf("3", "classic")?.x === 100, {
      what: "the classic cursor at the others",
    });
    json.move("3", -5, 70_000);
    await eventually(() => far.binary.cursorOf("3", "json")?.x === -5 && sdk.cursors.get("json")?.point.y === 70_000, {
      what: "beyond 16 bits",
    });
    await eventually(() => classic.cursorOf(3, "json")?.x === 0 && classic.cursorOf(3, "json")?.y === 65_535, {
      what: "clamped for classic",
    });
    json.hide("3");
    await eventually(() => sdk.cursors.get("json")?.hidden && far.binary.cursorOf("3", "json") === undefined, {
      what: "a hidden cursor is hidden",
    });
    assert.deepEqual(farClassic.cursorOf(3, "json"), { x: 0, y: 65_535 }, "classic clients are not told of hiding");

    // State, by merge patch.
    far.sdk.board.update({ tool: "brush", size: 9 });
    await eventually(() => sameJson(json.memberOf("3", "far sdk")?.state, { tool: "brush", size: 9 }), { what: "a state arrives" });
    json.update("3", { status: "idle", state: { size: null } });
    await eventually(() => sameJson(memberOf(sdk.board, "json")?.state, { tool: "eraser" }), { what: "a patch is merged" });
    assert.equal(memberOf(sdk.board, "json")?.status, "idle");
    assert.deepEqual(far.binary.memberOf("3", "json")?.state, { tool: "eraser" });
    assert.deepEqual(memberOf(sdk.board, "classic")?.state, {});

    // Events reach all others, in order, and not the sender.
    for (let n = 0; n < 5; n++) sdk.board.broadcast("wave", { n });
    json.broadcast("3", "wave", { n: 100 });
    const heard = (client: SessionClient) =>
      client.received.flatMap((one) => (one.kind === "event" ? [Reflect.get(Object(one.data), "n")] : []));
    await eventually(() => String(heard(far.binary).filter((n) => n < 100)) === "0,1,2,3,4" && heard(far.binary).length === 6, {
      what: () => `binary hears all waves, not ${heard(far.binary)}`,
    });
    await eventually(() => String(heard(json)) === "0,1,2,3,4" && String(far.sdk.waves.filter((n) => n < 100)) === "0,1,2,3,4", {
      what: "so do the others",
    });
    await eventually(() => String(sdk.waves) === "100", { what: "the SDK hears JSON's, and not its own" });

    // Leaves.
    const gone = (name: string) => views.filter(([viewer]) => viewer !== name).every(([, names]) => !names().includes(name));
    classic.leave(3);
    views.splice(4, 1);
    await eventually(() => gone("classic"), { what: "the classic one is gone for all" });
    json.leave("3");
    views.splice(2, 1);
    await eventually(() => gone("json"), { what: "the JSON one is gone for all" });
    sdk.board.leave();
    views.splice(0, 1);
    await eventually(() => gone("sdk"), { what: "the SDK is gone for all" });
    assert.deepEqual(farClassic.names(3), ["binary", "far sdk"]);
    nobodyWasMisled(json, far.binary, classic, farClassic);
  });

  await t.test("an instance never applies its own messages: each join is told once, echoes are counted and timed", async (t) => {
    const before = await echoes(one);
    const watchers = [
      await SessionClient.connect(t, one.wsUrl),
      await SessionClient.connect(t, two.wsUrl, { encoding: "binary" }),
      await SessionClient.connect(t, two.wsUrl),
    ];
    for (const [index, watcher] of watchers.entries()) await watcher.join("doc-4", `watcher ${index}`);
    // Whoever hears of ana and her state in one message is told of one thing: first the watchers are there, then ana, then her state.
    const allSee = (what: string, see: (watcher: SessionClient) => boolean) => eventually(() => watchers.every(see), { what });
    await allSee("the watchers see each other", (watcher) => watcher.names("doc-4").length === 2);
    const ana = await SessionClient.connect(t, one.wsUrl);
    await ana.join("doc-4", "ana");
    await allSee("ana is seen", (watcher) => watcher.memberOf("doc-4", "ana") !== undefined);
    ana.update("doc-4", { state: { tool: "pen" } });
    ana.broadcast("doc-4", "wave", 1);
    await allSee("her state is seen", (watcher) => watcher.memberOf("doc-4", "ana")?.state["tool"] === "pen");
    await throughout(
      () => watchers.every((watcher) => joinsOf(watcher, "ana") === 1 && updatesOf(watcher) === 1 && !watcher.has("user_left")),
      { what: "a join and an update of ana are told once", forMs: SETTLED_MS },
    );
    assert.deepEqual(
      watchers.map((watcher) => watcher.count("event")),
      [1, 1, 1],
      "so is what she says",
    );
    assert.deepEqual([joinsOf(ana, "ana"), ana.count("event")], [0, 0], "ana is not told of herself");
    for (const client of [...watchers, ana]) assert.deepEqual([client.board("doc-4").count, client.names("doc-4").length], [4, 3]);
    const after = await echoes(one);
    assert.ok(after.counted > before.counted && after.timed > before.timed, `${JSON.stringify(before)} → ${JSON.stringify(after)}`);
    assert.equal(await one.metric("presence_slice_divergences_total"), 0);
    nobodyWasMisled(...watchers, ana);
  });

  await t.test("[R21.1] an event for some reaches them on both instances in every encoding, and nobody else", async (t) => {
    const sdk = await sdkOn(t, one, "8", "sdk");
    const near = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
    const far = await SessionClient.connect(t, two.wsUrl);
    const farBinary = await SessionClient.connect(t, two.wsUrl, { encoding: "binary" });
    const farSdk = await sdkOn(t, two, "8", "far sdk");
    for (const [client, name] of [
      [near, "near"],
      [far, "far"],
      [farBinary, "far binary"],
    ] as const)
      await client.join("8", name);
    await eventually(() => sdk.board.others.length === 4 && near.names("8").length === 4, { what: "all are there" });
    const named = (name: string) => memberOf(sdk.board, name) ?? assert.fail(`no ${name}`);

    sdk.board.to([named("near"), named("far")]).broadcast("wave", { n: 1 });
    sdk.board.to({ userId: named("far sdk").userId }).broadcast("wave", { n: 2 });
    far.send({ kind: "broadcast", board: "8" as BoardId, name: "wave", data: { n: 3 }, userIds: [farBinary.memberId, far.memberId] });
    near.broadcast("8", "wave", { n: 4 });
    const heard = () => [
      ...[near, far, farBinary].map((client) =>
        client.received.flatMap((one) => (one.kind === "event" ? [Reflect.get(Object(one.data), "n")] : [])),
      ),
      farSdk.waves,
      sdk.waves,
    ];
    const meant = [[1], [1, 4], [3, 4], [2, 4], [4]];
    await eventually(() => heard().flat().length === 8, { what: () => `all are told, not ${JSON.stringify(heard())}` });
    await throughout(() => heard().flat().length === 8, { what: "and nothing more", forMs: SETTLED_MS });
    assert.deepEqual(
      heard().map((waves) => [...waves].sort()),
      meant,
    );
    nobodyWasMisled(near, far, farBinary);
  });

  await t.test("[R19.1] an observer of either encoding sees what happens on both instances, and nobody sees it", async (t) => {
    const ana = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
    await ana.join("9", "ana");
    const classic = await ClassicClient.connect(t, one.wsUrl);
    classic.join(9, "cleo");
    const presence = createPresence<State, Events>({ url: two.wsUrl });
    t.after(() => presence.close());
    const seen = presence.observe("9");
    const cursors = new Map<string, number>();
    const waves: number[] = [];
    seen.cursors.subscribe((moved) => moved.forEach(({ member, point }) => void cursors.set(member.username, point.x)));
    seen.on("wave", ({ data }) => waves.push(data.n));
    const json = await SessionClient.connect(t, two.wsUrl);
    json.send({ kind: "join", boardId: "9" as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
    await eventually(() => String(namesOf(seen)) === "ana,cleo" && json.has("joined", { observe: true }), {
      what: () => `the observers see both, not ${namesOf(seen)}`,
    });
    ana.move("9", 77, 7);
    classic.move(9, 88, 8);
    ana.broadcast("9", "wave", { n: 1 });
    await eventually(() => cursors.get("ana") === 77 && cursors.get("cleo") === 88 && waves.length === 1 && json.has("event"), {
      what: "places and events reach them",
    });
    assert.deepEqual([seen.self, seen.memberCount, seen.broadcast("wave", { n: 2 })], [null, 2, false]);
    assert.deepEqual([await two.metric("presence_observers"), await one.metric("presence_observers")], [2, 0]);
    await eventually(() => ana.has("presence_update", { observed: true }), { what: "ana is told that somebody observes" });
    assert.deepEqual([ana.names("9"), ana.board("9").count, classic.names(9), classic.board(9).count], [["cleo"], 2, ["ana"], 2]);

    const mine = presence.board("9", { username: "olga" });
    await eventually(() => ana.names("9").includes("olga") && classic.board(9).count === 3, { what: "an observer becomes a member" });
    assert.equal(mine.self?.username, "olga");
    mine.leave();
    await eventually(() => !ana.names("9").includes("olga") && classic.board(9).count === 2, { what: "and an observer again" });
    assert.equal(seen.self, null);
    nobodyWasMisled(ana, classic);
  });

  await t.test("[C7] [R15.1] a watcher at one instance is told how many are on boards at the other, in every encoding", async (t) => {
    const presence = createPresence<State, Events>({ url: two.wsUrl });
    t.after(() => presence.close());
    const watch = presence.watch(["15", "16"]);
    const json = await SessionClient.connect(t, two.wsUrl);
    json.send({ kind: "watch", boards: ["15", "16"] as BoardId[] });
    await eventually(() => watch.counts.get("15")?.members === 0 && watch.counts.size === 2, { what: "nobody is on either" });
    const ana = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
    await ana.join("15", "ana");
    const classic = await ClassicClient.connect(t, one.wsUrl);
    classic.join(15, "cleo");
    await eventually(() => watch.counts.get("15")?.members === 2, { what: () => `two are there, not ${watch.counts.get("15")?.members}` });
    assert.deepEqual(
      [watch.counts.get("15"), watch.counts.get("16")],
      [
        { members: 2, users: 2 },
        { members: 0, users: 0 },
      ],
    );
    await eventually(() => json.received.some((told) => told.kind === "occupancy" && told.boards[0]?.members === 2), {
      what: "the JSON client is told",
    });
    assert.equal(await two.metric("presence_watched_boards"), 2);
    ana.leave("15");
    await eventually(() => watch.counts.get("15")?.members === 1, { what: "one is there" });
    nobodyWasMisled(ana, classic);
  });

  await t.test("several boards of one connection do not mix", async (t) => {
    const ana = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
    const ben = await SessionClient.connect(t, two.wsUrl);
    for (const board of ["doc-5", "doc-6", "doc-7"]) {
      await ana.join(board, `ana on ${board}`);
      await ben.join(board, `ben on ${board}`);
    }
    ana.move("doc-6", 66, 66);
    ben.leave("doc-7");
    await eventually(() => ben.cursorOf("doc-6", "ana on doc-6")?.x === 66 && ana.names("doc-7").length === 0, {
      what: "each on its board",
    });
    assert.deepEqual([ana.names("doc-5"), ana.names("doc-6")], [["ben on doc-5"], ["ben on doc-6"]]);
    assert.equal(ben.cursorOf("doc-5", "ana on doc-5"), undefined);
    nobodyWasMisled(ana, ben);
  });
});

/** The SDK under Node, with all calls of its listeners. */
async function sdkOn(t: TestContext, instance: Cluster["one"], id: string, username: string) {
  const presence = createPresence<State, Events>({ url: instance.wsUrl });
  t.after(() => presence.close());
  const board: Board<State, Events> = presence.board(id, { username });
  const cursors = new Map<string, CursorMove<State>>();
  const waves: number[] = [];
  board.cursors.subscribe((moved) => {
    for (const move of moved) cursors.set(move.member.username, move);
  });
  board.on("wave", ({ data }) => waves.push(data.n));
  await eventually(() => board.status === "connected" && board.self !== null, {
    what: () => `${username} is connected, not ${board.status}`,
  });
  return { board, cursors, waves };
}

async function classicOn(scope: Scope, instance: Instance, username = "classic"): Promise<ClassicClient> {
  const client = await ClassicClient.connect(scope, instance.wsUrl);
  client.join(3, username);
  await eventually(() => client.board(3).count > 0, { what: `${username} is on the board` });
  return client;
}

function namesOf(board: Board<State, Events>): string[] {
  return board.others.map(({ username }) => username).sort();
}

function memberOf(board: Board<State, Events>, username: string) {
  return board.others.find((member) => member.username === username);
}

function joinsOf(client: SessionClient, username: string): number {
  return client.received.filter((message) => message.kind === "user_joined" && message.member.username === username).length;
}

/** Of states: colours are another matter, as two who come at once to two instances may have to give one up. */
function updatesOf(client: SessionClient): number {
  return client.received.filter((message) => message.kind === "user_updated" && "state" in message.patch).length;
}

async function echoes(instance: Instance): Promise<{ counted: number; timed: number }> {
  const metrics = await instance.metrics();
  return { counted: metrics("presence_bus_echoes_total"), timed: metrics("presence_bus_echo_seconds_count") };
}

function sameJson(actual: unknown, expected: unknown): boolean {
  assert.deepEqual(actual, expected);
  return true;
}

function nobodyWasMisled(...clients: readonly { readonly violations: readonly string[] }[]): void {
  assert.deepEqual(
    clients.flatMap(({ violations }) => violations),
    [],
  );
}
