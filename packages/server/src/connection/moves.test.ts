/** Moves that go to single instances (R25): two or three whole instances on a fake clock, and every message that they publish. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId } from "@presence-service/protocol";
import { BusRefused, Channels } from "../bus/bus.ts";
import { decodeRedisMessage, encodeRedisMessage } from "../bus/envelope.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { BusMessage } from "../core/messages.ts";
import { ana as ana_ } from "../testing/ana.ts";
import { type Client, Desk } from "../testing/desk.ts";

const CHANNELS = new Channels("test");
/** By then a board that moves has gone over its own channel, and may not do so again for a while. */
const SHORT_MS = 100;

type Said = { readonly channel: string; readonly from: InstanceId; readonly message: BusMessage };

class Team {
  readonly desks: readonly Desk[];
  readonly said: Said[] = [];

  private constructor(desks: readonly Desk[]) {
    this.desks = desks;
    this.first.bus.onPublish = (channel, bytes) => {
      const decoded = decodeRedisMessage(bytes);
      assert.ok(decoded.ok);
      this.said.push({ channel, ...decoded.value });
    };
  }

  /** They have met, and their own channels work. */
  static async open(count: number): Promise<Team> {
    const first = await Desk.open();
    const desks = [first];
    while (desks.length < count) desks.push(await Desk.open({ beside: first }));
    const team = new Team(desks);
    await team.pass(3000);
    return team;
  }

  get first(): Desk {
    return this.desk(0);
  }

  desk(index: number): Desk {
    return this.desks[index] ?? assert.fail("no such instance");
  }

  id(index: number): InstanceId {
    return this.desk(index).manager.instanceId;
  }

  /** The channel of that instance. */
  own(index: number): string {
    return CHANNELS.moves(this.id(index));
  }

  /** The answers of the bus are promises, so time passes in steps. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SHORT_MS) {
      this.first.clock.advance(Math.min(SHORT_MS, left));
      await new Promise(setImmediate);
    }
  }

  /** On that board at these instances, after all were told of each other. */
  async on(board: string, ...at: number[]): Promise<Client[]> {
    const people = at.map((index) => this.desk(index).enter("binary", board));
    await this.pass(2000);
    return people;
  }

  /** All of them move in one turn: once over the board's channel, as after any rest, and then once more. Answers the channels of the latter. */
  async moved(...movers: readonly (readonly [Client, string])[]): Promise<string[]> {
    for (const [client, board] of movers) client.move(board, 1, 1);
    await this.pass(SHORT_MS);
    return this.movedOnce(...movers);
  }

  async movedOnce(...movers: readonly (readonly [Client, string])[]): Promise<string[]> {
    this.said.length = 0;
    for (const [client, board] of movers) client.move(board, 2, 2);
    await this.pass(SHORT_MS);
    return this.channels("moves", "cursors");
  }

  channels(...kinds: BusMessage["kind"][]): string[] {
    return this.said.flatMap(({ channel, message }) => (kinds.includes(message.kind) ? [channel] : []));
  }
}

/** Where that client sees cursors. */
function places({ socket }: Client): string[] {
  return socket.takeMessages().flatMap((message) => (message.kind === "cursors" ? message.moves.map(({ at }) => `${at?.x},${at?.y}`) : []));
}

const cursorsOf = (seq: number, moves: readonly number[]) => ({ kind: "cursors", seq, moves }) as const;

