/** Floods of every kind against a whole instance on a fake clock: clients that flood wait, others do not. docs/decisions/003-budgets.md. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLOSE, type ClientMessage, encodeJson } from "@presence-service/protocol";
import type { Encoding } from "../speech/speech.ts";
import { type Client, Desk } from "../testing/desk.ts";
import { BUDGETS, LIMITS, OVERDRAWN_MS_MAX, PRICE, QUANTUM, YOUNG_MS } from "./budget.ts";
import { UPGRADES_PER_LANE } from "./lane.ts";

/** So many messages fit into one read if their frames are the smallest. */
const FLOOD = 4000;
/** Two quanta of the cheapest messages: the first quantum of a connection that was quiet, and one more. */
const TURN_MAX = 2 * (QUANTUM / PRICE.cursor + 1);

type Kind = { readonly what: string; readonly encoding: Encoding; readonly say: (client: Client, nth: number) => void };

function message(encoding: "binary" | "json", what: string, of: (client: Client, nth: number) => ClientMessage): Kind {
  return { what: `${encoding}: ${what}`, encoding, say: (client, nth) => client.say(of(client, nth)) };
}

const KINDS: Kind[] = [
  ...(["binary", "json"] as const).flatMap((encoding) => [
    message(encoding, "heartbeat", () => ({ kind: "heartbeat" })),
    message(encoding, "cursor", (client, nth) => ({ kind: "cursor", board: client.ref("own"), at: { x: nth, y: 0 } })),
    message(encoding, "cursor on no board", (client) => ({ kind: "cursor", board: client.ref("none"), at: { x: 1, y: 1 } })),
    message(encoding, "leave of no board", (client) => ({ kind: "leave", board: client.ref("none") })),
    message(encoding, "update of no board", (client) => ({ kind: "update", board: client.ref("none"), state: {} })),
    message(encoding, "update that changes nothing", (client) => ({ kind: "update", board: client.ref("own"), state: {} })),
    message(encoding, "broadcast", (client) => ({ kind: "broadcast", board: client.ref("own"), name: "n", data: 1 })),
    message(encoding, "auth", () => ({ kind: "auth", token: "" })),
    message(encoding, "bad username", () => ({
      kind: "join",
      boardId: "b" as BoardId,
      attempt: 1,
      username: "a\u202eb",
      status: "active",
      state: {},
    })),
    message(encoding, "join, superseded", () => ({
      kind: "join",
      boardId: "own" as BoardId,
      attempt: 1,
      username: "a",
      status: "active",
      state: {},
    })),
    message(encoding, "new board", (_, nth) => ({
      kind: "join",
      boardId: `b${nth}` as BoardId,
      attempt: 1,
      username: "a",
      status: "active",
      state: {},
    })),
  ]),
  { what: "classic: heartbeat", encoding: "classic", say: (client) => client.sayClassic({ kind: "heartbeat" }) },
  { what: "classic: cursor", encoding: "classic", say: (client, nth) => client.move("7", nth, 1) },
  { what: "classic: leave of no board", encoding: "classic", say: (client) => client.leave("9") },
  { what: "classic: junk", encoding: "classic", say: ({ connection }) => connection.received(Buffer.of(0xff), true) },
  { what: "classic: empty", encoding: "classic", say: ({ connection }) => connection.received(Buffer.alloc(0), true) },
  { what: "classic: text", encoding: "classic", say: ({ connection }) => connection.received(Buffer.from("x"), false) },
  { what: "classic: join that is repeated", encoding: "classic", say: (client) => client.join("7", "eve") },
];

function handled({ metrics }: Desk): number {
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, count) => all + count, 0);
  return sum(metrics.clientMessages) + metrics.clientRejected.bad_message;
}

