/** Webhooks of a cluster, with a real receiver: each event comes, signed, also if the sender is killed while it sends. */

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { eventually, Instance, RedisProcess, SessionClient } from "./harness/index.ts";

const KEY = randomBytes(32);

type Event = { id: string; type: string; timestamp: string; data: { board: string; member: string; name: string; reason?: string } };

/** Takes what is posted, checks each signature, and can be told to leave posts unanswered. */
class Receiver {
  readonly events = new Map<string, Event>();
  readonly batches = new Map<string, number>();
  /** The senders of posts that are not answered, by instanceId. */
  readonly held: { readonly sender: string; readonly response: ServerResponse }[] = [];
  wrong = 0;
  repeated = 0;
  mode: "take" | "fail" | "hold" = "take";
  url = "";

  static async start(t: TestContext): Promise<Receiver> {
    const receiver = new Receiver();
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = request.headers;
      const expected = `v1,${createHmac("sha256", KEY).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
      if (signature !== expected || Math.abs(Date.now() / 1000 - Number(timestamp)) > 60) receiver.wrong++;
      const sender = /\(([^)]*)\)/.exec(request.headers["user-agent"] ?? "")?.[1] ?? "";
      if (receiver.mode === "hold") return void receiver.held.push({ sender, response });
      if (receiver.mode === "fail") return void response.writeHead(500).end();
      receiver.batches.set(String(id), (receiver.batches.get(String(id)) ?? 0) + 1);
      for (const event of (JSON.parse(body) as { events: Event[] }).events) {
        if (receiver.events.has(event.id)) receiver.repeated++;
        receiver.events.set(event.id, event);
      }
      response.writeHead(204).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    assert(address !== null && typeof address === "object");
    receiver.url = `http://127.0.0.1:${address.port}/hook`;
    return receiver;
  }

  /** Sorted texts `type board name reason`. */
  words(type: string): string[] {
    const found = [...this.events.values()].filter((event) => event.type === type);
    return found
      .map(({ data }) => [data.board, type === "board.first_in" || type === "board.last_out" ? "" : data.name].join(" ").trim())
      .sort();
  }

  reasons(type: string): string[] {
    return [...this.events.values()]
      .filter((event) => event.type === type)
      .map(({ data }) => `${data.name} ${data.reason}`)
      .sort();
  }
}

test("every join and leave is told, and none is lost when the sender is killed while it sends", { timeout: 120_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const receiver = await Receiver.start(t);
  const env = { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET: `whsec_${KEY.toString("base64")}`, LOG_FORMAT: "json" };
  const instances = await Promise.all([0, 1, 2].map(() => Instance.start(t, { redisUrl: redis.url, env })));
  const ids = await Promise.all(instances.map(async (instance) => (await instance.health()).instanceId));
  await eventually(async () => (await Promise.all(instances.map(async (one) => (await one.health()).peers.length))).join() === "2,2,2", {
    what: "all know each other",
  });

  const clients: { name: string; board: string; at: number; client: SessionClient }[] = [];
  const join = async (name: string, board: string, at: number) => {
    const client = await SessionClient.connect(t, instances[at]?.wsUrl ?? "");
    await client.join(board, name);
    clients.push({ name, board, at, client });
  };
  for (let nth = 0; nth < 6; nth++) await join(`a${nth}`, `b${nth % 2}`, nth % 3);
  const joined = () => clients.map(({ board, name }) => `${board} ${name}`).sort();
  await eventually(() => receiver.words("member.joined").join() === joined().join(), {
    what: () => `joins, not ${receiver.words("member.joined")}`,
  });
  assert.deepEqual(receiver.words("board.first_in"), ["b0", "b1"]);

  // The receiver fails, then hangs; meanwhile people come and go, and whoever is sending is killed.
  receiver.mode = "fail";
  for (let nth = 0; nth < 6; nth++) await join(`c${nth}`, `d${nth % 3}`, nth % 3);
  const [gone] = clients;
  gone?.client.leave(gone.board);
  receiver.mode = "hold";
  await eventually(() => receiver.held.length > 0, { what: "a post is under way", withinMs: 10_000 });
  const sender = ids.indexOf(receiver.held[0]?.sender ?? "");
  assert(sender >= 0, "the post names its instance");
  await instances[sender]?.kill("SIGKILL");
  receiver.mode = "take";
  for (const { response } of receiver.held.splice(0)) response.destroy();
  await eventually(() => receiver.words("member.joined").join() === joined().join(), {
    what: () => `all joins, not ${receiver.words("member.joined")}`,
    withinMs: 20_000,
  });
  const left = () =>
    [`a0 left`, ...clients.filter(({ at, name }) => at === sender && name !== "a0").map(({ name }) => `${name} instance_lost`)].sort();
  await eventually(() => receiver.reasons("member.left").join() === left().join(), {
    what: () => `those who left: ${left()}, not ${receiver.reasons("member.left")}`,
    withinMs: 20_000,
  });

  // Everybody else leaves: each board is told as empty.
  for (const { client, board, at, name } of clients) if (at !== sender && name !== "a0") client.leave(board);
  await eventually(
    () => receiver.words("member.left").length === clients.length && receiver.words("board.last_out").join() === "b0,b1,d0,d1,d2",
    {
      what: () => `last outs, not ${receiver.words("board.last_out")} of ${receiver.words("member.left").length}`,
      withinMs: 10_000,
    },
  );
  assert.deepEqual([receiver.words("board.first_in"), receiver.words("member.joined")], [["b0", "b1", "d0", "d1", "d2"], joined()]);
  assert.equal(receiver.wrong, 0, "signatures");
  t.diagnostic(`${receiver.events.size} events, ${receiver.repeated} of them told again, in ${receiver.batches.size} posts`);
  assert(
    !instances
      .flatMap(({ lines }) => lines)
      .join("\n")
      .includes(KEY.toString("base64")),
  );
});

test("the only instance tells what is left to tell before it ends", { timeout: 60_000 }, async (t) => {
  const receiver = await Receiver.start(t);
  const env = { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET: KEY.toString("base64") };
  const instance = await Instance.start(t, { redisUrl: "memory:", env });
  const ana = await SessionClient.connect(t, instance.wsUrl);
  await ana.join("b", "ana");
  await instance.kill("SIGTERM");
  assert.deepEqual(receiver.reasons("member.left"), ["ana instance_lost"]);
  assert.deepEqual(receiver.words("board.last_out"), ["b"]);
});
