/** Cursors belong to areas: each socket is sent those of the areas at which it looks, encoded once for all who look there. R20, F1, F4, F6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { Areas } from "./areas.ts";
import { PRICE } from "./budget.ts";
import { OUTBOX } from "./outbox.ts";

function enterAt(desk: Desk, encoding: "binary" | "json", area: string, username: string): Client {
  const client = desk.enter(encoding, "7", username);
  go(client, area);
  desk.clock.advance(100);
  return client;
}

function go(client: Client, area: string): void {
  client.say({ kind: "update", board: client.ref("7"), area });
}

function look(client: Client, areas?: readonly string[] | "all"): void {
  client.say({ kind: "look", board: client.ref("7"), ...(areas === "all" ? { all: true } : areas && { areas }) });
}

function observe(desk: Desk, encoding: "binary" | "json"): Client {
  const client = desk.enter(encoding);
  client.say({ kind: "join", boardId: "7" as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
  desk.clock.advance(200);
  client.socket.takeFrames();
  return client;
}

function settle(desk: Desk, clients: readonly Client[]): void {
  desk.clock.advance(200);
  for (const { socket } of clients) socket.takeFrames();
}

/** The places that the client was sent since the last look, as `x`, or `-` for a hidden cursor; a list for each frame. */
function xs({ socket, encoding }: Client): (number | "-")[][] {
  if (encoding === "classic") return socket.takeClassic().flatMap((message) => (message.kind === "cursor_broadcast" ? [[message.x]] : []));
  return socket.takeMessages().flatMap((message) => (message.kind === "cursors" ? [message.moves.map(({ at }) => at?.x ?? "-")] : []));
}

test("[R20.1] [F1] moves of a tick are one frame for each area, the same bytes for all who look there", async () => {
  const desk = await Desk.open();
  const people = ["a", "a", "a", "b", "b", ""].map((area, nth) => enterAt(desk, "binary", area, `p${nth}`));
  const watcher = observe(desk, "binary");
  settle(desk, [...people, watcher]);
  for (const [nth, client] of people.entries()) client.move("7", nth, 0);
  desk.clock.turn();
  const [first, second, third, fourth, fifth] = people.map(({ socket }) => socket.written[0]);
  assert.ok(first === second && second === third && fourth === fifth && first !== fourth, "not the same objects");
  assert.deepEqual(people.map(xs), [[[0, 1, 2]], [[0, 1, 2]], [[0, 1, 2]], [[3, 4]], [[3, 4]], []]);
  assert.deepEqual(xs(watcher), [[0, 1, 2, 3, 4, 5]], "an observer looks at everything");
});

test("[R22.3] [R22.4] a path is told where its place is, and not with last places", async () => {
  const desk = await Desk.open();
  const [ana, ben, cleo] = ["a", "b", "a"].map((area) => enterAt(desk, "binary", area, `in ${area}`)) as [Client, Client, Client];
  const watcher = observe(desk, "json");
  settle(desk, [ana, ben, cleo, watcher]);
  const path = { stamp: 5, earlier: [{ ms: 1, dx: 2, dy: 3 }] };
  const point = () => {
    for (const client of [ana, ben]) client.say({ kind: "cursor", board: client.ref("7"), at: { x: desk.clock.now(), y: 0 }, path });
    desk.clock.advance(100);
  };
  const paths = ({ socket }: Client) =>
    socket.takeMessages().flatMap((message) => (message.kind === "cursors" ? [(message.paths ?? []).map(({ earlier }) => earlier)] : []));
  point();
  assert.deepEqual([cleo, watcher, ben].map(paths), [[[path.earlier]], [[path.earlier, path.earlier]], []]);
  look(cleo, ["b"]);
  desk.clock.advance(100);
  assert.deepEqual(paths(cleo), [[]], "the last places there");
  point();
  assert.deepEqual(paths(cleo), [[path.earlier]]);
});