for (const { what, encoding, say } of KINDS) {
  test(`[C4] a flood waits in its own socket, others are read at once: ${what}`, async () => {
    const desk = await Desk.open();
    const ana = desk.enter("binary", "b", "Ana");
    const ben = desk.enter("binary", "b", "Ben");
    const eve = desk.enter(encoding, encoding === "classic" ? "7" : "own", "Eve");
    desk.clock.advance(1000);
    ben.socket.takeFrames();
    const before = handled(desk);
    for (let nth = 0; nth < FLOOD; nth++) say(eve, nth);
    assert.ok(handled(desk) - before <= TURN_MAX, `${handled(desk) - before} were handled at once`);
    assert.equal(eve.socket.isPaused, true);
    ana.move("b", 5, 6);
    desk.clock.turn();
    assert.deepEqual(
      ben.socket.takeMessages().map(({ kind }) => kind),
      ["cursors"],
    );
    const atOnce = handled(desk);
    desk.clock.advance(100);
    assert.ok(handled(desk) > atOnce || eve.socket.closedWith !== undefined, "it goes on");
    assert.ok(desk.metrics.throttled.turn + desk.metrics.throttled.debt > 0, "and is counted");
  });
}

test("[C4] pongs and pings have their price; of the pings that come while a client waits, the last is answered", async () => {
  const desk = await Desk.open();
  const eve = desk.enter("json");
  for (let nth = 0; nth < 1000; nth++) eve.connection.pinged(Buffer.from(`${nth}`));
  const atOnce = eve.socket.pongs.length;
  assert.ok(atOnce >= 1 && atOnce <= 20, `${atOnce} pongs`);
  desk.clock.advance(5000);
  assert.deepEqual([eve.socket.pongs.at(-1), eve.socket.isPaused], ["999", false]);
  assert.ok(eve.socket.pongs.length <= atOnce + 1);
  for (let nth = 0; nth < 1000; nth++) eve.connection.ponged();
  assert.equal(eve.socket.isPaused, true);
});

test("[C4] the host is asked for a fresh token's owner a few times, however often a client says auth", async () => {
  let calls = 0;
  const desk = await Desk.open({
    authenticate: () => {
      calls++;
      return Promise.resolve({ userId: "eve" });
    },
  });
  const eve = desk.connect("binary");
  eve.hello();
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at++) {
      desk.clock.advance(1);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  };
  await pass(20);
  for (let nth = 0; nth < FLOOD; nth++) eve.say({ kind: "auth", token: "" });
  await pass(2000);
  assert.equal(calls, 1 + BUDGETS.auth.burst);
  assert.equal(eve.socket.closedWith, undefined);
});

test("messages that each ask the host are read once and in order, however often reading stops in between", async () => {
  const asked: number[] = [];
  const desk = await Desk.open({
    authenticate: () => Promise.resolve({ userId: "eve" }),
    authorize: (_user, boardId) => {
      asked.push(Number(boardId));
      return Promise.resolve(false);
    },
  });
  const eve = desk.connect("json");
  eve.hello();
  let decoded = 0;
  for (let nth = 0; nth < 150; nth++) {
    const text = encodeJson({ kind: "join", boardId: `${nth}` as BoardId, attempt: 1, username: "a", status: "active", state: {} });
    const data = Buffer.from(text);
    data.toString = () => {
      decoded++;
      return text;
    };
    eve.connection.received(data, false);
  }
  for (let ms = 0; ms < 2000; ms++) {
    desk.clock.advance(1);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
  assert.deepEqual(
    asked,
    Array.from({ length: 150 }, (_, nth) => nth),
  );
  assert.equal(decoded, 150);
});

test("[C4] a client that joins a large board again and again gets as many bytes as are paid for", async () => {
  const desk = await Desk.open();
  const filler = "x".repeat(4000);
  const members = Array.from({ length: 100 }, () => desk.enter("binary"));
  for (const client of members) {
    client.say({ kind: "join", boardId: "large" as BoardId, attempt: 1, username: "somebody", status: "active", state: { filler } });
    desk.clock.advance(100);
    client.socket.takeFrames();
  }
  const eve = desk.connect("binary", { address: "203.0.113.9" });
  eve.hello();
  desk.clock.advance(100);
  eve.socket.takeFrames();
  let bytes = 0;
  const seconds = 60;
  for (let step = 0; step < seconds * 100; step++) {
    if (!eve.socket.isPaused) eve.join("large", "Eve");
    if (step % 1000 === 0) for (const { connection } of members) connection.ponged();
    desk.clock.advance(10);
    for (const chunk of eve.socket.written.splice(0)) bytes += chunk.length;
  }
  const perSecondMax = ((LIMITS.address.perMs + LIMITS.connection.perMs) * 1000) / PRICE.byteOfRoster;
  const burst = (LIMITS.address.burst + LIMITS.connection.burst) / PRICE.byteOfRoster;
  assert.ok(bytes < seconds * perSecondMax + burst + 2_000_000, `${bytes} bytes in ${seconds} s`);
  assert.ok(bytes > 10 * 400_000, "but it is served");
});

test("[C4] overdrawn for half a minute ends with 4411, and is told before; others at the same address are not closed", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  // The address of these clients has spent its savings.
  for (let nth = 0; nth < LIMITS.address.burst / PRICE.handshake; nth++) desk.manager.gate.admit("192.0.2.1", () => {});
  desk.clock.advance(2000);
  const eves = Array.from({ length: 3 }, () => desk.enter("json"));
  const told = new Set<Client>();
  let ms = 0;
  for (; ms < 3 * OVERDRAWN_MS_MAX && eves.some(({ socket }) => socket.closedWith === undefined); ms += 20) {
    for (const eve of eves) {
      if (eve.socket.closedWith !== undefined) continue;
      for (let nth = eve.socket.isPaused ? 100 : 0; nth < 100; nth++) eve.join("b", "a\u202eb");
      for (const message of eve.socket.takeMessages()) if (message.kind === "error" && message.ref === undefined) told.add(eve);
    }
    ana.move("b", ms, 0);
    desk.clock.advance(20);
  }
  assert.ok(ms > OVERDRAWN_MS_MAX, `closed after ${ms} ms`);
  assert.ok(eves.every(({ socket }) => socket.closedWith === CLOSE.abuse));
  assert.equal(told.size, eves.length);
  assert.equal(ana.socket.closedWith, undefined);
  assert.equal(desk.metrics.closes[4411], eves.length);
});

