/**
 * A stranger who may publish on our Redis forges messages in the names of live instances, and in names of his own. No test asks that
 * they have no effect, as nothing is signed; each bounds how long the harm lasts.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type TestContext, test } from "node:test";
import type { InstanceId, Member, MemberId } from "@presence-service/protocol";
import { decodeRedisMessage, encodeRedisMessage, type RedisMessage } from "../src/bus/envelope.ts";
import type { BusMessage, Heartbeat } from "../src/core/messages.ts";
import { type Cluster, eventually, type Published, SessionClient, startCluster, throughout } from "./harness/index.ts";

/** The bound after any forged message, unless a test says otherwise. */
const HEALED_MS = 5000;
const BOARD = "doc-1";
const CHANNEL = `presence:board:${BOARD}`;
const GLOBAL = "presence:global";

type People = { readonly ana: SessionClient; readonly ben: SessionClient };
type Scene = Cluster & People & { readonly published: readonly Published[]; readonly last: (of: "one" | "two") => RedisMessage };

test("forged messages on the Redis channels", { timeout: 180_000 }, async (t) => {
  const scene = await sceneOf(t);
  const { redis, ana, ben, one, two, last } = scene;
  const publish = (channel: string, from: RedisMessage, message: BusMessage, link = from.link) =>
    redis.cli("PUBLISH", channel, encodeRedisMessage({ from: from.from, link, message }));
  const equal = () => ana.names(BOARD).join() === "ben" && ben.names(BOARD).join() === "ana";
  const healed = async (t: TestContext, what: string) => {
    const startedAt = performance.now();
    // Harm takes a moment to show, so equality counts only once it has lasted.
    let since = performance.now();
    await eventually(
      async () => {
        if (!equal() || (await moves(scene)) === false) since = performance.now();
        return performance.now() - since > 1000;
      },
      { what, withinMs: HEALED_MS + 1000 },
    );
    t.diagnostic(`${what}: equal and moving for good after ${Math.round(since - startedAt)} ms`);
  };

  await t.test("[R4] a snapshot that hides all people of an instance", async (t) => {
    for (const ahead of [1, 1_000_000, 2 ** 40]) {
      const seq = seqOf(scene) + ahead;
      await publish(CHANNEL, last("two"), { kind: "snapshot", seq, part: 0, parts: 1, entries: [], ended: [] });
      await healed(t, `an empty snapshot, ${ahead} ahead`);
    }
  });

  await t.test("[R3] a delta to a position that its owner never reached, with people whom nobody knows", async (t) => {
    const seq = seqOf(scene);
    const ops = Array.from({ length: 50 }, (_, slot) => ({ op: "set", slot: slot + 100, attempt: 1, member: ghost(slot) }) as const);
    await publish(CHANNEL, last("two"), { kind: "delta", prev: seq, seq: seq + 1_000_000, ops });
    await healed(t, "a forged delta");
  });

  await t.test("[R3] numbers of a link, a beat and an interval that their sender never had", async (t) => {
    const beat = last("two").message as Heartbeat;
    await publish(GLOBAL, last("two"), { ...beat, beat: beat.beat + 1 }, 2 ** 31);
    await healed(t, "a link far ahead");
    for (const ahead of [1, 1000, 2 ** 30]) await publish(GLOBAL, last("two"), { ...beat, beat: beat.beat + ahead, intervalMs: 60_000 });
    await healed(t, "beats far ahead");
    await publish(GLOBAL, last("two"), { ...beat, beat: beat.beat + 1, boards: 2 ** 32 - 1, beaconMs: 2 ** 21 - 1 });
    await healed(t, "a claim of billions of boards");
  });

  await t.test("[R12] a goodbye", async (t) => {
    await publish(GLOBAL, last("two"), { kind: "goodbye" });
    await healed(t, "a goodbye");
  });

  await t.test("[R7] a thousand senders that do not exist: a real instance that dies is noticed as ever", async () => {
    const beat = last("two").message as Heartbeat;
    for (let nth = 0; nth < 1000; nth++) {
      const from = randomUUID() as InstanceId;
      await publish(GLOBAL, { ...last("two"), from, link: 1 }, { ...beat, beat: 1 + nth, acks: [] }, 1);
      if (nth % 10 === 0) {
        const entries = [{ slot: 1, attempt: 1, seq: 1, member: ghost(nth) }];
        await publish(CHANNEL, { ...last("two"), from }, { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] }, 1);
      }
    }
    const seen = ana.received.filter(({ kind }) => kind === "user_joined").length;
    assert.ok(seen > 50, `${seen} of their people were shown, so these messages did something`);
    // Their people are shown until they are believed dead, like those of any instance that dies.
    await eventually(equal, { what: "the people of those senders are gone", withinMs: 10_000 });
    await throughout(equal, { what: "and nobody who is here", forMs: 1000 });
    await two.kill("SIGKILL");
    await eventually(() => ana.names(BOARD).length === 0, { what: "ben is gone with his instance", withinMs: 6000 });
    assert.equal((await one.health()).status, "ok");
  });
});

async function sceneOf(t: TestContext): Promise<Scene> {
  const cluster = await startCluster(t);
  const published = await cluster.redis.watch(t, "presence:*");
  const ana = await SessionClient.connect(t, cluster.one.wsUrl);
  const ben = await SessionClient.connect(t, cluster.two.wsUrl, { encoding: "binary" });
  await ana.join(BOARD, "ana");
  await ben.join(BOARD, "ben");
  await eventually(() => ana.names(BOARD).join() === "ben", { what: "ana sees ben" });
  const ids = { one: (await cluster.one.health()).instanceId, two: (await cluster.two.health()).instanceId };
  const last = (of: "one" | "two") => {
    for (const { channel, bytes } of published.toReversed()) {
      const decoded = channel === GLOBAL ? decodeRedisMessage(bytes) : undefined;
      if (decoded?.ok && decoded.value.from === ids[of] && decoded.value.message.kind === "heartbeat") return decoded.value;
    }
    return assert.fail(`no heartbeat of ${of}`);
  };
  await eventually(() => last("one") && last("two"), { what: "heartbeats of both" });
  return { ...cluster, ana, ben, published, last };
}

/** The highest seq that instance two has said on the board. */
function seqOf({ published, last }: Scene): number {
  const { from } = last("two");
  const seqs = published.flatMap(({ channel, bytes }) => {
    const decoded = channel === CHANNEL ? decodeRedisMessage(bytes) : undefined;
    return decoded?.ok && decoded.value.from === from && "seq" in decoded.value.message ? [decoded.value.message.seq] : [];
  });
  return Math.max(...seqs.filter((seq) => seq < 100_000));
}

let x = 0;
/** Whether a move of each arrives at the other. */
async function moves({ ana, ben }: People): Promise<boolean> {
  const to = ++x;
  ana.move(BOARD, to, 1);
  ben.move(BOARD, to, 2);
  const arrived = eventually(() => ana.cursorOf(BOARD, "ben")?.x === to && ben.cursorOf(BOARD, "ana")?.x === to, {
    what: "a move",
    withinMs: 500,
  });
  return arrived.then(
    () => true,
    () => false,
  );
}

function ghost(nth: number): Member {
  const memberId = (nth + 1).toString(16).padStart(32, "0") as MemberId;
  return {
    memberId,
    userId: memberId,
    username: `ghost ${nth}`,
    color: "#123456",
    status: "active",
    kind: "person",
    joinedAt: 1,
    state: {},
  };
}