test("[R25.3] moves go to the channel of the instance with viewers, and do not come back", async () => {
  const team = await Team.open(2);
  const [ana, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  ana.move("b", 1, 1);
  await team.pass(SHORT_MS);
  ben.socket.takeMessages();
  const before = team.first.metrics.echoes;
  assert.deepEqual(await team.movedOnce([ana, "b"]), [team.own(1)]);
  assert.deepEqual([places(ben), team.first.metrics.echoes], [["2,2"], before]);
});

test("[R25.6] the moves of ten boards in one turn are one message for each instance that needs some", async () => {
  const team = await Team.open(3);
  const movers: [Client, string][] = [];
  const viewers: Client[] = [];
  for (let board = 0; board < 10; board++) {
    const [mover, viewer] = (await team.on(`b${board}`, 0, 1 + (board % 2))) as [Client, Client];
    movers.push([mover, `b${board}`]);
    viewers.push(viewer);
  }
  for (const [client, board] of movers) client.move(board, 1, 1);
  await team.pass(SHORT_MS);
  for (const viewer of viewers) viewer.socket.takeMessages();
  const before = team.first.metrics.published.moves;
  assert.deepEqual((await team.movedOnce(...movers)).sort(), [team.own(1), team.own(2)]);
  assert.equal(team.first.metrics.published.moves - before, 2);
  assert.deepEqual(viewers.map(places), Array(10).fill(["2,2"]));
});

test("[R25.6] where single messages would be more than one for each board, a board has its own channel", async () => {
  const team = await Team.open(3);
  const [ana, ben, cleo] = (await team.on("b", 0, 1, 2)) as [Client, Client, Client];
  assert.deepEqual(await team.moved([ana, "b"]), ["test:board:b"]);
  for (const viewer of [ben, cleo]) assert.ok(places(viewer).includes("2,2"));
});

test("[R25.8] now and then moves go over the board's channel, also where nobody rests", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  team.said.length = 0;
  const seconds = 10;
  for (let at = 0; at < seconds * 1000; at += SHORT_MS) {
    ana.move("b", at, 1);
    await team.pass(SHORT_MS);
  }
  const due = (seconds * 1000) / CONSTANTS.moveHereMs;
  const onBoard = team.channels("cursors").length;
  assert.ok(onBoard >= due && onBoard <= due + 1, `${onBoard} of about ${due}`);
  assert.ok(team.channels("moves").length > 80);
});

test("[R25.8] a board whose subscription is lost is subscribed anew, though its moves go elsewhere", async () => {
  const team = await Team.open(2);
  const [ana, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  await team.moved([ana, "b"]);
  team.first.end.forgotten.add("test:board:b");
  for (let at = 0; at < CONSTANTS.moveHereMs + CONSTANTS.boardUnechoedMs + 2 * SHORT_MS; at += SHORT_MS) {
    ana.move("b", at, 1);
    await team.pass(SHORT_MS);
  }
  assert.deepEqual([...team.first.end.forgotten], []);
  assert.ok(places(ben).length > 20);
});

test("[R25.4] where more listen than have spoken, moves go over the board's channel", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  const stranger = team.first.bus.connect();
  stranger.wanted.add("test:board:b");
  assert.deepEqual(await team.moved([ana, "b"]), ["test:board:b"]);
  stranger.wanted.delete("test:board:b");
  await team.pass(CONSTANTS.moveHereMs);
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(1)]);
});

test("[R25.4] before Redis has told how many listen, moves go over the board's channel", async () => {
  const team = await Team.open(2);
  const [ana, ben] = [team.desk(0).enter("binary", "b"), team.desk(1).enter("binary", "b")];
  team.first.clock.advance(2000);
  assert.deepEqual(places(ben), []);
  team.said.length = 0;
  for (let x = 1; x < 4; x++) {
    ana.move("b", x, 1);
    // The answers of the bus are promises: none of them is here yet.
    team.first.clock.advance(20);
  }
  assert.deepEqual(
    team.said.flatMap(({ from, channel, message }) => (from === team.id(0) && message.kind !== "heartbeat" ? [channel] : [])),
    Array(3).fill("test:board:b"),
  );
});

test("[R25.3] an instance that may have members, as it is in doubt, is told", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0)) as [Client];
  const beacon = encodeRedisMessage({ from: team.id(1), link: 1, message: { kind: "beacon", seq: 99, hash: 1, count: 1 } });
  team.first.listener.message("test:board:b", beacon);
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(1)]);
});

test("[R25.3] an instance whose last viewer has left is told no more, while others are", async () => {
  const team = await Team.open(3);
  const boards = ["b", "c"];
  const movers: [Client, string][] = [];
  const leavers: [Client, string][] = [];
  for (const board of boards) {
    const [mover, , leaver] = (await team.on(board, 0, 1, 2)) as [Client, Client, Client];
    movers.push([mover, board]);
    leavers.push([leaver, board]);
  }
  assert.deepEqual((await team.moved(...movers)).sort(), [team.own(1), team.own(2)]);
  for (const [client, board] of leavers) client.leave(board);
  await team.pass(2000);
  assert.deepEqual(await team.moved(...movers), [team.own(1)]);
});

