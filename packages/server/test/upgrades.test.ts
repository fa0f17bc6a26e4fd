/** Upgrades: clients and health checks behind real proxies, refusals and where they are reported, and sockets that are not kept. */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { decodeServerBinary, encodeBinary, encodeJson } from "@presence-service/protocol";
import type { Logger } from "../src/server.ts";
import { createPresenceServer, type PresenceServerOptions } from "../src/server.ts";
import { ClassicClient, eventually, Instance, RawSocket, RedisProcess, SessionClient } from "./harness/index.ts";

type Line = { readonly words: string; readonly fields: Record<string, unknown> };

async function open(t: TestContext, options: Partial<PresenceServerOptions> = {}) {
  const lines: Line[] = [];
  const warn = (fields: object | string, words?: string) => void lines.push({ words: words ?? String(fields), fields: Object(fields) });
  const log: Logger = { debug() {}, info() {}, warn, error: warn, isLevelEnabled: () => false };
  const all = { port: 0, host: "127.0.0.1", redisUrl: "memory:", log, ...options } as PresenceServerOptions;
  const presence = await createPresenceServer(all);
  t.after(() => presence.close());
  const refused = async () => {
    const text = await (await fetch(`http://127.0.0.1:${presence.port}/metrics`, { headers: { connection: "close" } })).text();
    const counts = [...text.matchAll(/^presence_upgrades_refused_total\{reason="(\w+)"\} (\d+)$/gm)].map(([, reason, count]) => [
      reason,
      Number(count),
    ]);
    return Object.fromEntries(counts.filter(([, count]) => count !== 0)) as Record<string, number>;
  };
  return { port: presence.port, lines, refused };
}

test("upgrades are accepted with a slash at the end, a prefix, an absolute URL, and headers in any case", async (t) => {
  const { port } = await open(t);
  for (const path of [
    "/",
    "/ws",
    "/ws/",
    "/ws/?x=/y",
    "/presence",
    "/presence/",
    "/app/ws",
    "/a/b/presence/",
    `http://localhost:${port}/ws`,
    "http://example.com",
  ])
    assert.equal((await RawSocket.request(t, { port, path })).status, 101, path);
  for (const path of ["/nowhere", "/wsx", "/ws/x", "//", "/livez", "ftp://x/ws"])
    assert.equal((await RawSocket.request(t, { port, path })).status, 404, path);
  assert.equal((await RawSocket.request(t, { port, headers: { Upgrade: "WebSocket", Connection: "keep-alive, UPGRADE" } })).status, 101);
});

test("each refusal is counted by its reason, and one log line of each reason names the requested path", async (t) => {
  const { port, lines, refused } = await open(t, { allowedOrigins: ["https://App.Example:443/"] });
  const ask = async (status: number, options: Omit<Parameters<typeof RawSocket.request>[1], "port">) => {
    for (let n = 0; n < 3; n++) assert.equal((await RawSocket.request(t, { port, ...options })).status, status);
  };
  await ask(404, { path: "/elsewhere?token=canary" });
  await ask(403, { headers: { Origin: "https://evil.example", Host: "presence.example" } });
  await ask(400, { protocol: "graphql-ws" });
  await ask(400, { path: "/?encoding=presence.v9" });
  await ask(400, { headers: { "Sec-WebSocket-Version": "99" } });
  await ask(101, { headers: { Origin: "https://app.example" } });
  assert.deepEqual(await refused(), { path: 3, origin: 3, encoding: 6, handshake: 3 });
  assert.equal(lines.length, 4, JSON.stringify(lines));
  const [path, origin, encoding, handshake] = lines;
  assert.equal(path?.fields["path"], "/elsewhere");
  assert.deepEqual([origin?.fields["origin"], origin?.fields["host"]], ["https://evil.example", "presence.example"]);
  assert.equal(encoding?.fields["subprotocols"], "graphql-ws");
  assert.match(String(encoding?.fields["why"]), /presence\.v2 and presence\.v2\.json/);
  assert.match(String(handshake?.fields["why"]), /Sec-WebSocket-Version/);
  assert.doesNotMatch(JSON.stringify(lines), /canary/);
});

test("an unknown subprotocol is refused, and the answer names those that are known", async (t) => {
  const { port } = await open(t);
  const answer = await bytesOf(port, upgrade("/", "Sec-WebSocket-Protocol: chat, presence.v3\r\n"));
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /presence\.v2 and presence\.v2\.json.*\?encoding=.*classic/);
  const known = await RawSocket.request(t, { port, protocol: "chat, presence.v2.json" });
  assert.deepEqual([known.status, known.headers.get("sec-websocket-protocol")], [101, "presence.v2.json"]);
  // A proxy may empty the header instead of removing it.
  assert.match(await bytesOf(port, upgrade("/", "Sec-WebSocket-Protocol: \r\n")), /^HTTP\/1\.1 101 /);
});