test("[F1] [F6] a socket for which its own cursor is the only news in its areas gets nothing", async () => {
  const desk = await Desk.open();
  const ana = enterAt(desk, "binary", "a", "Ana");
  const ben = enterAt(desk, "json", "b", "Ben");
  settle(desk, [ana, ben]);
  ana.move("7", 1, 0);
  ben.move("7", 2, 0);
  desk.clock.advance(100);
  assert.deepEqual([ana.socket.takeFrames(), ben.socket.takeFrames()], [[], []]);
  look(ana, ["a", "b"]);
  settle(desk, [ana]);
  ana.move("7", 3, 0);
  ben.move("7", 4, 0);
  desk.clock.advance(100);
  assert.deepEqual([xs(ana), ben.socket.takeFrames()], [[[4]], []]);
});

for (const encoding of ["binary", "json"] as const) {
  test(`[R20.2] look: exactly the areas that are named, all of them, or one's own again: ${encoding}`, async () => {
    const desk = await Desk.open();
    const others = ["a", "b", ""].map((area) => enterAt(desk, "binary", area, `in ${area}`));
    const eve = enterAt(desk, encoding, "a", "Eve");
    settle(desk, [...others, eve]);
    const seen = (areas?: readonly string[] | "all") => {
      look(eve, areas);
      settle(desk, [eve]);
      for (const [nth, other] of others.entries()) other.move("7", nth, desk.clock.now());
      desk.clock.advance(100);
      return xs(eve).flat();
    };
    assert.deepEqual(seen(["b"]), [1]);
    assert.deepEqual(seen(["", "b", "b"]), [2, 1]);
    assert.deepEqual(seen([]), []);
    assert.deepEqual(seen(["nowhere"]), []);
    assert.deepEqual(seen("all"), [0, 1, 2]);
    assert.deepEqual(seen(), [0]);
    eve.say({ kind: "look", board: eve.ref("7"), areas: ["b"], all: false });
    eve.leave("7");
    eve.join("7", "Eve");
    assert.deepEqual(seen(), [2], "a look ends with the place on the board");
  });

  test(`[R20.3] whoever begins to look at an area is sent the last places there, once: ${encoding}`, async () => {
    const desk = await Desk.open();
    const ben = enterAt(desk, "binary", "b", "Ben");
    const cleo = enterAt(desk, "binary", "b", "Cleo");
    const eve = enterAt(desk, encoding, "a", "Eve");
    ben.move("7", 1, 0);
    cleo.move("7", 2, 0);
    settle(desk, [ben, cleo, eve]);
    look(eve, ["b"]);
    desk.clock.advance(100);
    assert.deepEqual(xs(eve), [[1, 2]]);
    look(eve);
    desk.clock.advance(100);
    assert.deepEqual(xs(eve), [], "nobody points in a");
    go(eve, "b");
    // A move of the same tick is among the last places, and is not told twice.
    ben.move("7", 3, 0);
    desk.clock.advance(100);
    assert.deepEqual(xs(eve), [[3, 2]]);
    desk.clock.advance(1000);
    assert.deepEqual(eve.socket.takeFrames(), []);
  });
}

test("[R20.3] [F1] those who begin to look at an area in one tick share its frame", async () => {
  const desk = await Desk.open();
  const ben = enterAt(desk, "binary", "b", "Ben");
  const [ana, cleo] = [enterAt(desk, "binary", "a", "Ana"), enterAt(desk, "binary", "c", "Cleo")];
  ben.move("7", 1, 0);
  settle(desk, [ben, ana, cleo]);
  look(ana, ["b"]);
  look(cleo, ["b"]);
  desk.clock.turn();
  assert.equal(ana.socket.written.length, 1);
  assert.equal(ana.socket.written[0], cleo.socket.written[0]);
});

