/** When a client is asked whether it is there, and what its silence means. C3. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLOSE } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { Connection } from "./connection.ts";
import { STEP_MS } from "./lobby.ts";
import { LocalBoards } from "./local-boards.ts";
import { OUTBOX } from "./outbox.ts";
import { HEARTBEAT_MS, SILENT_MS_MAX, VISIT_MS } from "./timing.ts";

test("[C3] heartbeats come every 45 s; the first one after is an answer, another one a question", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary");
  const beats = () => ana.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length;
  for (let second = 0; second < 90; second++) {
    desk.clock.advance(1000);
    ana.connection.ponged(); // silent but alive
  }
  assert.equal(beats(), 2);
  ana.say({ kind: "heartbeat" });
  assert.equal(beats(), 0, "an answer is not answered");
  ana.say({ kind: "heartbeat" });
  assert.equal(beats(), 1, "a question is");
});

for (const encoding of ["binary", "classic"] as const) {
  test(`[C3] ${encoding}: a client that is silent for 22.5 to 25 s where somebody looks is lost; one that answers is not`, async () => {
    const desk = await Desk.open();
    const lastAt = desk.clock.now();
    const dead = desk.enter(encoding, "7", "dead");
    const alive = desk.enter(encoding, "7", "alive");
    const isOver = () => dead.socket.closedWith !== undefined || dead.socket.isTerminated;
    let silentMs = desk.clock.now() - lastAt;
    for (; !isOver() && silentMs < 60_000; silentMs += 100) {
      desk.clock.advance(100);
      if (encoding === "classic") alive.connection.ponged();
      else if (silentMs % 10_000 === 0) alive.say({ kind: "heartbeat" });
    }
    assert.ok(silentMs >= 22_500 && silentMs <= 25_000 + STEP_MS, `after ${silentMs} ms`);
    assert.deepEqual([alive.socket.closedWith, alive.socket.isTerminated], [undefined, false]);
    if (encoding === "classic") assert.ok(dead.socket.pings >= 2);
    else assert.equal(dead.socket.closedWith, CLOSE.unresponsive);
  });
}

for (const encoding of ["binary", "json", "classic"] as const) {
  test(`[C3] ${encoding}: shown as reconnecting within 8 s of the last message where somebody else looks, and as before at the next`, async () => {
    const desk = await Desk.open();
    const far = await Desk.open({ beside: desk });
    const watcher = far.enter("json", "7", "watcher");
    const ana = desk.enter(encoding, "7", "Ana");
    watcher.socket.takeFrames();
    const statuses: { after: number; status: string | undefined }[] = [];
    const startedAt = desk.clock.now();
    const watchFor = (seconds: number) => {
      for (let step = 0; step < seconds * 10; step++) {
        desk.clock.advance(100);
        watcher.connection.ponged();
        for (const message of watcher.socket.takeMessages())
          if (message.kind === "user_updated")
            statuses.push({ after: desk.clock.now() - startedAt, status: message.patch["status"] as string });
          else assert.ok(message.kind !== "user_left" && message.kind !== "user_joined", message.kind);
      }
    };
    watchFor(15);
    if (encoding === "classic") ana.connection.ponged();
    else ana.say({ kind: "heartbeat" });
    watchFor(1);
    assert.deepEqual(
      statuses.map(({ status }) => status),
      ["reconnecting", "active"],
    );
    const [quiet] = statuses;
    assert.ok(quiet !== undefined && quiet.after > 5_000 - 300 && quiet.after < 8_000, `after ${quiet?.after} ms`);
    const asked = encoding === "classic" ? ana.socket.pings : ana.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length;
    assert.ok(asked <= 4, `asked ${asked} times in 16 s`);
  });
}

test("[C3] a client is asked every 45 s, and every 5 s while somebody else on its board is active or observes it, here or elsewhere", async () => {
  const desk = await Desk.open();
  const far = await Desk.open({ beside: desk });
  const ana = desk.enter("json", "b", "Ana");
  const ben = far.enter("json", "b", "Ben");
  /** How often Ana is asked in that time, and answers, while Ben's connection is well. */
  const asked = (seconds: number) => {
    let count = 0;
    for (let step = 0; step < seconds * 10; step++) {
      desk.clock.advance(100);
      ben.connection.ponged();
      const beats = ana.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length;
      if (beats > 0) ana.say({ kind: "heartbeat" });
      count += beats;
    }
    return count;
  };
  assert.equal(asked(40), 8, "somebody is active");
  ana.say({ kind: "update", board: "b" as BoardId, status: "idle" });
  ben.say({ kind: "update", board: "b" as BoardId, status: "idle" });
  asked(10);
  assert.equal(asked(90), 2, "somebody is idle");
  ben.say({ kind: "update", board: "b" as BoardId, status: "active" });
  asked(10);
  assert.equal(asked(40), 8, "somebody is active again");
  ben.say({ kind: "update", board: "b" as BoardId, status: "idle" });
  asked(10);
  assert.equal(asked(90), 2, "somebody is idle again");
  ben.say({ kind: "join", boardId: "b" as BoardId, attempt: 2, username: "Ben", status: "active", state: {}, observe: true });
  asked(10);
  assert.equal(asked(40), 8, "somebody observes");
  ben.leave("b");
  asked(10);
  assert.equal(asked(90), 2, "nobody else is there");
  const olga = far.enter("json");
  olga.say({ kind: "join", boardId: "b" as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
  asked(10);
  assert.equal(asked(20), 4, "somebody observes who was not there");
  const statuses = ben.socket.takeMessages().flatMap((message) => (message.kind === "user_updated" ? [message.patch["status"]] : []));
  assert.deepEqual(statuses, ["idle"]);
});