test("?encoding= is another way to ask, where a proxy removes the subprotocol header", async (t) => {
  const { port } = await open(t);
  const json = await RawSocket.connect(t, { port, path: "/ws?encoding=presence.v2.json" });
  const texts: string[] = [];
  json.onMessage = (payload) => texts.push(payload.toString());
  json.send(encodeJson({ kind: "hello" }));
  await eventually(() => texts.some((text) => text.includes('"welcome"')), { what: "a welcome in JSON" });
  assert.equal(json.headers.get("sec-websocket-protocol"), undefined, "none was offered, so none is chosen");

  const binary = await RawSocket.connect(t, { port, path: "/?encoding=presence.v2" });
  const kinds: unknown[] = [];
  binary.onMessage = (payload) => kinds.push(decodeServerBinary(payload)?.kind);
  binary.send(encodeBinary({ kind: "hello" }));
  await eventually(() => kinds.includes("welcome"), { what: "a welcome in binary" });

  const both = await RawSocket.connect(t, { port, path: "/?encoding=presence.v2", protocol: "presence.v2.json" });
  assert.equal(both.headers.get("sec-websocket-protocol"), "presence.v2.json", "an offered subprotocol takes precedence");
});

test("entries of allowedOrigins that can never match are refused at the start", async () => {
  const refused = createPresenceServer({ port: 0, redisUrl: "memory:", allowedOrigins: ["app.example", "https://app.example/path"] });
  await assert.rejects(refused, { code: "BAD_SETTINGS", message: /app\.example" names no scheme.*more than scheme, host and port/ });
});

test("a client that sends nothing, or a request byte by byte, is gone in 10 s", { timeout: 30_000 }, async (t) => {
  const { port } = await open(t);
  const startedAt = performance.now();
  const ended: number[] = [];
  const sockets = ["GET / HTTP/1.1\r\nHost: x\r\n", "", "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"].map((begun) => {
    const socket = connect(port, "127.0.0.1");
    t.after(() => void socket.destroy());
    socket.on("error", () => {}).on("data", () => {});
    socket.on("close", () => ended.push(performance.now() - startedAt));
    if (begun !== "") socket.write(begun);
    return socket;
  });
  const trickle = setInterval(() => sockets[0]?.writable && sockets[0].write("X-Y: z\r\n"), 500);
  t.after(() => clearInterval(trickle));
  await eventually(() => ended.length === 3, { what: () => `all are ended: ${ended.map(Math.round)}`, withinMs: 10_500 });
});

test("no stranger takes the last file descriptor", { timeout: 90_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const instance = await Instance.start(t, { redisUrl: redis.url, filesMax: 200 });
  const ana = await SessionClient.connect(t, instance.wsUrl);
  await ana.join("1", "ana");

  const plain: Socket[] = [];
  const trickle = setInterval(() => {
    for (let n = 0; n < 5; n++) {
      const socket = connect(instance.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nX: "));
      socket.on("error", () => {});
      plain.push(socket);
    }
  }, 50);
  t.after(() => {
    clearInterval(trickle);
    for (const socket of plain) socket.destroy();
  });
  const statuses: number[] = [];
  for (let batch = 0; batch < 12; batch++) {
    const some = Array.from({ length: 25 }, () => RawSocket.request(t, { port: instance.port, protocol: "presence.v2" }));
    statuses.push(...(await Promise.all(some)).map(({ status }) => status));
  }
  assert.ok(statuses.filter((status) => status === 101).length > 100, `more got in than fit at once: ${statuses}`);

  // Redis goes and comes: both connections are made anew.
  await redis.restart();
  const metrics = await eventually(
    async () => {
      const now = await instance.metrics();
      const isBack = ["publisher", "subscriber"].every((link) => now(`presence_redis_connects_total{link="${link}"}`) >= 2);
      return isBack && (await instance.health()).status === "ok" ? now : undefined;
    },
    { what: "Redis is back, and health and metrics say so", withinMs: 15_000 },
  );
  // A newcomer was told to come later, or took the place of a socket that had said nothing for a second: that depends on the machine.
  const gaveWay = metrics('presence_client_closes_total{code="4410"}') + metrics('presence_upgrades_refused_total{reason="full"}');
  assert.ok(gaveWay > 0);
  assert.ok(metrics("presence_sockets_dropped_total") > 0);
  assert.equal(ana.ended, undefined, "a client on a board stays");
  const said = instance.lines.filter((line) => line.includes("too many HTTP sockets that are no WebSockets")).length;
  assert.ok(said > 0 && said < 10, `${said} lines`);
  // Sockets that sent nothing for a second are closed for new ones.
  const late = await eventually(() => ClassicClient.connect(t, instance.wsUrl), { what: "somebody new gets in" });
  late.join(1, "late");
  await eventually(() => ana.names("1").includes("late"), { what: "the new client is seen" });
});

function upgrade(path: string, headers: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;
}

/** Returns the answer once it is complete. */
function bytesOf(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.on("data", (bytes) => {
      text += bytes;
      if (text.startsWith("HTTP/1.1 101")) socket.destroy();
    });
    socket.on("error", reject).on("close", () => resolve(text));
  });
}
