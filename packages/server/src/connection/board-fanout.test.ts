/** A board tells its sockets the changes of a tick: each once, in order, in one shared write, and none to a socket it is not for. F1–F6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, ResumeToken, ServerMessage } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { OUTBOX } from "./outbox.ts";

const TICK_MS = 16;

function kinds(messages: readonly { readonly kind: string }[]): string[] {
  return messages.map(({ kind }) => kind);
}

function actorOf(client: Client): number {
  return client.connection.seats[0]?.actor ?? assert.fail("not on a board");
}

/** Rosters as a client replays them: everything that it is told has to make sense. */
class Replay {
  readonly names = new Map<number, string>();
  readonly cursors = new Map<number, string>();
  self = -1;

  hear(messages: readonly ServerMessage[]): this {
    for (const message of messages) {
      switch (message.kind) {
        case "joined":
          this.names.clear();
          this.cursors.clear();
          this.self = message.self;
          for (const { actor, member, at } of message.roster) {
            this.names.set(actor, member.username);
            if (at !== undefined) this.cursors.set(actor, `${at.x},${at.y}`);
          }
          break;
        case "user_joined":
          assert.ok(!this.names.has(message.actor), `${message.member.username} is told twice`);
          this.names.set(message.actor, message.member.username);
          break;
        case "user_left":
          assert.ok(this.names.delete(message.actor), `nobody left as ${message.actor}`);
          this.cursors.delete(message.actor);
          break;
        case "cursors":
          for (const { actor, at } of message.moves) {
            assert.ok(this.names.has(actor), `[C6] ${actor} moves and was not introduced`);
            if (at === null) this.cursors.delete(actor);
            else this.cursors.set(actor, `${at.x},${at.y}`);
          }
          break;
        default:
      }
    }
    return this;
  }

  get sorted(): string[] {
    return [...this.names.values()].sort();
  }
}

test("[F1] moves of a tick are one frame, the same bytes for every socket", async () => {
  const desk = await Desk.open();
  const clients = ["Ana", "Ben", "Cleo"].map((name) => desk.enter("binary", "b", name));
  desk.clock.advance(100);
  for (const client of clients) client.socket.takeFrames();
  for (let step = 0; step < 10; step++) for (const client of clients) client.move("b", step, step);
  desk.clock.turn();
  const [first, ...others] = clients.map(({ socket }) => socket.written[0]);
  for (const other of others) assert.equal(other, first, "not the same object");
  for (const { socket } of clients) {
    const [cursors, ...more] = socket.takeMessages();
    assert.ok(cursors?.kind === "cursors");
    assert.deepEqual(
      cursors.moves.map(({ at }) => at?.x),
      [9, 9, 9],
    );
    assert.deepEqual(more, []);
  }
  assert.equal(desk.metrics.cursorsConflated, 27);
});

test("the stamp of cursors is the time of their tick: the same in both encodings, and for a socket that was behind", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const [binary, json, slow] = [desk.enter("binary", "b", "B"), desk.enter("json", "b", "J"), desk.enter("binary", "b", "slow")];
  const stampOf = ({ socket }: Client) => socket.takeMessages().flatMap((message) => (message.kind === "cursors" ? [message.stamp] : []));
  for (const pause of [100, 333.25, 1999.5]) {
    desk.clock.advance(pause);
    for (const client of [binary, json, slow]) client.socket.takeFrames();
    slow.socket.queuedBytes = OUTBOX.lowBytes + 1;
    ana.move("b", pause, 0);
    desk.clock.turn();
    const stamp = Math.floor(desk.clock.now());
    assert.deepEqual([stampOf(binary), stampOf(json), stampOf(slow)], [[stamp], [stamp], []]);
    desk.clock.advance(50);
    slow.socket.drain();
    const drainedAt = Math.floor(desk.clock.now());
    desk.clock.turn();
    assert.deepEqual(stampOf(slow), [drainedAt]);
  }
});

