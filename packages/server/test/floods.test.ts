/**
 * Sockets flood an instance as fast as it reads: other clients on it can still move, and none is shown as leaving anywhere.
 * `npm run floods -w packages/bench` measures the latencies; this test checks only that the moves arrive.
 * Runs alone: it uses up a core.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodeJson } from "@presence-service/protocol";
import { createPresenceServer } from "../src/server.ts";
import { eventually, freePort, type Instance, OPCODE, RawSocket, SessionClient, startCluster } from "./harness/index.ts";

const SOCKETS_OF_EACH = 5;
const CHUNK_BYTES = 64 * 1024;
/** More than twice the time after which an instance that sends nothing is given up (4 s). */
const FLOOD_MS = 9000;
const WRITE_EVERY_MS = 5;
const MOVE_EVERY_MS = 50;
/** A viewer may be so many positions behind: those of a second and a half. */
const LAG_MAX = 30;

type Kind = { readonly protocol?: string; readonly frame: { opcode: number; payload?: string } };

const KINDS: Record<string, Kind> = {
  heartbeats: { protocol: "presence.v2.json", frame: { opcode: OPCODE.text, payload: encodeJson({ kind: "heartbeat" }) } },
  refusals: {
    protocol: "presence.v2.json",
    frame: {
      opcode: OPCODE.text,
      payload: '{"kind":"join","board":"b","attempt":1,"username":"a\\u202eb","status":"active","state":{}}',
    },
  },
  "empty messages": { frame: { opcode: OPCODE.binary } },
  pings: { protocol: "presence.v2", frame: { opcode: OPCODE.ping } },
};

test("floods of several kinds at once: others can still move, on both instances, and nobody leaves", { timeout: 90_000 }, async (t) => {
  const { one, two } = await startCluster(t);
  const ana = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
  const near = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
  const far = await SessionClient.connect(t, two.wsUrl, { encoding: "binary" });
  for (const [client, name] of [
    [ana, "ana"],
    [near, "near"],
    [far, "far"],
  ] as const)
    await client.join("calm", name);
  await eventually(() => [ana, near, far].every((client) => client.board("calm").members.size === 3), { what: "they see each other" });

  const stop = await flood(t, one);
  const until = performance.now() + FLOOD_MS;
  for (let step = 1; performance.now() < until; step++) {
    ana.move("calm", step, 1);
    const seen = (viewer: SessionClient) => (viewer.cursorOf("calm", "ana")?.x ?? 0) >= step - LAG_MAX;
    await eventually(() => seen(near) && seen(far), { what: () => `position ${step - LAG_MAX} is seen`, withinMs: 2000 });
    await new Promise((resolve) => setTimeout(resolve, MOVE_EVERY_MS));
  }
  const metrics = await one.metrics();
  const heartbeats = metrics('presence_client_messages_total{kind="heartbeat"}');
  assert.ok(heartbeats > 100, "the flood reached it");
  assert.ok(metrics('presence_throttled_total{cause="turn"}') + metrics('presence_throttled_total{cause="debt"}') > 100);
  assert.ok(heartbeats < 500_000, `${heartbeats} were handled`);
  stop();
  for (const viewer of [ana, near, far]) {
    assert.deepEqual([viewer.ended, viewer.violations], [undefined, []]);
    const told = viewer.received.map(({ kind }) => kind);
    assert.deepEqual([told.includes("user_left"), told.includes("degraded")], [false, false]);
    assert.equal(
      viewer.received.some((message) => message.kind === "user_updated" && message.patch["status"] === "reconnecting"),
      false,
      "nobody is even in doubt",
    );
  }
  assert.deepEqual((await two.metrics())("presence_peer_downs_total"), 0);
});

test("a host that answers by promise is not blocked by one packet of empty auth messages", { timeout: 30_000 }, async (t) => {
  let calls = 0;
  const port = await freePort();
  const server = await createPresenceServer({
    port,
    redisUrl: "memory:",
    authenticate: async () => {
      calls++;
      return { userId: "eve" };
    },
  });
  t.after(() => server.close());
  const eve = await RawSocket.connect(t, { port, protocol: "presence.v2.json" });
  let answers = 0;
  eve.onMessage = () => answers++;
  eve.send(encodeJson({ kind: "hello" }));
  await eventually(() => answers > 0, { what: "a welcome" });
  const frame = Buffer.from(encodeJson({ kind: "auth", token: "" }));
  const one = Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]);
  eve.write(Buffer.concat(Array<Buffer>(Math.floor(CHUNK_BYTES / one.length)).fill(one)));
  // Wait for the first refusals. A server that asked its host each time would have asked a thousand times by then.
  await eventually(() => answers > 100 || calls >= 20, { what: () => `answers, not ${answers}`, withinMs: 10_000 });
  assert.ok(calls < 20, `${calls} calls of the host`);
});

/** Starts floods of all kinds at once; returns a function that ends them. */
async function flood(t: TestContext, instance: Instance): Promise<() => void> {
  const sources: { socket: RawSocket; chunk: Buffer }[] = [];
  for (const { protocol, frame } of Object.values(KINDS)) {
    const payload = Buffer.from(frame.payload ?? "");
    const bytes = Buffer.concat([Buffer.from([0x80 | frame.opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
    const chunk = Buffer.concat(Array<Buffer>(Math.ceil(CHUNK_BYTES / bytes.length)).fill(bytes));
    for (let nth = 0; nth < SOCKETS_OF_EACH; nth++) {
      const socket = await RawSocket.connect(t, { port: instance.port, ...(protocol && { protocol }) });
      if (protocol === "presence.v2.json") socket.send(encodeJson({ kind: "hello" }));
      sources.push({ socket, chunk });
    }
  }
  const timer = setInterval(() => {
    for (const { socket, chunk } of sources) if (!socket.hasEnded && socket.queuedBytes === 0) socket.write(chunk);
  }, WRITE_EVERY_MS);
  t.after(() => clearInterval(timer));
  return () => clearInterval(timer);
}
