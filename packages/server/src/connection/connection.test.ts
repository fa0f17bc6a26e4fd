/** One client's conversation: which messages are allowed when, how they are answered, and how it ends. docs/PROTOCOL.md; C1–C5. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BOARDS_PER_CONNECTION_MAX, type BoardId, CLOSE, type ErrorCode, type ServerMessage } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { OUTBOX } from "./outbox.ts";

/** The messages that the client is told within the next second, but heartbeats. */
function told(desk: Desk, client: Client): ServerMessage[] {
  desk.clock.advance(1000);
  return client.socket.takeMessages().filter(({ kind }) => kind !== "heartbeat");
}

function errors(messages: readonly ServerMessage[]): (ErrorCode | "unknown")[] {
  return messages.flatMap((message) => (message.kind === "error" ? [message.code] : []));
}

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: hello is answered by welcome, join by joined`, async () => {
    const desk = await Desk.open();
    const ana = desk.connect(encoding);
    ana.hello();
    const [welcome] = ana.socket.takeMessages();
    assert.ok(welcome?.kind === "welcome");
    assert.deepEqual([welcome.resumeToken, welcome.heartbeatMs, welcome.graceMs, welcome.cursorMs], [ana.resumeToken, 45_000, 15_000, 16]);
    ana.join("b", "Ana");
    const [joined, ...more] = told(desk, ana);
    assert.ok(joined?.kind === "joined" && joined.members === 1 && joined.roster[0]?.actor === joined.self);
    assert.equal(joined.roster[0]?.member.memberId, welcome.memberId);
    assert.deepEqual(more, []);
  });

  test(`${encoding}: a session is made for a client that has none`, async () => {
    const desk = await Desk.open();
    const ana = desk.connect(encoding);
    ana.say({ kind: "hello" });
    const [welcome] = ana.socket.takeMessages();
    assert.match(welcome?.kind === "welcome" ? welcome.resumeToken : "", /^[0-9a-f]{32}$/);
  });
}

test("hello comes first, and once", async () => {
  const desk = await Desk.open();
  const ana = desk.connect("json");
  ana.join("b", "Ana");
  assert.deepEqual(errors(told(desk, ana)), ["bad_message"]);
  ana.hello();
  ana.hello();
  const [welcome, error] = told(desk, ana);
  assert.deepEqual([welcome?.kind, error?.kind === "error" && error.ref], ["welcome", "hello"]);
  assert.equal(desk.metrics.clientRejected.bad_message, 2);
});

test("a client that says no hello for 5 s is closed with 4410; classic clients need none", async () => {
  const desk = await Desk.open();
  const silent = desk.connect("binary");
  const classic = desk.connect("classic");
  desk.clock.advance(4900);
  assert.equal(silent.socket.closedWith, undefined);
  desk.clock.advance(500);
  assert.equal(silent.socket.closedWith, CLOSE.helloTimeout);
  assert.equal(classic.socket.closedWith, undefined);
});

test("[C4] a message that makes no sense is answered by its error, and changes nothing", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  const cases: [ErrorCode, () => void][] = [
    ["bad_message", () => ana.connection.received(Buffer.from("{}"), false)],
    ["bad_message", () => ana.connection.received(Buffer.from("{}"), true)],
    ["bad_username", () => ana.join("c", "A\u202ena")],
    ["not_joined", () => ana.leave("elsewhere")],
    ["not_joined", () => ana.move("elsewhere", 1, 1)],
    ["not_joined", () => ana.say({ kind: "broadcast", board: ana.ref("elsewhere"), name: "n", data: 1 })],
    ["superseded", () => ana.join("b", "Ana", 1)],
    ["bad_state", () => ana.say({ kind: "update", board: ana.ref("b"), state: { a: "x".repeat(2500), b: "x".repeat(1400) } })],
  ];
  ana.say({ kind: "update", board: ana.ref("b"), state: { c: "x".repeat(2500) } });
  assert.deepEqual(told(desk, ana), []);
  for (const [code, act] of cases) {
    act();
    assert.deepEqual(errors(told(desk, ana)), [code]);
  }
  assert.deepEqual([ana.socket.closedWith, ana.connection.seats.length], [undefined, 1]);
});

test("[C4] a client that goes on with garbage is closed with 4411, without grace; a classic client never", async () => {
  const desk = await Desk.open();
  const eve = desk.enter("binary", "1", "Eve");
  const classic = desk.enter("classic", "1", "classic");
  for (let count = 0; count < 200; count++) {
    eve.connection.received(Buffer.of(0xff), true);
    classic.connection.received(Buffer.of(0xff), true);
  }
  desk.clock.advance(500);
  assert.equal(eve.socket.closedWith, CLOSE.abuse);
  assert.equal(classic.socket.closedWith, undefined);
  assert.deepEqual(
    classic.socket.takeClassic().map(({ kind }) => kind),
    ["user_left", "presence_update"],
  );
});

test("[C4] floods of joins, updates and broadcasts are told to slow down, floods of cursors are not", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  for (let count = 0; count < 1000; count++) ana.move("b", count, 0);
  assert.deepEqual(errors(told(desk, ana)), []);
  assert.ok(desk.metrics.cursorsConflated > 900);
  for (let count = 0; count < 1000; count++) ana.say({ kind: "broadcast", board: ana.ref("b"), name: "n", data: count });
  desk.clock.advance(10_000);
  const refused = errors(ana.socket.takeMessages());
  // 200 messages are taken at once, and 50 a second while the others are read, at the pace at which refusals are paid for.
  assert.ok(refused.length > 650 && refused.length <= 800 && refused.every((code) => code === "too_fast"), String(refused.length));
  assert.equal(ana.socket.closedWith, undefined);
});

test("[C4] joins, updates and broadcasts each have a budget of their own", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  const board = ana.ref("b");
  const burst = (count: number, act: (n: number) => void) => {
    ana.socket.takeFrames();
    for (let n = 0; n < count; n++) act(n);
    while (ana.socket.isPaused) desk.clock.advance(1);
    return errors(ana.socket.takeMessages()).filter((code) => code === "too_fast").length;
  };
  const broadcast = (n: number) => ana.say({ kind: "broadcast", board, name: "n", data: n });
  const update = (n: number) => ana.say({ kind: "update", board, state: { n } });
  const join = () => ana.join("b", "Ana");
  // While the messages are read in turns, the budget grows by 50 a second.
  for (const act of [broadcast, update, join]) {
    const refused = burst(260, act);
    assert.ok(refused > 45 && refused <= 60, `${refused} of 260 were refused`);
  }
  for (let second = 0; second < 4; second++) desk.clock.advance(1000);
  for (const act of [broadcast, update, join]) {
    const refused = burst(260, act);
    assert.ok(refused > 45 && refused <= 60, `${refused} of 260 were refused`);
  }
});

test("a connection may be on 32 boards", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json");
  for (let count = 0; count <= BOARDS_PER_CONNECTION_MAX; count++) ana.join(`b${count}`, "Ana");
  const messages = told(desk, ana);
  assert.deepEqual(errors(messages), ["too_many_boards"]);
  assert.equal(messages.filter(({ kind }) => kind === "joined").length, BOARDS_PER_CONNECTION_MAX);
});

test("[C2] how a connection ended decides how long its members stay", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("binary", "b", "watcher");
  const cases: [number, number][] = [
    [CLOSE.normal.code, 0],
    [CLOSE.goingAway.code, 3000],
    [CLOSE.noStatus.code, 3000],
    [CLOSE.lost.code, 15_000],
    [4999, 15_000],
  ];
  for (const [code, graceMs] of cases) {
    const ana = desk.enter("binary", "b", "Ana");
    watcher.socket.takeFrames();
    ana.close(code);
    if (graceMs > 0) {
      desk.clock.advance(graceMs - 100);
      const kinds = watcher.socket.takeMessages().map(({ kind }) => kind);
      assert.deepEqual([kinds.includes("user_updated"), kinds.includes("user_left")], [true, false], `${code}: reconnecting`);
    }
    desk.clock.advance(300);
    watcher.say({ kind: "heartbeat" });
    assert.equal(watcher.socket.takeMessages().filter(({ kind }) => kind === "user_left").length, 1, `${code}: gone after ${graceMs} ms`);
  }
});

test("gone is gone for a classic client, however it went", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("classic", "1", "watcher");
  const ana = desk.enter("classic", "1", "Ana");
  watcher.socket.takeFrames();
  ana.close(CLOSE.lost.code);
  desk.clock.advance(100);
  assert.deepEqual(
    watcher.socket.takeClassic().map(({ kind }) => kind),
    ["user_left", "presence_update"],
  );
});

test("[R11.13] the older of two connections of a session is closed with 4409; its member stays", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("binary", "b", "watcher");
  const older = desk.enter("binary", "b", "Ana");
  watcher.socket.takeFrames();
  const newer = desk.connect("json");
  newer.hello({ resumeToken: older.resumeToken });
  newer.join("b", "Ana", 2);
  assert.equal(older.socket.closedWith, CLOSE.superseded);
  const kinds = told(desk, watcher).map(({ kind }) => kind);
  assert.deepEqual(
    kinds.filter((kind) => kind === "user_joined" || kind === "user_left"),
    [],
  );
  assert.equal(told(desk, newer).at(-1)?.kind, "joined");
});

test("the host says who a client is, while later messages wait in order", async () => {
  let answer: (user: { userId: string; username: string } | undefined) => void = () => {};
  const desk = await Desk.open({
    authenticate: (token) => (token === "slow" ? new Promise((resolve) => (answer = resolve)) : undefined),
    authorize: (user, boardId) => Promise.resolve(boardId === `of-${user.userId}`),
  });
  const wrong = desk.connect("binary");
  wrong.hello({ token: "nobody's" });
  assert.equal(wrong.socket.closedWith, CLOSE.unauthorized);

  const ana = desk.connect("binary");
  ana.hello({ token: "slow" });
  ana.join("of-ana", "whoever");
  ana.join("of-ben", "whoever");
  assert.equal(ana.socket.isPaused, true);
  answer({ userId: "ana", username: "Ana" });
  for (let turns = 0; turns < 20; turns++) {
    await Promise.resolve();
    desk.clock.advance(1);
  }
  // No board waits for another: which answer comes first is not promised.
  const [welcome, ...answers] = told(desk, ana);
  const [error, joined] = ["error", "joined"].map((kind) => answers.find((message) => message.kind === kind));
  assert.equal(welcome?.kind, "welcome");
  assert.deepEqual(error?.kind === "error" && [error.code, error.ref], ["bad_board", "of-ben"]);
  assert.equal(joined?.kind === "joined" && joined.roster[0]?.member.username, "Ana");
  assert.equal(ana.socket.isPaused, false);

  ana.say({ kind: "auth", token: "another user's" });
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
});

test("a connection that is gone by the time the host answers stays gone", async () => {
  let answer: (user: { userId: string }) => void = () => {};
  const desk = await Desk.open({ authenticate: () => new Promise((resolve) => (answer = resolve)) });
  const ana = desk.connect("binary");
  ana.hello();
  ana.close(CLOSE.lost.code);
  answer({ userId: "ana" });
  await Promise.resolve();
  assert.deepEqual(ana.socket.takeFrames(), []);
});

test("a host that cannot say who somebody is, or never answers, ends the connection with 1011, an error and a line in the log", async () => {
  const desk = await Desk.open({
    authenticate: (token) => {
      if (token === "slow") return new Promise(() => {});
      throw new Error("no database");
    },
  });
  const ana = desk.connect("json");
  ana.hello();
  assert.equal(ana.socket.closedWith, CLOSE.internal);
  assert.deepEqual(errors(ana.socket.takeMessages()), ["unavailable"]);
  assert.ok(desk.lines.some((line) => line.startsWith("error the host's authenticate failed")));
  const ben = desk.connect("json");
  ben.hello({ token: "slow" });
  desk.clock.advance(11_000);
  assert.equal(ben.socket.closedWith, CLOSE.internal);
});

test("a classic client is who its token says, or is closed", async () => {
  const desk = await Desk.open({ authenticate: (token) => (token === "ana's" ? { userId: "ana", username: "Ana" } : undefined) });
  assert.equal(desk.connect("classic").socket.closedWith, CLOSE.unauthorized);
  const ana = desk.connect("classic", { token: "ana's" });
  ana.join("1", "whoever");
  assert.equal(ana.socket.closedWith, undefined);
});

test("[F4] a client that does not read gets no answers, and is ended after half a minute", async () => {
  const desk = await Desk.open();
  const slow = desk.enter("json", "b", "slow");
  const ana = desk.enter("json", "b", "Ana");
  slow.socket.takeFrames();
  slow.socket.queuedBytes = OUTBOX.lowBytes + 1;
  slow.connection.received(Buffer.from("garbage"), false);
  for (let second = 0; second < 40; second++) {
    ana.move("b", second, 0);
    slow.connection.ponged();
    desk.clock.advance(1000);
  }
  const toldKinds = new Set(slow.socket.takeMessages().map(({ kind }) => kind));
  assert.deepEqual([...toldKinds], ["heartbeat"]);
  assert.equal(slow.socket.isTerminated, true);
  assert.equal(desk.metrics.terminatedClients, 1);
  assert.ok(desk.metrics.cursorFramesSkipped > 0);
});

for (const nobody of [undefined, null, false, 0, ""]) {
  test(`an authenticate that answers ${JSON.stringify(nobody) ?? "undefined"} lets nobody in`, async () => {
    const desk = await Desk.open({ authenticate: () => nobody as undefined });
    const ana = desk.connect("json");
    ana.hello();
    assert.deepEqual([told(desk, ana), ana.socket.closedWith?.code], [[], CLOSE.unauthorized.code]);
  });
}

test("a second join that is refused while the first still waits for its roster takes nothing away", async () => {
  const desk = await Desk.open();
  await Desk.open({ beside: desk });
  desk.clock.advance(2000);
  const ana = desk.connect("json");
  ana.hello();
  ana.socket.takeMessages();
  ana.join("b", "Ana", 1);
  ana.join("b", "Ana", 1);
  assert.deepEqual(
    told(desk, ana).flatMap((message) => (message.kind === "error" ? [message.code] : [message.kind])),
    ["superseded", "joined"],
  );
  ana.leave("b");
  desk.clock.advance(1000);
  assert.equal(desk.manager.stats().own, 0);
});

for (const encoding of ["binary", "json", "classic"] as const) {
  test(`${encoding}: a client that answers our answers to its heartbeats is not answered for ever`, async () => {
    const desk = await Desk.open();
    const ana = desk.connect(encoding);
    const isClassic = encoding === "classic";
    if (!isClassic) ana.hello();
    ana.socket.takeMessages();
    const beat = () => {
      if (isClassic) ana.sayClassic({ kind: "heartbeat" });
      else ana.say({ kind: "heartbeat" });
      return (isClassic ? ana.socket.takeClassic() : ana.socket.takeMessages()).length;
    };
    let answers = 0;
    for (let round = 0; round < 100; round++) answers += beat();
    assert.equal(answers, 5);
    desk.clock.advance(1000);
    assert.equal(beat(), 1);
  });
}

test("a message for a board just left is answered for a while, and is no abuse", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  ana.leave("b");
  ana.socket.takeMessages();
  for (let move = 0; move < 100; move++) ana.say({ kind: "cursor", board: "b" as BoardId, at: { x: move, y: 0 } });
  assert.equal(errors(told(desk, ana)).length, 30);
  assert.deepEqual([ana.socket.closedWith, desk.metrics.clientRejected.not_joined], [undefined, 100]);
});

test("connections that we close are counted by code", async () => {
  const desk = await Desk.open();
  desk.connect("json");
  desk.clock.advance(6000);
  assert.deepEqual([desk.metrics.closes[4410], desk.metrics.closes[4411]], [1, 0]);
});

test("an answer of the host's that is no promise but looks like one is a failure like any other", async () => {
  const broken = {
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested
    then() {
      throw new Error("boom");
    },
  };
  const desk = await Desk.open({ authorize: () => broken as unknown as Promise<boolean> });
  const ana = desk.enter("json");
  ana.join("b", "Ana");
  await nextTurn();
  assert.deepEqual([errors(told(desk, ana)), ana.socket.closedWith], [["unavailable"], undefined]);
  assert.ok(desk.lines.some((line) => line.startsWith("error the host's authorize failed")));
});

test("[C4] bad_message names kind, field and limit, and refers to the board", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  ana.connection.received(Buffer.from('{"kind":"cursor","board":"b","x":1e10,"y":1}'), false);
  ana.connection.received(Buffer.from('{"kind":"auth","token":7}'), false);
  ana.connection.received(Buffer.from("{"), false);
  const binary = desk.enter("binary", "b", "Ana");
  const number = binary.ref("b");
  binary.connection.received(Buffer.of(0x05, Number(number), 0x02, 0x03, 0x02, 0x5b, 0x5d), true);
  const messages = [...told(desk, ana), ...told(desk, binary)].flatMap((message) =>
    message.kind === "error" ? [[message.ref, message.message]] : [],
  );
  assert.deepEqual(messages, [
    ["b", "cursor: x must be a number from -2147483647 to 2147483647"],
    ["auth", "auth: token must be text of up to 8192 bytes"],
    [undefined, "this message cannot be decoded, or one of its fields breaks a limit"],
    ["b", "update: state must be a JSON object of up to 4096 bytes and 32 levels"],
  ]);
});

test("[C4] a client that is wrong in the same way all the time is answered less, and not shut out; garbage is", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  const wrong = Buffer.from('{"kind":"cursor","board":"b","x":"0.5","y":1}');
  for (let n = 0; n < 1000; n++) ana.connection.received(wrong, false);
  assert.deepEqual([told(desk, ana).length, ana.socket.closedWith, desk.metrics.clientRejected.bad_message], [30, undefined, 1000]);
  ana.say({ kind: "update", board: "b" as BoardId, status: "idle" });
  assert.equal(desk.manager.stats().own, 1);
  for (let n = 0; n < 100; n++) ana.connection.received(Buffer.from("garbage"), false);
  assert.equal(ana.socket.closedWith, CLOSE.abuse);
});

test("[C4] fractions of a board are coordinates too: rounded", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  const ben = desk.enter("json", "b", "Ben");
  ana.connection.received(Buffer.from('{"kind":"cursor","board":"b","x":12.6,"y":0.4}'), false);
  const [cursors] = told(desk, ben).filter(({ kind }) => kind === "cursors");
  assert.deepEqual(cursors?.kind === "cursors" && cursors.moves[0]?.at, { x: 13, y: 0 });
});

test("a classic client on no board is let go 40 s after its last message, and after ten minutes whatever it says", async () => {
  const desk = await Desk.open();
  const silent = desk.connect("classic");
  const junk = desk.connect("classic");
  const beating = desk.connect("classic");
  const member = desk.enter("classic", "1", "member");
  const left = desk.enter("classic", "1", "left");
  const startedAt = desk.clock.now();
  left.leave("1");
  const ends = new Map<object, number>();
  // A browser answers every ping, and the client of the classic service sends a heartbeat every 30 s in any case.
  for (let step = 0; step < 150; step++) {
    for (const client of [silent, junk, beating, member, left]) {
      if (client.socket.closedWith !== undefined) continue;
      client.connection.ponged();
      if (client === junk) client.connection.received(Buffer.of(0xff), true);
      if (step % 6 === 0 && (client === beating || client === member)) client.sayClassic({ kind: "heartbeat" });
    }
    desk.clock.advance(5000);
    for (const client of [silent, junk, beating, member, left]) {
      if (client.socket.closedWith === CLOSE.helloTimeout && !ends.has(client)) ends.set(client, (desk.clock.now() - startedAt) / 1000);
    }
  }
  for (const client of [silent, junk, left])
    assert.ok((ends.get(client) ?? 0) >= 30 && (ends.get(client) ?? 0) <= 45, `${ends.get(client)} s`);
  assert.ok((ends.get(beating) ?? 0) >= 590 && (ends.get(beating) ?? 0) <= 610, `${ends.get(beating)} s`);
  assert.equal(member.socket.closedWith, undefined);
});

test("a connection ends once: bytes that break after our close frame are refused, and its end is not counted again", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary", "b", "Ana");
  ana.connection.end(CLOSE.abuse);
  ana.connection.end(CLOSE.tooBig, "broken");
  assert.deepEqual([desk.metrics.closes[4411], desk.metrics.closes[1009], desk.metrics.clientRejected.bad_message], [1, 0, 1]);
  assert.equal(ana.socket.closedWith, CLOSE.abuse);
  ana.connection.end(CLOSE.draining, "cut");
  assert.ok(ana.socket.isTerminated, "a client that does not answer is cut off all the same");
});