test("[F1] a socket for which its own cursor is the only change gets nothing", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("json", "b", "Ben");
  ana.socket.takeFrames();
  ana.move("b", 1, 2);
  desk.clock.advance(100);
  assert.deepEqual(kinds(ben.socket.takeMessages()), ["cursors"]);
  assert.deepEqual(ana.socket.takeFrames(), []);
});

test("[F1] roster changes of a tick leave in one write, counts once, before the cursors", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("binary", "b", "watcher");
  const guests = ["Ana", "Ben", "Cleo"].map(() => desk.enter("binary"));
  for (const [nth, guest] of guests.entries()) guest.join("b", `guest ${nth}`);
  guests[0]?.move("b", 5, 6);
  guests[1]?.leave("b");
  watcher.socket.takeFrames();
  desk.clock.turn();
  assert.equal(watcher.socket.written.length, 1);
  assert.deepEqual(kinds(watcher.socket.takeMessages()), [
    ...["user_joined", "user_joined", "user_joined", "user_left"],
    "presence_update",
    "cursors",
  ]);
});

test("a client that joins in the middle of a tick gets the board, no change twice and none too few", async () => {
  const desk = await Desk.open();
  const early = desk.enter("binary", "b", "early");
  const replays = new Map<Client, Replay>([[early, new Replay()]]);
  early.join("b", "early");
  desk.clock.advance(TICK_MS);
  for (let round = 0; round < 30; round++) {
    const guest = desk.enter(round % 2 === 0 ? "binary" : "json");
    guest.join("b", `guest ${round}`);
    replays.set(guest, new Replay());
    guest.move("b", round, 0);
    if (round % 3 === 2) {
      const leaver = [...replays.keys()][1] ?? assert.fail();
      leaver.leave("b");
      replays.delete(leaver);
    }
    if (round % 4 === 3) desk.clock.advance(TICK_MS);
    for (const [client, replay] of replays) replay.hear(client.socket.takeMessages());
  }
  desk.clock.advance(100);
  for (const [client, replay] of replays) {
    replay.hear(client.socket.takeMessages());
    assert.equal(replay.names.size, replays.size);
    assert.equal(replay.names.get(actorOf(client)), replay.names.get(replay.self));
  }
  const rosters = [...replays.values()].map(({ sorted }) => sorted.join());
  assert.equal(new Set(rosters).size, 1, "all rosters are equal");
});

test("a thousand who join in one tick share one encoded roster, in each encoding", async () => {
  for (const encoding of ["binary", "json"] as const) {
    const desk = await Desk.open();
    desk.enter(encoding, "b", "first");
    const clients = Array.from({ length: 999 }, () => desk.connect(encoding));
    for (const [nth, client] of clients.entries()) {
      client.hello();
      client.join("b", `guest ${nth}`);
      client.socket.takeFrames();
    }
    desk.clock.turn();
    const shared = new Set(clients.flatMap(({ socket }) => socket.written.slice(1)));
    const [{ written } = { written: [] }] = clients.map(({ socket }) => socket);
    assert.deepEqual([written.length > 2, shared.size], [true, written.length - 1]);
    for (const client of clients.slice(0, 3)) {
      const [joined, ...more] = client.socket.takeMessages();
      assert.ok(joined?.kind === "joined" && joined.self === actorOf(client));
      const following = more.flatMap((message) => (message.kind === "roster" ? message.roster : []));
      const actors = new Set([...joined.roster, ...following].map(({ actor }) => actor));
      assert.deepEqual([following.length, actors.size], [joined.following, 1000]);
    }
  }
});

test("an event reaches all others in order with the roster, and not its sender", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("json", "b", "Ben");
  ana.socket.takeFrames();
  const guest = desk.enter("binary");
  guest.join("b", "guest");
  guest.say({ kind: "broadcast", board: guest.ref("b"), name: "wave", data: { n: 1 } });
  ana.say({ kind: "broadcast", board: ana.ref("b"), name: "wave", data: { n: 2 } });
  desk.clock.turn();
  assert.deepEqual(kinds(ben.socket.takeMessages()), ["user_joined", "event", "event", "presence_update"]);
  const forAna = ana.socket.takeMessages();
  assert.deepEqual(kinds(forAna), ["user_joined", "event", "presence_update"]);
  assert.equal(ana.socket.isCorked, false);
  assert.deepEqual(kinds(guest.socket.takeMessages()), ["joined"], "what happened before one was there is not told");
});