test("[C2] an address that churns sessions leaves few members behind; people who were there for long have their grace", async () => {
  const desk = await Desk.open();
  const people = Array.from({ length: 5 }, () => desk.enter("binary", "b", "somebody"));
  desk.clock.advance(YOUNG_MS / 2);
  for (const { connection } of people) connection.ponged();
  desk.clock.advance(YOUNG_MS / 2);
  for (let nth = 0; nth < 2000; nth++) {
    const ghost = desk.connect("binary");
    ghost.hello();
    ghost.join("b", "ghost");
    ghost.close(CLOSE.lost.code);
    desk.clock.advance(5);
  }
  const { own } = desk.manager.stats();
  assert.ok(own <= people.length + LIMITS.graces.burst + 15 * 20 + 10, `${own} members`);
  assert.ok(desk.metrics.throttled.grace > 1000);
  for (const client of people) client.close(CLOSE.lost.code);
  assert.equal(desk.manager.stats().own, own);
});

test("[C4] a board is told so much and no more, however many take turns in telling", async () => {
  const desk = await Desk.open();
  const people = Array.from({ length: 30 }, (_, nth) => {
    const client = desk.connect("binary", { address: `192.0.2.${nth}` });
    client.hello();
    client.join("b", "somebody");
    return client;
  });
  desk.clock.advance(5000);
  const data = "x".repeat(4000);
  const before = desk.metrics.bytesOut;
  for (let ms = 0; ms < 3000; ms += 20) {
    for (const client of people) if (!client.socket.isPaused) client.say({ kind: "broadcast", board: client.ref("b"), name: "n", data });
    desk.clock.advance(20);
    for (const { socket } of people) socket.written.length = 0;
  }
  const bytes = desk.metrics.bytesOut - before;
  assert.ok(bytes < LIMITS.audience.burst + 3000 * LIMITS.audience.perMs * 1.05, `${bytes} bytes`);
  assert.ok(desk.metrics.throttled.board > 0);
});

test("[C4] an event for one member costs what that member is sent, and not a share of the crowd", async () => {
  const desk = await Desk.open();
  for (let nth = 0; nth < 60; nth++) {
    const client = desk.connect("binary", { address: `192.0.2.${nth}` });
    client.hello();
    client.join("b", "somebody");
  }
  const [ana, ben] = [desk.enter("binary", "b", "Ana"), desk.enter("binary", "b", "Ben")];
  const data = "x".repeat(4000);
  const cost = (to: object) => {
    desk.clock.advance(1000);
    let work = 0;
    const { charge } = ana.connection;
    ana.connection.charge = (amount) => {
      work += amount;
      charge.call(ana.connection, amount);
    };
    ana.say({ kind: "broadcast", board: ana.ref("b"), name: "n", data, ...to });
    ana.connection.charge = charge;
    return work;
  };
  const toOne = cost({ memberIds: [ben.connection.who?.identity.memberId] });
  const toNobody = cost({ memberIds: [] });
  const toAll = cost({});
  assert.ok(toOne - toNobody > 0 && toOne - toNobody < (toAll - toNobody) / 50, `${toNobody}, ${toOne}, ${toAll}`);
});

