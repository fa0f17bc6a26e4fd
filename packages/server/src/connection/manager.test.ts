/** The core and the world: effects carried out in order, the bus counted and survived, and the end announced. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLOSE } from "@presence-service/protocol";
import { encodeRedisMessage } from "../bus/envelope.ts";
import { Desk } from "../testing/desk.ts";
import { GRACE_MS } from "./timing.ts";

const SUM = (counts: Record<string, number>) => Object.values(counts).reduce((sum, count) => sum + count, 0);

test("two instances on one bus show each other's people and cursors", async () => {
  const one = await Desk.open();
  const two = await Desk.open({ beside: one });
  const ana = one.enter("binary", "b", "Ana");
  const ben = two.enter("json", "b", "Ben");
  one.clock.advance(500);
  ana.socket.takeFrames();
  ben.move("b", 3, 4);
  one.clock.advance(50);
  const [cursors] = ana.socket.takeMessages();
  assert.deepEqual(cursors?.kind === "cursors" && cursors.moves[0]?.at, { x: 3, y: 4 });
  const { peers, shown, boards, boardsWhole } = one.manager.stats();
  assert.deepEqual([peers[0]?.state, shown, boards, boardsWhole], ["up", 2, 1, 0]);
  one.enter("binary", "alone", "Ana");
  one.clock.advance(50);
  assert.deepEqual([one.manager.stats().boards, one.manager.stats().boardsWhole], [2, 1]);
  await Promise.resolve(); // Redis answers publishers
  assert.ok(one.metrics.received.cursors > 0 && one.metrics.received.delta + one.metrics.received.snapshot > 0);
  assert.ok(two.metrics.published.cursors > 0 && one.metrics.echoes > 0);
  assert.ok(one.metrics.busBytes.in > 0 && one.metrics.busBytes.out > 0);
});

test("[F6] nothing but heartbeats is published for a board where nobody else is", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  desk.clock.advance(5000);
  const before = desk.metrics.published.cursors;
  for (let step = 0; step < 100; step++) {
    ana.move("b", step, 0);
    desk.clock.advance(10);
  }
  assert.equal(desk.metrics.published.cursors, before);
});

test("publishing that fails is counted and warned about once; local people go on", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("binary", "b", "Ben");
  desk.clock.advance(100);
  ana.socket.takeFrames();
  desk.bus.isDown = true;
  for (let second = 0; second < 5; second++) {
    ben.move("b", second, 0);
    desk.clock.advance(1000);
    await Promise.resolve();
  }
  assert.ok(desk.metrics.publishFailures >= 5);
  assert.equal(desk.lines.filter((line) => line.startsWith("warn publishing failed")).length, 1);
  assert.ok(ana.socket.takeMessages().filter(({ kind }) => kind === "cursors").length >= 5);
});

test("[R9.1] without echoes clients are told degraded, those who come later too, and again when it is over", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const classic = desk.enter("classic", "1", "classic");
  classic.socket.takeFrames();
  desk.bus.isDown = true;
  desk.clock.advance(4000);
  assert.deepEqual(
    ana.socket.takeMessages().filter(({ kind }) => kind === "degraded"),
    [{ kind: "degraded", on: true }],
  );
  assert.deepEqual([desk.metrics.degraded, desk.manager.stats().status], [1, "degraded"]);
  assert.deepEqual(classic.socket.takeFrames(), []);
  const ben = desk.connect("json");
  ben.hello();
  assert.deepEqual(
    ben.socket.takeMessages().map(({ kind }) => kind),
    ["welcome", "degraded"],
  );
  desk.bus.isDown = false;
  desk.listener.linkUp("publisher", 2);
  desk.listener.linkUp("subscriber", 2);
  desk.clock.advance(2000);
  assert.ok(ana.socket.takeMessages().some((message) => message.kind === "degraded" && !message.on));
});

test("[R9.2] after a pause of the process the bus is heard before anybody is judged", async () => {
  const one = await Desk.open();
  const two = await Desk.open({ beside: one });
  one.clock.advance(3000);
  for (let pause = 0; pause < 5; pause++) {
    one.clock.stall(2000);
    one.clock.advance(1000);
  }
  for (const { metrics, manager } of [one, two]) {
    assert.deepEqual([metrics.downs, metrics.recycles.subscriber, metrics.degraded], [0, 0, 0]);
    assert.equal(manager.stats().peers[0]?.state, "up");
  }
  assert(one.metrics.eventLoopDelay().p99 > 1, "that the loop stood still is told");
});

test("[R13.2] bytes on our channels that cannot be read are counted and have no effect", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  desk.clock.advance(100);
  ana.socket.takeFrames();
  const good = encodeRedisMessage({ from: desk.manager.instanceId, link: 1, message: { kind: "goodbye" } });
  for (const bytes of [Buffer.from('{"type":"cursor"}'), good.subarray(0, 5), Buffer.alloc(0)])
    desk.listener.message("test:board:b", bytes);
  assert.ok(desk.metrics.busDropped.foreign > 0 && SUM(desk.metrics.busDropped) === 3);
  desk.clock.advance(100);
  assert.deepEqual(ana.socket.takeFrames(), []);
});

test("[R9.32] an instance whose boards are spread otherwise is named in the log and counted, on both sides, until it is like this one", async () => {
  const one = await Desk.open();
  const two = await Desk.open({ beside: one });
  one.clock.advance(1000);
  assert.deepEqual([one.manager.apart, two.manager.apart], [0, 0]);
  two.end.isSpread = true;
  one.clock.advance(1000);
  assert.deepEqual([one.manager.apart, two.manager.apart], [1, 1]);
  const warned = ({ lines }: Desk) => lines.filter((line) => line.startsWith("warn") && line.includes("REDIS_SHARDED"));
  assert.match(warned(one).join(), /another instance has REDIS_SHARDED=on and this one has not.*"peer":"20000000/);
  assert.match(warned(two).join(), /another instance has not REDIS_SHARDED=on, as this one has.*"peer":"10000000/);
  two.end.isSpread = false;
  one.clock.advance(1000);
  assert.deepEqual([one.manager.apart, two.manager.apart, warned(one).length], [0, 0, 1]);
});

test("at level debug every join, leave, publish and bus message is said in words", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  ana.leave("b");
  const said = (words: RegExp) =>
    assert.ok(
      desk.lines.some((line) => words.test(line)),
      `${words} in\n${desk.lines.join("\n")}`,
    );
  said(/^debug "Ana" joins .*"board":"b"/);
  said(/^debug leaves \(left\) .*"board":"b"/);
  said(/^debug publish: snapshot at 1, part 1 of 1: 1 member,/);
  said(/^debug own echo: heartbeat 1/);
  said(/^debug subscribe .*"board":"b"/);
});

test("at level debug it is said what was refused to a client, and how each connection ended", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  const classic = desk.enter("classic", "1", "Ben");
  desk.connect("json");
  desk.lines.length = 0;
  ana.say({ kind: "leave", board: "elsewhere" as BoardId });
  classic.connection.received(Buffer.of(0xff), true);
  ana.close(4999);
  desk.clock.advance(6000);
  const lines = desk.lines.filter((line) => /^debug (refused|disconnected) /.test(line)).map((line) => line.slice("debug ".length));
  assert.deepEqual(lines, [
    'refused a message {"connection":1,"code":"not_joined","ref":"elsewhere"}',
    'refused a message {"connection":2,"code":"bad_message"}',
    'disconnected {"connection":1,"code":4999,"reason":"the connection broke","graceMs":15000}',
    'disconnected {"connection":3,"code":4410,"reason":"no hello within 5 s; a classic client: no board for long","graceMs":15000}',
  ]);
});

test("a board's number is not given to another board while clients may still use it", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  const first = ana.ref("b");
  ana.leave("b");
  ana.join("c", "Ana");
  assert.notEqual(ana.ref("c"), first);
});

test("[R12.8] stopping: goodbye, close codes, and nobody is told that people leave but those who cannot come back", async () => {
  const desk = await Desk.open();
  const other = await Desk.open({ beside: desk });
  const cleo = other.enter("json", "1", "Cleo");
  const ana = desk.enter("binary", "1", "Ana");
  const classic = desk.enter("classic", "1", "classic");
  const silent = desk.connect("json");
  desk.clock.advance(2000);
  for (const { socket } of [ana, cleo]) socket.takeFrames();
  await Promise.resolve();
  const before = desk.metrics.published.delta;
  const stopped = desk.manager.stop();
  const [goodbye, ...more] = ana.socket.takeMessages();
  assert.ok(goodbye?.kind === "goodbye" && goodbye.code === CLOSE.draining.code && goodbye.retryAfterMs <= 2000);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [ana, classic, silent].map(({ socket }) => socket.closedWith),
    [CLOSE.draining, CLOSE.goingAway, CLOSE.draining],
  );
  await Promise.resolve();
  assert.equal(desk.metrics.published.delta, before + 1);
  desk.clock.advance(500);
  const told = cleo.socket.takeMessages().filter(({ kind }) => kind === "user_left" || kind === "user_updated");
  assert.deepEqual(
    told.map((message) => [message.kind, "reason" in message ? message.reason : "patch" in message && message.patch["status"]]),
    [
      ["user_left", "left"],
      ["user_updated", "reconnecting"],
    ],
  );
  ana.close(CLOSE.draining.code);
  desk.clock.advance(3000);
  assert.deepEqual([ana.socket.isTerminated, classic.socket.isTerminated], [false, true], "who does not answer is not waited for");
  for (const client of [classic, silent]) client.close(CLOSE.lost.code);
  await stopped;
  assert.equal(SUM(desk.metrics.connections), 0);
  desk.clock.advance(5000);
  assert.deepEqual(other.manager.stats().shown, 1);
});

test("the clock of the system steps by hours and years: nobody leaves for it, nothing is degraded, and a grace lasts as long as ever", async () => {
  const one = await Desk.open();
  const two = await Desk.open({ beside: one });
  const ana = one.enter("binary", "1", "Ana");
  const ben = two.enter("json", "1", "Ben");
  const classic = two.enter("classic", "1", "classic");
  one.clock.advance(3000);
  ana.socket.takeFrames();
  const leaves = () => ana.socket.takeMessages().filter(({ kind }) => kind === "user_left" || kind === "degraded");
  const alive = () => {
    for (const { connection } of [ana, ben, classic]) connection.ponged();
  };
  for (const stepMs of [3_600_000, -7_200_000, 400 * 86_400_000, -2_000 * 86_400_000, 250, -250]) {
    one.clock.wallAheadMs += stepMs;
    const { echoes } = one.metrics;
    for (let second = 0; second < 20; second++) {
      alive();
      one.clock.advance(1000);
    }
    const beats = one.metrics.echoes - echoes;
    assert.ok(beats >= 38 && beats <= 44, `${beats} beats in 20 s after a step of ${stepMs} ms`);
    assert.deepEqual([leaves(), one.manager.isDegraded, one.manager.stats().peers[0]?.state], [[], false, "up"], `a step of ${stepMs} ms`);
  }
  ben.close(CLOSE.lost.code);
  one.clock.advance(GRACE_MS.full - 3000);
  one.clock.wallAheadMs += 86_400_000;
  one.clock.advance(2500);
  assert.deepEqual(leaves(), []);
  one.clock.advance(1000);
  assert.deepEqual(
    leaves().map((message) => "reason" in message && message.reason),
    ["timeout"],
  );
});

test("[R12.4] clients of an instance that stops come back evenly, 2 ms each, within 100 ms to 2 s", async () => {
  for (const [count, spreadMs] of [
    [1, 100],
    [60, 120],
    [500, 1000],
    [1500, 2000],
  ] as const) {
    const desk = await Desk.open();
    const clients = Array.from({ length: count }, () => desk.enter("binary"));
    const stopped = desk.manager.stop();
    const times = clients.map(({ socket }) => {
      const [message] = socket.takeMessages();
      return message?.kind === "goodbye" ? message.retryAfterMs : Number.NaN;
    });
    times.sort((a, b) => a - b);
    assert.ok(
      times.every((ms, nth) => ms >= Math.floor((nth * spreadMs) / count) && ms < ((nth + 1) * spreadMs) / count),
      `${count}: ${times}`,
    );
    for (const client of clients) client.close(CLOSE.draining.code);
    await stopped;
  }
});

test("[R12.7] while the others are starting anew, an instance that stops waits for one of them, 3 s at most", async () => {
  const here = await Desk.open();
  const there = await Desk.open({ beside: here });
  const ana = here.enter("binary", "b", "Ana");
  here.clock.advance(2000);
  await there.manager.stop();
  here.clock.turn();
  let isStopped = false;
  const stopped = here.manager.stop().then(() => {
    isStopped = true;
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      here.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await pass(1000);
  assert.deepEqual([here.manager.isStopping, ana.socket.closedWith], [false, undefined], "its clients would find nobody");
  const ben = here.enter("binary", "b", "Ben");
  assert.equal(ben.connection.seats.length, 1, "it goes on as before");
  await Desk.open({ beside: here });
  await pass(100);
  assert.deepEqual([here.manager.isStopping, ana.socket.closedWith], [true, CLOSE.draining]);
  for (const client of [ana, ben]) client.close(CLOSE.draining.code);
  await stopped;
  assert.ok(isStopped);
});

test("[R12.7] nobody is waited for by an instance that is alone, has no clients, or has waited for 3 s", async () => {
  const alone = await Desk.open();
  const ana = alone.enter("binary", "b", "Ana");
  void alone.manager.stop();
  assert.equal(ana.socket.closedWith, CLOSE.draining);

  for (const waitsMs of [0, 3000]) {
    const here = await Desk.open();
    const there = await Desk.open({ beside: here });
    here.clock.advance(2000);
    if (waitsMs > 0) here.enter("binary", "b", "Ana");
    await there.manager.stop();
    here.clock.turn();
    void here.manager.stop();
    for (let passed = 0; passed < waitsMs; passed += 100) {
      assert.equal(here.manager.isStopping, false, `after ${passed} ms`);
      here.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(here.manager.isStopping, true);
  }
});

test("a logger that throws once does not stop the heartbeats", async () => {
  const desk = await Desk.open();
  desk.lines.push = () => {
    throw new Error("disk full");
  };
  assert.throws(() => desk.clock.advance(1000), /disk full/);
  desk.lines.push = Array.prototype.push;
  const before = desk.metrics.echoes;
  desk.clock.advance(5000);
  assert.ok(desk.metrics.echoes > before + 5);
});

test("nobody is made to give way while the host is being asked about them", async () => {
  const desk = await Desk.open({ authenticate: () => new Promise(() => {}) });
  const asked = desk.connect("json");
  desk.manager.gate.opened(asked.connection);
  asked.hello();
  desk.clock.advance(2000);
  assert.equal(desk.manager.gate.makeRoom(false), false);
  assert.equal(asked.socket.isTerminated, false);
});

test("a client that has said nothing gives way, a known one does not, and one that is gone is not counted", async () => {
  const desk = await Desk.open();
  const { gate } = desk.manager;
  const open = (encoding: "binary" | "json" | "classic") => {
    const client = desk.connect(encoding);
    gate.opened(client.connection);
    return client;
  };
  const [classic, member, welcomed, ...rest] = [
    open("classic"),
    open("classic"),
    open("json"),
    ...Array.from({ length: 4093 }, () => open("binary")),
  ];
  if (classic === undefined || member === undefined || welcomed === undefined) return assert.fail();
  member.join("1", "member");
  welcomed.hello();
  assert.equal(gate.makeRoom(true), false, "nobody has had a second yet");
  desk.clock.advance(1000);
  assert.equal(gate.makeRoom(true), true);
  assert.deepEqual([classic.socket.isTerminated, rest[0]?.socket.isTerminated], [true, false]);
  assert.equal(gate.makeRoom(true), true, "there is room now");
  assert.equal(rest[0]?.socket.isTerminated, false);
  assert.equal(gate.makeRoom(false), true, "no descriptor is left, whatever the number");
  assert.equal(rest[0]?.socket.isTerminated, true);
  for (const { socket } of [member, welcomed]) assert.equal(socket.isTerminated, false);
  assert.equal(desk.metrics.closes[4410], 2);
});