test("[R21.1] an event for some is in its place among what all are told, in both encodings, and nobody else is written to", async () => {
  const authenticate = (token: string | undefined) => ({ userId: `u-${token}` });
  const desk = await Desk.open({ authenticate });
  const enter = (encoding: "binary" | "json", token: string) => {
    const client = desk.connect(encoding);
    client.hello({ token });
    client.join("b", token);
    desk.clock.advance(300);
    return client;
  };
  const [ana, tab, ben, cleo] = [enter("binary", "1"), enter("json", "1"), enter("json", "2"), enter("binary", "3")];
  const everybody = [ana, tab, ben, cleo];
  for (const { socket } of everybody) socket.takeFrames();
  const say = (data: number, to: object = {}) => ana.say({ kind: "broadcast", board: ana.ref("b"), name: "n", data, ...to });
  say(1);
  say(2, { userIds: ["u-2"], memberIds: [cleo.connection.who?.identity.memberId] });
  say(3);
  say(4, { userIds: ["u-1"] });
  desk.clock.turn();
  const heard = everybody.map(({ socket }) => socket.takeMessages().map((message) => message.kind === "event" && message.data));
  assert.deepEqual(heard, [[], [1, 3, 4], [1, 2, 3], [1, 2, 3]]);
  say(5, { userIds: ["u-3"] });
  desk.clock.advance(100);
  assert.deepEqual(
    everybody.map(({ socket }) => socket.written.length),
    [0, 0, 0, 1],
  );
});

test("one's own update is not told to oneself", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("binary", "b", "Ben");
  ana.socket.takeFrames();
  ana.say({ kind: "update", board: ana.ref("b"), status: "idle" });
  desk.clock.advance(100);
  assert.deepEqual(kinds(ben.socket.takeMessages()), ["user_updated"]);
  assert.deepEqual(ana.socket.takeFrames(), []);
});

test("[F6] alone on a board nothing is sent", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const published = desk.metrics.published.cursors;
  for (let step = 0; step < 50; step++) {
    ana.move("b", step, 0);
    desk.clock.advance(20);
  }
  assert.deepEqual(ana.socket.takeFrames(), []);
  assert.equal(desk.metrics.published.cursors, published);
  const ben = desk.enter("json");
  ben.join("b", "Ben");
  desk.clock.turn();
  const joined = ben.socket.takeMessages()[0];
  assert.deepEqual(joined?.kind === "joined" && joined.roster.find(({ actor }) => actor === actorOf(ana))?.at, { x: 49, y: 0 });
});

test("[F2] a burst at once, then the rate; the last place always arrives", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("binary", "b", "Ben");
  desk.clock.advance(1000);
  ben.socket.takeFrames();
  let frames = 0;
  for (let ms = 0; ms < 1000; ms++) {
    ana.move("b", ms, 0);
    desk.clock.turn();
    frames += ben.socket.takeFrames().length;
    if (ms === 2) assert.equal(frames, 3, "the first three at once");
    desk.clock.advance(1);
    frames += ben.socket.takeFrames().length;
  }
  // Each of two people has a frame every 16 ms.
  assert.ok(frames >= 124 && frames <= 130, `${frames} frames in a second`);
  desk.clock.advance(TICK_MS);
  const replay = new Replay();
  ana.move("b", 7, 7);
  desk.clock.advance(2 * TICK_MS);
  replay.names.set(actorOf(ana), "Ana");
  assert.equal(replay.hear(ben.socket.takeMessages()).cursors.get(actorOf(ana)), "7,7");
});