test("[C4] a crowd that uses up what a board is told leaves others on it their share", async () => {
  const desk = await Desk.open();
  const people = Array.from({ length: 60 }, (_, nth) => {
    const client = desk.connect("binary", { address: `192.0.2.${nth}` });
    client.hello();
    client.join("b", "somebody");
    return client;
  });
  const ana = desk.enter("binary", "b", "Ana");
  desk.clock.advance(5000);
  const data = "x".repeat(4000);
  let said = 0;
  let refused = 0;
  for (let ms = 0; ms < 6000; ms += 20) {
    for (const client of people) if (!client.socket.isPaused) client.say({ kind: "broadcast", board: client.ref("b"), name: "n", data });
    if (ms >= 4000 && ms % 100 === 0) {
      said++;
      ana.socket.takeMessages();
      ana.say({ kind: "broadcast", board: ana.ref("b"), name: "wave", data: said });
      refused += ana.socket.takeMessages().filter((message) => message.kind === "error").length;
    }
    desk.clock.advance(20);
    for (const { socket } of people) socket.written.length = 0;
  }
  assert.ok(desk.metrics.throttled.board > 100, "the crowd uses it up");
  assert.deepEqual([said, refused], [20, 0]);
});

test("upgrades of one address wait until it has paid, those of another do not; far too many are refused", async () => {
  const desk = await Desk.open();
  let opened = 0;
  let refused = 0;
  for (let nth = 0; nth < 6000; nth++) if (!desk.manager.gate.admit("203.0.113.9", () => opened++)) refused++;
  assert.ok(opened <= UPGRADES_PER_LANE && refused > 1000, `${opened} opened, ${refused} refused`);
  desk.clock.advance(1000);
  // An address has saved work for 1 667, and pays for 833 more a second.
  assert.ok(opened > 500 && opened < 2600, `${opened} in the first second`);
  let isIn = false;
  desk.clock.advance(2000);
  desk.manager.gate.admit("198.51.100.1", () => {
    isIn = true;
  });
  desk.clock.advance(2000);
  assert.equal(isIn, true);
});

test("a crowd from many addresses is let in, four thousand a second, also where each has used so much with its join that it waits for a turn", async () => {
  const desk = await Desk.open();
  let opened = 0;
  for (let nth = 0; nth < 8000; nth++) {
    const address = `10.0.${nth >> 8}.${nth & 255}`;
    const enter = () => {
      opened++;
      // As a list of a thousand members costs.
      const waiter = { turn: () => undefined };
      desk.manager.gate.wait(waiter, { cause: "turn", at: desk.clock.now() });
    };
    if (!desk.manager.gate.admit(address, enter)) assert.fail("refused");
  }
  desk.clock.advance(2100);
  assert.equal(opened, 8000);
});

test("clients who lose patience while they wait for their upgrade take no turns: the others are let in as if they had not been there", async () => {
  const desk = await Desk.open();
  const admitted = { gone: 0, here: 0 };
  const impatient: (() => void)[] = [];
  for (let nth = 0; nth < 4000; nth++) {
    const giveUp = desk.manager.gate.admit(`10.0.${nth >> 8}.${nth & 255}`, () => admitted.gone++) || assert.fail();
    impatient.push(giveUp);
  }
  for (let nth = 0; nth < 1000; nth++) desk.manager.gate.admit(`10.1.${nth >> 8}.${nth & 255}`, () => admitted.here++) || assert.fail();
  const before = admitted.gone;
  for (const giveUp of impatient) giveUp();
  desk.clock.advance(1500);
  assert.deepEqual(admitted, { gone: before, here: 1000 });
  // Nothing of them is left that would count against those who come next.
  for (let nth = 0; nth < 8000; nth++) (desk.manager.gate.admit(`10.2.${nth >> 8}.${nth & 255}`, () => {}) || assert.fail())();
});