test("[R25.3] an instance with observers alone is told, and one whose last viewer left is not", async () => {
  const team = await Team.open(3);
  const [ana, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  const olga = team.desk(2).enter("binary");
  olga.say({ kind: "join", boardId: "b" as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
  await team.pass(2000);
  ben.leave("b");
  await team.pass(2000);
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(2)]);
  assert.deepEqual(places(olga).at(-1), "2,2");
  olga.leave("b");
  await team.pass(2000);
  assert.deepEqual(await team.moved([ana, "b"]), []);
});

test("[R25.3] a newcomer is told every move from the first answer on", async () => {
  const team = await Team.open(3);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  await team.moved([ana, "b"]);
  const cleo = team.desk(2).connect("binary");
  cleo.hello();
  cleo.join("b", "cleo");
  let x = 10;
  const seen: string[] = [];
  for (let step = 0; step < 40; step++) {
    ana.move("b", x++, 1);
    team.first.clock.advance(20);
    await new Promise(setImmediate);
    seen.push(...places(cleo));
  }
  // She has the places of all who are there by then, and each later one; an answer may tell one of them again.
  const told = [...new Set(seen)];
  assert.deepEqual(
    told,
    Array.from({ length: told.length }, (_, nth) => `${x - told.length + nth},1`),
  );
  assert.ok(told.length >= 30, `${told.length} of 40`);
});

test("[R25.3] a stranger is not told alone before it has proved itself, whatever its heartbeat says", async () => {
  const team = await Team.open(1);
  const [ana] = (await team.on("b", 0)) as [Client];
  const from = "b81e0d22-5c39-4f17-8e40-a1b2c3d4e5f6" as InstanceId;
  team.first.bus.connect().wanted.add(CHANNELS.moves(from));
  const say = (channel: string, message: BusMessage) =>
    team.first.listener.message(channel, encodeRedisMessage({ from, link: 1, message }));
  const beat = {
    kind: "heartbeat",
    intervalMs: 500,
    beaconMs: 15_000,
    boards: 1,
    status: "ready",
    acks: [],
    versions: { min: 1, max: 1 },
  } as const;
  say("test:global", { ...beat, beat: 1, moves: true });
  const entries = [{ slot: 0, attempt: 1, seq: 5, member: ana_ }];
  say("test:board:b", { kind: "snapshot", seq: 5, part: 0, parts: 1, entries, ended: [] });
  await team.pass(SHORT_MS);
  assert.deepEqual(await team.moved([ana, "b"]), ["test:board:b"]);
  await team.pass(500);
  say("test:global", { ...beat, beat: 2, moves: true });
  assert.deepEqual(await team.moved([ana, "b"]), [CHANNELS.moves(from)]);
  say("test:global", { ...beat, beat: 3 });
  assert.deepEqual(await team.moved([ana, "b"]), ["test:board:b"]);
});

test("[R25.3] on a board on which own messages do not come back, moves go over its channel", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(1)]);
  const channel = "test:board:b";
  team.first.end.forgotten.add(channel);
  team.first.listener.refused({ channel, attempt: 1, retryMs: 1000, reason: "NOPERM", gist: "", advice: "" });
  assert.deepEqual(await team.moved([ana, "b"]), [channel]);
});

test("[R25.9] last places, and those for an instance that asks, go over the board's channel", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(1)]);
  team.said.length = 0;
  await team.pass(1000);
  assert.deepEqual([team.channels("cursors"), team.channels("moves")], [["test:board:b"], []]);
});