test("[F2] cursors of other instances bring a viewer 250 frames a second at most", async () => {
  const desk = await Desk.open();
  const far = await Desk.open({ beside: desk });
  const ben = desk.enter("binary", "b", "Ben");
  const movers = Array.from({ length: 5 }, (_, nth) => far.enter("binary", "b", `far ${nth}`));
  desk.clock.advance(1000);
  ben.socket.takeFrames();
  let frames = 0;
  for (let ms = 0; ms < 1000; ms++) {
    for (const mover of movers) mover.move("b", ms, 0);
    desk.clock.advance(1);
    frames += ben.socket.takeFrames().length;
  }
  assert.ok(frames > 200 && frames <= 250 + 4, `${frames} frames in a second`);
});

test("[F2] the tick grows with the load and clients are told with their board's next frame", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("json", "b", "Ben");
  desk.clock.busy = 1;
  desk.clock.advance(4800);
  assert.deepEqual(kinds(ben.socket.takeMessages()), ["heartbeat"]);
  ana.move("b", 1, 1);
  desk.clock.advance(4);
  const [pace, cursors] = ben.socket.takeMessages();
  assert.deepEqual([pace?.kind === "pace" && pace.cursorMs, cursors?.kind], [100, "cursors"]);
  const late = desk.enter("binary");
  desk.clock.busy = 0.2;
  desk.clock.advance(20_000);
  late.join("b", "late");
  desk.clock.advance(100);
  assert.deepEqual(
    late.socket.takeMessages().filter(({ kind }) => kind === "pace"),
    [{ kind: "pace", cursorMs: TICK_MS }],
  );
});

// Classic clients.

test("classic: UserJoined for each other one, then the count; the mover never gets its own cursor", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("classic", "42", "Ana");
  const ben = desk.enter("binary", "42", "Ben");
  const cleo = desk.connect("classic");
  cleo.join("42", "Cleo");
  desk.clock.turn();
  const introduced = cleo.socket.takeClassic();
  assert.deepEqual(kinds(introduced), ["user_joined", "user_joined", "presence_update"]);
  assert.deepEqual(
    introduced.flatMap((message) => (message.kind === "user_joined" ? [[message.user, message.username]] : [])),
    [
      [0, "Ana"],
      [1, "Ben"],
    ],
  );
  assert.deepEqual(introduced.at(-1), { kind: "presence_update", board: 42, count: 3 });
  ana.socket.takeFrames();
  desk.clock.advance(100);

  ana.move("42", 1, 1);
  cleo.move("42", 3, 3);
  ben.move("42", -5, 70_000);
  desk.clock.turn();
  const at = (user: number, x: number, y: number) => ({ kind: "cursor_broadcast", board: 42, user, x, y });
  assert.deepEqual(ana.socket.takeClassic(), [at(2, 3, 3), at(1, 0, 65_535)], "clamped, and without its own");
  assert.deepEqual(cleo.socket.takeClassic(), [at(0, 1, 1), at(1, 0, 65_535)]);
  ben.say({ kind: "cursor", board: ben.ref("42"), at: null });
  desk.clock.advance(100);
  assert.deepEqual(ana.socket.takeFrames(), [], "hiding is not told");
});

test("a crowd that comes to a large board: counts are told now and then, and the last one soon", async () => {
  const desk = await Desk.open();
  const viewer = desk.enter("binary", "b", "viewer");
  const come = (count: number) => {
    for (let nth = 0; nth < count; nth++) {
      const client = desk.connect("binary");
      client.hello();
      client.join("b", "one of a crowd");
      desk.clock.advance(5);
    }
    return viewer.socket.takeMessages().filter(({ kind }) => kind === "presence_update");
  };
  assert.ok(come(150).length > 40, "a small board tells them in each tick");
  come(150);
  const told = come(300);
  assert.ok(told.length > 10 && told.length < 50, `${told.length} counts in 1.5 s on a board of 300 to 600`);
  desk.clock.advance(100);
  const last = viewer.socket.takeMessages().findLast(({ kind }) => kind === "presence_update") ?? told.at(-1);
  assert.deepEqual(last?.kind === "presence_update" && last.members, 601);
  desk.clock.advance(5000);
  assert.deepEqual(
    viewer.socket.takeMessages().filter(({ kind }) => kind === "presence_update"),
    [],
    "nothing more without a change",
  );
});