test("of one address too: those who stay are let in in their order", async () => {
  const desk = await Desk.open();
  const order: number[] = [];
  const goes = Array.from({ length: 50 }, (_, nth) => desk.manager.gate.admit("192.0.2.1", () => order.push(nth)) || assert.fail());
  const first = [...order];
  for (const [nth, giveUp] of goes.entries()) if (nth % 5 !== 0) giveUp();
  desk.clock.advance(1000);
  for (const giveUp of goes) giveUp();
  assert.deepEqual(
    order,
    [...first, ...goes.keys()].filter((nth, at, all) => all.indexOf(nth) === at && (first.includes(nth) || nth % 5 === 0)),
  );
});

test("an address that asks for upgrades without pause takes neither the places nor the turns of others", async () => {
  const desk = await Desk.open();
  let asked = 0;
  let refused = 0;
  const waits: number[] = [];
  for (let ms = 0; ms < 20_000; ms += 10) {
    for (let nth = 0; nth < 50; nth++) if (!desk.manager.gate.admit("203.0.113.9", () => {})) refused++;
    if (ms % 100 === 0) {
      const at = desk.clock.now();
      asked++;
      if (!desk.manager.gate.admit("198.51.100.1", () => waits.push(desk.clock.now() - at))) assert.fail(`refused after ${ms} ms`);
    }
    desk.clock.advance(10);
  }
  assert.ok(refused > 50_000, `${refused} of the flood were refused`);
  assert.equal(waits.length, asked);
  assert.ok(Math.max(...waits) <= 10, `others waited for up to ${Math.max(...waits)} ms`);
});

// Honest people must not be slower for it.

function joinedBy(client: Client): number {
  return client.socket.takeMessages().filter(({ kind }) => kind === "joined").length;
}

test("an office of 200 behind one address that reloads at once is back on three boards each within a second", async () => {
  const desk = await Desk.open();
  const office = "198.51.100.1";
  const people: Client[] = [];
  for (let nth = 0; nth < 200; nth++) {
    desk.manager.gate.admit(office, () => {
      const person = desk.connect("binary", { address: office });
      people.push(person);
      person.hello();
      for (let board = 0; board < 3; board++) person.join(`board-${(nth + board * 40) % 50}`, "somebody");
    });
  }
  desk.clock.advance(1000);
  assert.equal(people.length, 200);
  assert.deepEqual(new Set(people.map(joinedBy)), new Set([3]));
  assert.equal(desk.metrics.throttled.grace + desk.metrics.throttled.handshake_refused, 0);
});

test("32 boards joined at once are there in a tenth of a second, also where somebody else floods at the same address", async () => {
  const desk = await Desk.open();
  const ana = desk.connect("json");
  ana.hello();
  for (let board = 0; board < 32; board++) ana.join(`a${board}`, "Ana");
  desk.clock.advance(100);
  assert.equal(joinedBy(ana), 32);
  const ben = desk.enter("json");
  const eves = Array.from({ length: 20 }, () => desk.enter("json"));
  const flood = () => {
    for (const eve of eves) for (let nth = eve.socket.isPaused ? 100 : 0; nth < 100; nth++) eve.leave("none");
    desk.clock.advance(10);
  };
  for (let step = 0; step < 200; step++) flood();
  ben.socket.takeFrames();
  for (let board = 0; board < 32; board++) ben.join(`a${board}`, "Ben");
  let joined = 0;
  let ms = 0;
  for (; joined < 32 && ms < 10_000; ms += 10) {
    flood();
    joined += joinedBy(ben);
  }
  assert.ok(ms <= 2000, `after ${ms} ms`);
});

test("300 boards entered and left in 0.6 s are all answered soon after", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json");
  for (let board = 0; board < 300; board++) {
    ana.join(`b${board}`, "Ana");
    if (board >= 10) ana.leave(`b${board - 10}`);
    desk.clock.advance(2);
  }
  desk.clock.advance(600);
  const { join, leave } = desk.metrics.clientMessages;
  assert.deepEqual([join, leave, ana.socket.isPaused, ana.socket.closedWith], [300, 290, false, undefined]);
});