test("[R25.10] moves that were gathered leave before any later word of their instance", async () => {
  const team = await Team.open(2);
  const [ana, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  const [dan, eve] = (await team.on("c", 0, 0, 1)) as [Client, Client, Client];
  for (const [client, board] of [
    [ana, "b"],
    [dan, "c"],
  ] as const)
    client.move(board, 1, 1);
  await team.pass(SHORT_MS);
  ben.socket.takeMessages();
  team.said.length = 0;
  ana.move("b", 2, 2);
  dan.move("c", 2, 2);
  // The board of ana is flushed, and she changes while eve is written to, before the turn is over.
  eve.socket.write = () => {
    eve.socket.write = () => {};
    ana.say({ kind: "update", board: ana.ref("b"), status: "idle" });
  };
  team.first.clock.turn();
  const kinds = team.said.filter(({ from }) => from === team.id(0)).map(({ message }) => message.kind);
  assert.deepEqual(kinds.slice(0, 2), ["moves", "delta"], kinds.join());
  await team.pass(SHORT_MS);
  assert.equal(team.desk(1).metrics.divergences, 0);
  assert.equal(team.desk(1).metrics.asks, 0);
});

test("[R25.11] each board's part counts as `cursors` on that board: a seq below the one held is a divergence, one above it a doubt", async () => {
  for (const [step, divergences] of [
    [-1, 1],
    [1, 0],
  ] as const) {
    const team = await Team.open(2);
    const [, ben] = (await team.on("b", 0, 1)) as [Client, Client];
    const slices = team.desk(1).manager.inspection.slices("b" as BoardId, team.first.clock.now());
    const seq = slices.find(({ owner }) => owner === team.id(0))?.seq ?? 0;
    ben.socket.takeMessages();
    const boards = ["unknown", "b"].map((board) => ({ ...cursorsOf(seq + step, [0, 7, 7]), boardId: board as BoardId }));
    const bytes = encodeRedisMessage({ from: team.id(0), link: 1, message: { kind: "moves", boards } });
    team.desk(1).listener.message(team.own(1), bytes);
    team.first.clock.turn();
    assert.deepEqual([places(ben), team.desk(1).metrics.divergences], [["7,7"], divergences]);
    await team.pass(500);
    assert.equal(team.desk(1).metrics.asks, 1);
  }
});

test("[R25.12] moves are believed on the own channel alone, and nothing else is believed there", async () => {
  const team = await Team.open(2);
  const [, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  ben.socket.takeMessages();
  const hear = (channel: string, message: BusMessage) => {
    team.desk(1).listener.message(channel, encodeRedisMessage({ from: team.id(0), link: 1, message }));
    team.first.clock.turn();
  };
  const moves = { kind: "moves", boards: [{ ...cursorsOf(0, [0, 7, 7]), boardId: "b" as BoardId }] } as const;
  for (const channel of ["test:global", "test:board:b", team.own(0)]) hear(channel, moves);
  hear(team.own(1), { kind: "goodbye" });
  hear(team.own(1), { kind: "announcement", text: "no" });
  assert.deepEqual(ben.socket.takeMessages(), []);
  assert.deepEqual(
    team
      .desk(1)
      .manager.stats()
      .peers.map(({ state }) => state),
    ["up"],
  );
});

/** The words of the heartbeats of that instance about its channel, since the last call. */
function beatsOf(team: Team, index: number): () => (boolean | undefined)[] {
  return () => {
    const said = team.said.splice(0).filter(({ from, message }) => from === team.id(index) && message.kind === "heartbeat");
    return said.map(({ message }) => message.kind === "heartbeat" && message.moves);
  };
}

const REFUSED = { reason: "NOPERM", gist: "not permitted", advice: "" };

test("[R25.2] heartbeats say that the own channel works once an own word has come back there, and not before", async () => {
  const team = await Team.open(1);
  const own = team.own(0);
  const { end, listener } = team.first;
  const beats = beatsOf(team, 0);
  beats();
  await team.pass(1000);
  assert.deepEqual(beats(), [true, true]);
  end.forgotten.add(own);
  listener.subscribed(own);
  await team.pass(1000);
  assert.deepEqual(beats(), [undefined, undefined]);
  end.forgotten.clear();
  // It says a word there again, as long as none comes back.
  await team.pass(2500);
  assert.equal(beats().at(-1), true);
  listener.refused({ ...REFUSED, channel: own, attempt: 1, retryMs: 1000 });
  await team.pass(1000);
  assert.deepEqual(beats(), [undefined, undefined]);
  listener.subscribed(own);
  await team.pass(1000);
  assert.deepEqual(beats(), [true, true]);
  listener.linkDown("subscriber", "closed");
  await team.pass(1000);
  assert.deepEqual(beats(), [undefined, undefined]);
});

test("[R25.2] where Redis does not take the own word, it is said again over the next publisher", async () => {
  const team = await Team.open(1);
  const beats = beatsOf(team, 0);
  team.first.bus.refusalOf = (channel) => (channel === team.own(0) ? new BusRefused(REFUSED) : undefined);
  team.first.listener.subscribed(team.own(0));
  await team.pass(5000);
  assert.equal(team.first.metrics.refusals.publish, 1);
  beats();
  team.first.bus.refusalOf = () => undefined;
  team.first.listener.linkUp("publisher", 1);
  await team.pass(1000);
  assert.equal(beats().at(-1), true);
});

test("[R25.13] an instance to whose channel nobody is subscribed is told over the board's channel", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  await team.moved([ana, "b"]);
  team.desk(1).end.wanted.delete(team.own(1));
  assert.deepEqual(await team.movedOnce([ana, "b"]), [team.own(1)]);
  assert.deepEqual(await team.movedOnce([ana, "b"]), ["test:board:b"]);
});

test("[R25.14] where Redis refuses what is said to single instances, moves go over boards' channels until there is a new publisher", async () => {
  const team = await Team.open(2);
  const [ana, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  await team.moved([ana, "b"]);
  team.first.bus.refusalOf = (channel) => (channel.startsWith("test:moves:") ? new BusRefused(REFUSED) : undefined);
  await team.movedOnce([ana, "b"]);
  assert.deepEqual(await team.movedOnce([ana, "b"]), ["test:board:b"]);
  await team.pass(20_000);
  assert.deepEqual([team.first.manager.isDegraded, team.first.manager.stats().degradedBoards], [false, 0]);
  assert.deepEqual([team.first.manager.refusal, team.first.lines.filter((line) => line.includes("Redis refuses")).length], [undefined, 1]);
  ben.socket.takeMessages();
  assert.deepEqual(await team.moved([ana, "b"]), ["test:board:b"]);
  assert.ok(places(ben).includes("2,2"));
  team.first.bus.refusalOf = () => undefined;
  team.first.listener.linkUp("publisher", 1);
  await team.pass(1000);
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(1)]);
});