test("[C2] a crowd of a large board is lost one after the other and comes back: told now and then in few bytes, the last of it soon; the first after a rest at once", async () => {
  const desk = await Desk.open();
  const viewer = desk.enter("binary", "b", "viewer");
  const enter = (resumeToken?: ResumeToken, attempt = 1) => {
    const client = desk.connect("binary");
    client.hello({ ...(resumeToken && { resumeToken }) });
    client.say({ kind: "join", boardId: "b" as BoardId, attempt, username: "one of a crowd", status: "active", state: {} });
    desk.clock.advance(5);
    return client;
  };
  const crowd = Array.from({ length: 300 }, () => enter());
  desk.clock.advance(500);
  viewer.socket.takeFrames();
  const statusOf = new Map<number, string>();
  const told = () => {
    const messages = viewer.socket.takeMessages();
    for (const message of messages) {
      if (message.kind === "user_updated") statusOf.set(message.actor, String(message.patch["status"]));
      else if (message.kind === "statuses") for (const actor of message.actors) statusOf.set(actor, message.status);
    }
    return messages.filter(({ kind }) => kind === "user_updated" || kind === "statuses");
  };
  crowd[0]?.close(1006);
  desk.clock.advance(20);
  assert.deepEqual(told().length, 1, "after a rest, one is told at once");
  for (const client of crowd.slice(1, 200)) {
    client.close(1006);
    desk.clock.advance(5);
  }
  const lost = told();
  assert.ok(lost.length > 10 && lost.length < 60, `199 who are lost within a second were told in ${lost.length} messages`);
  const again = crowd.slice(0, 200).map(({ resumeToken }) => enter(resumeToken, 9));
  const back = told();
  assert.ok(back.length > 10 && back.length < 60, `200 who came back within a second were told in ${back.length} messages`);
  desk.clock.advance(100);
  told();
  const actors = again.map((client) => client.connection.seats[0]?.actor ?? assert.fail("not on the board"));
  assert.deepEqual([statusOf.size, actors.every((actor) => statusOf.get(actor) === "active")], [200, true]);
  desk.clock.advance(300);
  assert.deepEqual(told(), [], "nothing more without a change");
});

test("classic: a repeated join is ignored, a heartbeat answered, ids are reused at once", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("classic", "1", "watcher");
  const ana = desk.enter("classic", "1", "Ana");
  watcher.socket.takeFrames();
  ana.join("1", "Ana again");
  ana.sayClassic({ kind: "heartbeat" });
  desk.clock.advance(100);
  assert.deepEqual(ana.socket.takeClassic(), [{ kind: "heartbeat" }]);
  assert.deepEqual(watcher.socket.takeFrames(), []);
  ana.leave("1");
  const ben = desk.enter("classic");
  ben.join("1", "Ben");
  desk.clock.advance(100);
  const [left, joined, count, ...more] = watcher.socket.takeClassic();
  assert.deepEqual(left, { kind: "user_left", board: 1, user: 1 });
  assert.deepEqual(joined?.kind === "user_joined" && [joined.user, joined.username], [1, "Ben"]);
  assert.deepEqual([count?.kind, more], ["presence_update", []]);
});

test("classic: members beyond 256 are counted, and introduced when an id is free", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("classic", "1", "watcher");
  const others = Array.from({ length: 256 }, () => desk.enter("binary"));
  for (const [nth, other] of others.entries()) other.join("1", `other ${nth}`);
  desk.clock.advance(100);
  const told = watcher.socket.takeClassic();
  assert.equal(told.filter(({ kind }) => kind === "user_joined").length, 255);
  assert.deepEqual(told.at(-1), { kind: "presence_update", board: 1, count: 255 });
  const last = others[255] ?? assert.fail();
  last.move("1", 1, 1);
  desk.clock.advance(100);
  assert.deepEqual(watcher.socket.takeFrames(), [], "who has no id is not shown");
  others[9]?.leave("1");
  desk.clock.advance(100);
  const [left, joined] = watcher.socket.takeClassic();
  assert.deepEqual(left, { kind: "user_left", board: 1, user: 10 });
  assert.deepEqual(joined?.kind === "user_joined" && [joined.user, joined.username], [10, "other 255"]);
});