test("[C3] an answer to a client's question stands for a heartbeat, and nobody looks at an observer", async () => {
  const desk = await Desk.open();
  const alone = desk.enter("json", "a", "Ana");
  const observer = desk.enter("json");
  const member = desk.enter("json", "b", "Ben");
  observer.say({ kind: "join", boardId: "b" as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
  let heard = 0;
  let asked = 0;
  for (let second = 0; second < 120; second++) {
    if (second % 20 === 0) alone.say({ kind: "heartbeat" });
    member.connection.ponged();
    desk.clock.advance(1000);
    heard += alone.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length;
    const questions = observer.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length;
    if (questions > 0) observer.say({ kind: "heartbeat" });
    asked += questions;
  }
  assert.deepEqual([heard, asked], [6, 2]);
});

const DEAFNESS: { readonly [what: string]: (desk: Desk) => void } = {
  "other instances are not heard": ({ bus }) => {
    bus.isDown = true;
  },
  "other instances are not heard on its board": ({ listener }) =>
    listener.refused({ channel: "test:board:b", reason: "not permitted", gist: "not permitted", advice: "", attempt: 1, retryMs: 1 }),
};

for (const [what, deafen] of Object.entries(DEAFNESS))
  test(`[C3] while ${what}, a client is asked as if somebody there looked`, async () => {
    const desk = await Desk.open();
    const dead = desk.enter("json", "b", "Ana");
    dead.say({ kind: "update", board: "b" as BoardId, status: "idle" });
    desk.clock.advance(4 * VISIT_MS);
    dead.say({ kind: "heartbeat" });
    for (let ms = 0; ms < SILENT_MS_MAX + 2 * VISIT_MS; ms += 250) {
      deafen(desk);
      desk.clock.advance(250);
    }
    assert.equal(dead.socket.closedWith, CLOSE.unresponsive);
  });

test("an idle client costs one visit and one question every 45 s, and nothing else is due", async (t) => {
  const desk = await Desk.open();
  const clients = Array.from({ length: 40 }, (_, nth) => {
    const client = desk.enter("binary", `b${nth % 4}`, `user ${nth}`);
    client.say({ kind: "update", board: client.ref(`b${nth % 4}`), status: "idle" });
    return client;
  });
  const live = (ms: number) => {
    let asked = 0;
    for (let at = 0; at < ms; at += 500) {
      desk.clock.advance(500);
      for (const client of clients) {
        const beats = client.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length;
        if (beats > 0) client.say({ kind: "heartbeat" });
        asked += beats;
      }
    }
    return asked;
  };
  live(HEARTBEAT_MS);
  const visit = t.mock.method(Connection.prototype, "visit");
  const isLookedAt = t.mock.method(LocalBoards.prototype, "isLookedAt");
  assert.equal(live(4 * HEARTBEAT_MS), 4 * clients.length);
  assert.equal(visit.mock.callCount(), 4 * clients.length);
  assert.equal(isLookedAt.mock.callCount(), 8 * clients.length);
});

test("[C3] a pause of our own makes nobody silent", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("binary");
  desk.clock.stall(60_000);
  desk.clock.advance(5000);
  assert.equal(ana.socket.closedWith, undefined);
});

test("[C3] a client at which nobody looked for long is asked and shown as reconnecting as soon as any other, even after a pause of our own", async () => {
  const desk = await Desk.open();
  const far = await Desk.open({ beside: desk });
  const ana = desk.enter("json", "b", "Ana");
  ana.say({ kind: "update", board: "b" as BoardId, status: "idle" });
  for (let ms = 0; ms < 100_000; ms += 250) {
    desk.clock.advance(250);
    if (ana.socket.takeMessages().some(({ kind }) => kind === "heartbeat")) ana.say({ kind: "heartbeat" });
  }
  desk.clock.stall(60_000);
  desk.clock.turn();
  const ben = far.enter("json", "b", "Ben");
  const comesAt = desk.clock.now() - 200; // `enter` waits for the roster
  let quietMs = 0;
  while (!ben.socket.takeMessages().some((message) => message.kind === "user_updated" && message.patch["status"] === "reconnecting")) {
    desk.clock.advance(100);
    ben.connection.ponged();
    quietMs = desk.clock.now() - comesAt;
    assert.ok(quietMs < 8000, "found within 8 s");
  }
  assert.ok(quietMs > VISIT_MS, `not before it was asked: after ${quietMs} ms`);
});

/** A client at which nobody looks, which has just been visited and is so at rest for half a minute. */
async function resting(encoding: "json" | "classic"): Promise<{ desk: Desk; client: Client }> {
  const desk = await Desk.open();
  const client = desk.enter(encoding, "7", "Ana");
  if (encoding === "json") client.say({ kind: "update", board: "7" as BoardId, status: "idle" });
  let asked = 0;
  for (let sinceMs = 0; sinceMs < 5 * VISIT_MS; ) {
    desk.clock.advance(250);
    const beats =
      encoding === "json" ? client.socket.takeMessages().filter(({ kind }) => kind === "heartbeat").length : client.socket.pings;
    const isAsked = encoding === "json" ? beats > 0 : beats > asked;
    asked = beats;
    if (isAsked) client.connection.ponged();
    sinceMs = isAsked ? 1 : sinceMs > 0 ? sinceMs + 250 : 0;
  }
  return { desk, client };
}

const FILLS: { readonly [what: string]: (client: Client) => void } = {
  "frames of its board": (client) => {
    client.connection.seats[0]?.outbox.restart();
    client.move("7", 1, 1);
  },
  answers: (client) => client.connection.announce("hello", undefined),
  pongs: (client) => client.connection.pinged(Buffer.alloc(0)),
};

for (const [what, fill] of Object.entries(FILLS))
  test(`[F4] a client at rest whose socket is filled by ${what} is given up by its next visit`, async () => {
    const { desk, client } = await resting("json");
    client.socket.queuedBytes = OUTBOX.bytesMax + 1;
    fill(client);
    desk.clock.advance(VISIT_MS);
    assert.ok(client.socket.isTerminated);
  });

test("[F4] a client at rest that reads nothing any more is given up after 30 s", async () => {
  const { desk, client } = await resting("json");
  for (let nth = 0; nth < 2; nth++) client.say({ kind: "heartbeat" }); // the next question is 45 s off
  client.socket.queuedBytes = OUTBOX.lowBytes + 1;
  FILLS["frames of its board"]?.(client);
  desk.clock.advance(OUTBOX.stalledMsMax);
  assert.ok(!client.socket.isTerminated);
  desk.clock.advance(VISIT_MS + STEP_MS);
  assert.ok(client.socket.isTerminated);
});

test("[F4] a pause of our own is not the time of a client that is behind", async () => {
  const { desk, client } = await resting("json");
  client.socket.queuedBytes = OUTBOX.lowBytes + 1;
  FILLS["frames of its board"]?.(client);
  desk.clock.advance(VISIT_MS);
  for (let pause = 0; pause < 3; pause++) {
    desk.clock.stall(2 * OUTBOX.stalledMsMax);
    desk.clock.advance(VISIT_MS);
  }
  assert.ok(!client.socket.isTerminated);
  client.socket.drain();
  desk.clock.advance(OUTBOX.stalledMsMax);
  assert.ok(client.connection.seats[0]?.outbox.isLive);
});

test("[F4] a client is behind on a board from the change on that it was not told, however long the board was at rest before", async () => {
  const { desk, client } = await resting("json");
  desk.clock.advance(OUTBOX.stalledMsMax);
  client.connection.ponged();
  client.socket.queuedBytes = OUTBOX.lowBytes + 1; // of another board, say
  client.move("7", 1, 1);
  desk.clock.advance(OUTBOX.stalledMsMax - VISIT_MS);
  assert.ok(!client.socket.isTerminated);
});

test("a classic client at rest that leaves its board and says nothing is ended after 40 s", async () => {
  const { desk, client } = await resting("classic");
  client.leave("7");
  desk.clock.advance(37_000);
  assert.equal(client.socket.closedWith, undefined);
  desk.clock.advance(3_000 + STEP_MS);
  assert.equal(client.socket.closedWith, CLOSE.helloTimeout);
});

test("[C3] a client at rest that comes to a board which somebody observes is asked within 5 s", async () => {
  const { desk, client } = await resting("json");
  const [olga, cem] = [desk.enter("json"), desk.enter("json", "b", "Cem")];
  olga.say({ kind: "join", boardId: "b" as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
  for (let ms = 0; ms < 20_000; ms += 250) {
    desk.clock.advance(250);
    for (const { connection } of [client, olga, cem]) connection.ponged();
  }
  client.socket.takeFrames();
  client.say({ kind: "join", boardId: "b" as BoardId, attempt: 2, username: "Ana", status: "idle", state: {} });
  desk.clock.advance(2 * VISIT_MS);
  assert.ok(client.socket.takeMessages().some(({ kind }) => kind === "heartbeat"));
});

test("a token that runs out after a long rest, in or after a pause of our own, ends its connection at once", async () => {
  const startedAt = 1_750_000_000_000;
  const desk = await Desk.open({ authenticate: async () => ({ userId: "ana", expiresAt: startedAt + 200_000 }) });
  const ana = desk.connect("json");
  ana.hello({ token: "good" });
  await new Promise(setImmediate);
  ana.join("b", "Ana");
  ana.socket.takeFrames();
  const told: number[] = [];
  for (let ms = 0; ms < 150_000; ms += 250) {
    desk.clock.advance(250);
    for (const message of ana.socket.takeMessages()) {
      if (message.kind === "heartbeat") ana.say({ kind: "heartbeat" });
      if (message.kind === "token_expiring") told.push(message.expiresInMs);
    }
  }
  assert.ok(told.length === 1 && Math.abs((told[0] ?? 0) - 60_000) <= STEP_MS, `told ${told}`);
  assert.equal(ana.socket.closedWith, undefined);
  desk.clock.stall(120_000);
  desk.clock.turn();
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
});
