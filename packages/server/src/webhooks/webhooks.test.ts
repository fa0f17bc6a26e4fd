/** Several instances with webhooks on one bus that may lose messages: who sends what, and when one dies. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BoardId, InstanceId, Member, MemberId } from "@presence-service/protocol";
import { SILENT } from "../telemetry/log.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import type { StampedEvent } from "./delivery.ts";
import { type Aged, type HookWords, readHookWords, Webhooks } from "./webhooks.ts";

const B = "b" as BoardId;

class Cluster {
  readonly clock = new FakeClock();
  readonly nodes = new Map<InstanceId, Webhooks>();
  /** Batches that the receiver has taken, with their senders. */
  readonly posts: { readonly by: InstanceId; readonly events: readonly StampedEvent[] }[] = [];
  /** Messages are lost if this says so. */
  isLost: (from: InstanceId, words: HookWords) => boolean = () => false;
  /** The receiver's answer. */
  receive: (by: InstanceId) => Promise<void> = async () => {};
  readonly metrics = { webhookEvents: { delivered: 0, dropped: 0 }, webhookFailures: 0, webhookPending: 0 };

  add(nth: number): Webhooks {
    const instanceId = `${nth}0000000-0000-4000-8000-000000000000` as InstanceId;
    const say = (words: HookWords & Aged) => {
      if (!this.nodes.has(instanceId) || this.isLost(instanceId, words)) return;
      const read = readHookWords(JSON.parse(JSON.stringify(words))) ?? assert.fail("it cannot be read");
      for (const [id, node] of this.nodes)
        if (id !== instanceId) this.clock.after(1, () => this.nodes.get(id) === node && node.heard(instanceId, read));
    };
    const post = async (_: unknown, events: readonly StampedEvent[]) => {
      await this.receive(instanceId);
      this.posts.push({ by: instanceId, events });
    };
    const node = new Webhooks({ url: "", secrets: [], instanceId, clock: this.clock, log: SILENT, say, post, metrics: this.metrics });
    this.nodes.set(instanceId, node);
    node.start();
    return node;
  }

  /** kill -9, and the others notice. */
  async kill(nth: number): Promise<void> {
    const [id] = [...this.nodes][nth] ?? assert.fail();
    this.nodes.delete(id);
    this.clock.advance(4000);
    for (const other of this.nodes.values()) other.judged(id, "down");
  }

  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 100) {
      await nextTurn();
      this.clock.advance(100);
      await nextTurn();
    }
  }

  get told(): string[] {
    return this.posts.flatMap(({ events }) => events.map(({ type, name }) => `${type} ${name}`));
  }
}

function joins(node: Webhooks, name: string, boardId = B): void {
  const member = { memberId: name as MemberId, userId: name, username: name, kind: "person" } as Member;
  node.own({ kind: "own", boardId, change: { op: "set", slot: 1, attempt: 1, member } });
}

function leaves(node: Webhooks, name: string, boardId = B): void {
  node.own({ kind: "own", boardId, change: { op: "del", memberId: name as MemberId, attempt: 1, reason: "left" } });
}

async function three() {
  const cluster = new Cluster();
  const [one, two, three] = [1, 2, 3].map((nth) => cluster.add(nth)) as [Webhooks, Webhooks, Webhooks];
  await cluster.pass(10_000);
  return { cluster, one, two, three };
}

test("each event is sent once, by one instance for each board, whoever has the member", async () => {
  const { cluster, one, two, three: last } = await three();
  const boards = Array.from({ length: 12 }, (_, nth) => `board-${nth}` as BoardId);
  for (const boardId of boards) for (const node of [one, two, last]) joins(node, `${boardId}${[one, two, last].indexOf(node)}`, boardId);
  await cluster.pass(2000);
  assert.equal(cluster.told.length, 12 * 4);
  assert.equal(new Set(cluster.told).size, 12 * 4);
  assert.equal(new Set(cluster.posts.map(({ by }) => by)).size, 3, "the boards are shared out");
});

test("the sender is killed while it sends: another one sends, with the same ids; its people have left", async () => {
  const { cluster, one } = await three();
  let sender: InstanceId | undefined;
  cluster.receive = (by) => {
    sender = by;
    return new Promise(() => {});
  };
  joins(one, "ana");
  await cluster.pass(500);
  const at = [...cluster.nodes.keys()].indexOf(sender ?? assert.fail("nobody sends"));
  cluster.receive = async () => {};
  await cluster.kill(at);
  await cluster.pass(2000);
  const expected = ["board.first_in ana", "member.joined ana", ...(at === 0 ? ["member.left ana", "board.last_out ana"] : [])];
  assert.deepEqual(cluster.told, expected);
});

test("a change that others have missed is asked for: at the next one, and after the last one within seconds", async () => {
  const { cluster, one, two } = await three();
  cluster.isLost = (_, words) => words.t === "log" && words.changes.length > 0;
  joins(one, "ana");
  await cluster.pass(100);
  cluster.isLost = () => false;
  joins(one, "ben");
  await cluster.pass(2000);
  cluster.isLost = (_, words) => words.t === "log" && words.changes.length > 0;
  leaves(one, "ana");
  await cluster.pass(100);
  cluster.isLost = () => false;
  await cluster.pass(8000);
  assert.deepEqual(cluster.told.toSorted(), ["board.first_in ana", "member.joined ana", "member.joined ben", "member.left ana"].toSorted());
  // All hold the same: if the owner dies, what is told is the same.
  assert.ok(two);
});

test("a newcomer tells nothing of those who were there, and knows them: it tells that they are gone when their instance dies", async () => {
  const { cluster, one } = await three();
  joins(one, "ana");
  await cluster.pass(2000);
  const before = cluster.told.length;
  cluster.add(4);
  await cluster.pass(10_000);
  assert.equal(cluster.told.length, before);
  for (const nth of [2, 1, 0]) await cluster.kill(nth);
  await cluster.pass(2000);
  assert.deepEqual(cluster.told.slice(before), ["member.left ana", "board.last_out ana"]);
});

test("a receiver that fails is asked again, more and more rarely, and then gets all", async () => {
  const { cluster, one } = await three();
  let asked = 0;
  cluster.receive = async () => {
    asked++;
    throw new Error("not now");
  };
  joins(one, "ana");
  await cluster.pass(60_000);
  assert.ok(asked >= 5 && asked <= 12, `${asked} posts in a minute`);
  cluster.receive = async () => {};
  await cluster.pass(60_000);
  assert.deepEqual(cluster.told, ["board.first_in ana", "member.joined ana"]);
  assert.equal(cluster.metrics.webhookPending, 0);
});