test("classic: where one pointed before the board was ready is not lost", async () => {
  const desk = await Desk.open();
  await Desk.open({ beside: desk }); // with another instance the roster is waited for
  desk.clock.advance(2000);
  const ana = desk.connect("classic");
  ana.join("1", "Ana");
  ana.move("1", 7, 8);
  assert.deepEqual(ana.socket.takeFrames(), []);
  desk.clock.advance(200);
  assert.deepEqual(kinds(ana.socket.takeClassic()), ["presence_update"]);
  const ben = desk.enter("json");
  ben.join("1", "Ben");
  desk.clock.turn();
  const joined = ben.socket.takeMessages()[0];
  assert.deepEqual(joined?.kind === "joined" && joined.roster.find(({ actor }) => actor === actorOf(ana))?.at, { x: 7, y: 8 });
});

// Slow clients.

test("[F4] a slow client loses cursor frames, and gets the latest places once it has drained", async () => {
  const desk = await Desk.open();
  const slow = desk.enter("binary", "b", "slow");
  const ana = desk.enter("binary", "b", "Ana");
  desk.clock.advance(100);
  slow.socket.takeFrames();
  slow.socket.queuedBytes = OUTBOX.lowBytes + 1;
  for (let step = 1; step <= 20; step++) {
    ana.move("b", step, 0);
    desk.clock.advance(20);
  }
  desk.enter("binary", "b", "Ben");
  assert.deepEqual(kinds(slow.socket.takeMessages()), ["user_joined", "presence_update"], "the roster goes on");
  slow.socket.drain();
  desk.clock.advance(100);
  const [cursors, ...more] = slow.socket.takeMessages();
  assert.deepEqual(cursors?.kind === "cursors" && cursors.moves, [{ actor: actorOf(ana), at: { x: 20, y: 0 } }]);
  assert.deepEqual(more, []);
});

for (const encoding of ["binary", "classic"] as const) {
  test(`[F4] ${encoding}: a client too slow for the roster is put right once it has drained`, async () => {
    const desk = await Desk.open();
    const stays = desk.enter("binary", "1", "stays");
    const goes = desk.enter("binary", "1", "goes");
    const slow = desk.enter(encoding, "1", "slow");
    desk.clock.advance(100);
    slow.socket.takeFrames();
    slow.socket.queuedBytes = OUTBOX.rosterBytesMax * 4;
    goes.leave("1");
    desk.clock.advance(100);
    const comes = desk.enter("binary", "1", "comes");
    comes.move("1", 3, 4);
    stays.move("1", 1, 2);
    desk.clock.advance(100);
    assert.deepEqual(slow.socket.takeFrames(), []);
    assert.equal(desk.metrics.staleClients, 1);
    slow.socket.drain();
    desk.clock.advance(100);
    if (encoding === "binary") {
      const messages = slow.socket.takeMessages();
      assert.deepEqual(kinds(messages), ["joined"]);
      const replay = new Replay().hear(messages);
      assert.deepEqual(replay.sorted, ["comes", "slow", "stays"]);
      assert.equal(replay.cursors.get(actorOf(comes)), "3,4");
    } else {
      const [first, left, joined, ...more] = slow.socket.takeClassic();
      assert.deepEqual(first, { kind: "cursor_broadcast", board: 1, user: 0, x: 1, y: 2 });
      assert.deepEqual(left, { kind: "user_left", board: 1, user: 1 });
      assert.deepEqual(joined?.kind === "user_joined" && [joined.user, joined.username], [1, "comes"]);
      assert.deepEqual(more, [
        { kind: "cursor_broadcast", board: 1, user: 1, x: 3, y: 4 },
        { kind: "presence_update", board: 1, count: 3 },
      ]);
    }
    desk.clock.advance(100);
    assert.deepEqual(slow.socket.takeFrames(), []);
  });
}