test("[R20.4] who changes the area points nowhere until the next move: not in the old one, not in the new one", async () => {
  const desk = await Desk.open();
  const ana = enterAt(desk, "binary", "a", "Ana");
  const [ben, cleo] = [enterAt(desk, "json", "a", "Ben"), enterAt(desk, "json", "b", "Cleo")];
  ana.move("7", 1, 0);
  settle(desk, [ana, ben, cleo]);
  // A move that waits for the tick belongs to the old area, too.
  ana.move("7", 2, 0);
  go(ana, "b");
  desk.clock.advance(100);
  assert.deepEqual([xs(ben), xs(cleo)], [[], [["-"]]]);
  const late = desk.enter("json");
  late.join("7", "late");
  desk.clock.advance(200);
  const [joined] = late.socket.takeMessages();
  assert.ok(joined?.kind === "joined" && joined.roster.every(({ at }) => at === undefined));
  ana.move("7", 3, 0);
  desk.clock.advance(100);
  assert.deepEqual([xs(ben), xs(cleo)], [[], [[3]]]);
});

test("a place that was told before the board let its client in is not one of the area that the client chose later", async () => {
  const desk = await Desk.open();
  await Desk.open({ beside: desk }); // with another instance the roster is waited for
  desk.clock.advance(2000);
  const ana = desk.enter("json");
  ana.join("7", "Ana");
  ana.move("7", 7, 8);
  go(ana, "b");
  desk.clock.advance(300);
  const [joined] = ana.socket.takeMessages();
  assert.ok(joined?.kind === "joined");
  assert.deepEqual([joined.roster[0]?.member.area, joined.roster[0]?.at], ["b", undefined]);
});

test("[F4] a socket that was behind gets the latest places of the areas at which it looks by then", async () => {
  const desk = await Desk.open();
  const ben = enterAt(desk, "binary", "b", "Ben");
  const cleo = enterAt(desk, "binary", "c", "Cleo");
  const slow = enterAt(desk, "binary", "b", "slow");
  const other = enterAt(desk, "binary", "b", "other");
  settle(desk, [ben, cleo, slow, other]);
  cleo.move("7", 9, 0);
  desk.clock.advance(100);
  for (const { socket } of [slow, other]) socket.queuedBytes = OUTBOX.lowBytes + 1;
  ben.move("7", 1, 0);
  desk.clock.advance(100);
  go(slow, "c");
  ben.move("7", 2, 0);
  desk.clock.advance(100);
  for (const { socket } of [slow, other]) {
    socket.takeFrames();
    socket.drain();
  }
  desk.clock.advance(100);
  assert.deepEqual([xs(slow), xs(other)], [[[9]], [[2]]]);
});

test("a classic client is shown the cursors of those who are in no area, as it is itself", async () => {
  const desk = await Desk.open();
  const [cleo, dan] = [desk.enter("classic", "7", "Cleo"), desk.enter("classic", "7", "Dan")];
  const ana = enterAt(desk, "json", "a", "Ana");
  const ben = desk.enter("binary", "7", "Ben");
  settle(desk, [cleo, dan, ana, ben]);
  ana.move("7", 1, 0);
  ben.move("7", 2, 0);
  cleo.move("7", 3, 0);
  desk.clock.advance(100);
  assert.deepEqual([cleo, dan, ana, ben].map(xs), [[[2]], [[2], [3]], [], [[2, 3]]]);
  dan.socket.queuedBytes = OUTBOX.rosterBytesMax * 4;
  desk.enter("binary", "7", "Eve");
  desk.clock.advance(100);
  dan.socket.takeFrames();
  dan.socket.drain();
  desk.clock.advance(100);
  assert.deepEqual(xs(dan).flat(), [3, 2], "a fresh roster, too");
});