test("[R25.15] an instance whose own channel has gone silent notices it by moves that come elsewhere, and subscribes anew", async () => {
  const team = await Team.open(2);
  const [ana, ben] = (await team.on("b", 0, 1)) as [Client, Client];
  await team.moved([ana, "b"]);
  const { end } = team.desk(1);
  end.forgotten.add(team.own(1));
  // As where others still count somebody there.
  const third = team.first.bus.connect();
  third.wanted.add(team.own(1));
  for (let at = 0; at < 2 * CONSTANTS.boardUnechoedMs + CONSTANTS.moveHereMs + 2 * SHORT_MS; at += SHORT_MS) {
    ana.move("b", at, 1);
    await team.pass(SHORT_MS);
  }
  assert.deepEqual([...end.forgotten], []);
  await team.pass(1000);
  ben.socket.takeMessages();
  assert.deepEqual(await team.moved([ana, "b"]), [team.own(1)]);
  assert.ok(places(ben).includes("2,2"));
});

test("[R25.15] from then until it is subscribed anew its heartbeats do not say that it hears there; without echoes of any kind it orders nothing", async () => {
  const team = await Team.open(2);
  const [ana] = (await team.on("b", 0, 1)) as [Client, Client];
  const { end } = team.desk(1);
  const beats = beatsOf(team, 1);
  const ordered: string[] = [];
  end.resubscribe = (channel) => void ordered.push(channel);
  const walk = async (ms: number) => {
    for (let at = 0; at < ms; at += SHORT_MS) {
      ana.move("b", at, 1);
      await team.pass(SHORT_MS);
    }
  };
  team.first.bus.connect().wanted.add(team.own(1));
  end.forgotten.add(team.own(1));
  await walk(500);
  // It has said a word to itself, and now the whole bus is silent.
  assert.ok(team.said.some(({ channel, from }) => channel === team.own(1) && from === team.id(1)));
  end.isDeaf = true;
  await walk(2000);
  assert.deepEqual(ordered, []);
  end.isDeaf = false;
  await walk(5000);
  assert.deepEqual(ordered, [team.own(1)]);
  beats();
  await walk(1000);
  assert.deepEqual(beats(), [undefined, undefined]);
  end.forgotten.clear();
  team.desk(1).listener.subscribed(team.own(1));
  await walk(1000);
  assert.equal(beats().at(-1), true);
});

test("[R25.1] each instance is subscribed to a channel of its own, and none where boards are spread", async () => {
  const team = await Team.open(2);
  for (const index of [0, 1])
    assert.deepEqual(
      [...team.desk(index).end.wanted].filter((channel) => channel.startsWith("test:moves:")),
      [team.own(index)],
    );
  const spread = await Desk.open({ beside: team.first, isSpread: true });
  await team.pass(3000);
  assert.deepEqual([...spread.end.wanted], ["test:global"]);
});