test("[F1] a board that is not divided any more is written in one piece, as before", async () => {
  const desk = await Desk.open();
  const [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map((name) => desk.enter("binary", "7", name)) as [Client, Client, Client];
  const pieces = () => {
    settle(desk, [ana, ben, cleo]);
    ana.move("7", desk.clock.now(), 0);
    ben.say({ kind: "update", board: ben.ref("7"), state: { at: desk.clock.now() } });
    desk.clock.turn();
    const { length } = cleo.socket.written;
    return length;
  };
  assert.equal(pieces(), 1);
  look(ana, ["b"]);
  look(ben, ["b", "c"]);
  go(cleo, "b");
  assert.equal(pieces(), 1, "the roster alone");
  go(cleo, "");
  assert.equal(pieces(), 2);
  look(ana);
  assert.equal(pieces(), 2);
  ben.leave("7");
  ben.join("7", "Ben");
  assert.equal(pieces(), 1);
});

test("[R20.1] a member whose session another connection has taken over looks at its area all the same", async () => {
  const desk = await Desk.open();
  const ben = enterAt(desk, "binary", "b", "Ben");
  ben.move("7", 1, 0);
  const ana = enterAt(desk, "binary", "a", "Ana");
  const again = desk.connect("json");
  again.hello({ resumeToken: ana.resumeToken });
  again.join("7", "Ana", 50);
  desk.clock.advance(200);
  settle(desk, [again, ben]);
  go(again, "b");
  desk.clock.advance(100);
  assert.deepEqual(xs(again), [[1]]);
});

test("[C4] look costs its price and the bytes of the places, and is refused where one is not", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "7", "Ana");
  const others = Array.from({ length: 50 }, (_, nth) => enterAt(desk, "binary", "b", `p${nth}`));
  for (const [nth, other] of others.entries()) other.move("7", nth, 0);
  settle(desk, [ana]);
  let charged = 0;
  const { account } = ana.connection;
  const spend = account.spend.bind(account);
  account.spend = (work) => {
    charged += work;
    return spend(work);
  };
  look(ana, ["b"]);
  desk.clock.advance(100);
  const bytes = ana.socket.takeFrames().reduce((sum, { payload }) => sum + payload.length + 4, 0);
  assert.ok(bytes > 250 && charged >= PRICE.message + PRICE.look + bytes * PRICE.byteOfRoster, `${charged} for ${bytes} bytes`);
  ana.leave("7");
  ana.say({ kind: "look", board: 4_000_000, all: true });
  const [error] = ana.socket.takeMessages();
  assert.equal(error?.kind === "error" && error.code, "not_joined");
});

test("areas: numbers are taken again when nobody is in an area and nobody looks at it", () => {
  const areas = new Areas();
  for (let round = 0; round < 1000; round++) {
    const looked = areas.take([`x${round}`, `y${round}`, `x${round}`]);
    assert.equal(areas.set(1, `a${round}`), round > 0);
    assert.equal(areas.set(1, `a${round}`), false);
    areas.set(2, `y${round}`);
    assert.equal(areas.of(2), looked[1]);
    assert.ok(areas.isDivided);
    assert.deepEqual(areas.split([1, 5, 6, 2, 7, 8, 3, 9, 9]).filter(Boolean).length, 2);
    areas.giveBack(looked);
    areas.remove(2);
    areas.remove(2);
    assert.ok(!areas.isDivided);
    assert.ok(Math.max(...looked, areas.of(1) ?? 0) < 5, String(looked));
  }
});

test("[R20.5] which areas a client looks at is not said on the bus", async () => {
  const desk = await Desk.open();
  const ana = enterAt(desk, "binary", "a", "Ana");
  desk.clock.advance(3_000);
  const channels: string[] = [];
  const deliver = desk.bus.deliver.bind(desk.bus);
  desk.bus.deliver = (channel, message) => {
    channels.push(channel);
    return deliver(channel, message);
  };
  look(ana, ["b", "c"]);
  look(ana, "all");
  desk.clock.advance(1_000);
  assert.deepEqual(new Set(channels), new Set(["test:global"]), "heartbeats alone");
});
