/** Routes of the HTTP side: the answer of each in each state of the instance, and the headers of the page's files. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { addressRule } from "../address.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createHttpHandler, type HealthReport, type HttpDependencies, type Sight } from "./http.ts";

const REPORT: HealthReport = {
  status: "ok",
  degraded: null,
  instanceId: "6e0f6c1c-6a5e-4d0e-9a39-0c8f0c7b9a51",
  version: "0.1.0",
  uptimeMs: 1234,
  redis: {
    mode: "standalone",
    address: "cache:6379",
    publisherAt: "cache:6379",
    subscriberAt: null,
    publisher: "up",
    subscriber: "down",
    echoMs: 0.4,
    oldestUnansweredMs: 0,
  },
  peers: [],
  boards: 1,
  boardsWhole: 1,
  members: { own: 2, shown: 3 },
  observers: 0,
  watched: 0,
  connections: 2,
};

async function serve(t: TestContext, overrides: Partial<HttpDependencies> = {}): Promise<{ base: string; port: number }> {
  const metrics = createMetrics({ version: "0" });
  const { report = () => REPORT } = overrides;
  const state = () => ({ status: report().status, links: "11" });
  const handler = createHttpHandler({
    report,
    state,
    healthCheck: async () => 0.25,
    metrics,
    addressOf: addressRule([]),
    instanceId: "i",
    ...overrides,
  });
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert(address !== null && typeof address === "object");
  return { base: `http://127.0.0.1:${address.port}`, port: address.port };
}

/** The status of a raw request: `fetch` would tidy the path up. */
async function rawStatus(port: number, path: string, method = "GET"): Promise<number | undefined> {
  const request = httpRequest({ port, host: "127.0.0.1", path, method }).end();
  const [response] = await once(request, "response");
  response.resume();
  return response.statusCode;
}

type Page = { error?: string; redis: Record<string, unknown>; eventLoop: Record<string, unknown> };

async function page(url: string): Promise<Page> {
  return (await (await fetch(url)).json()) as Page;
}

test("readiness follows the status; liveness does not", async (t) => {
  let status: HealthReport["status"] = "starting";
  const { base } = await serve(t, { report: () => ({ ...REPORT, status }) });
  const expected = { starting: 503, ok: 200, degraded: 200, draining: 503 } as const;
  for (status of ["starting", "ok", "degraded", "draining"] as const) {
    assert.equal((await fetch(`${base}/livez`)).status, 200);
    const response = await fetch(`${base}/readyz`);
    assert.equal(response.status, expected[status]);
    assert.equal(await response.text(), `${status}\n`);
    assert.equal((await fetch(`${base}/health`)).status, expected[status]);
  }
});

test("/health is the report with the ping and the event loop; many who ask cost one ping", async (t) => {
  let pings = 0;
  const { base } = await serve(t, {
    healthCheck: () => {
      pings++;
      return Promise.resolve(0.253);
    },
  });
  const [first] = await Promise.all(Array.from({ length: 20 }, () => page(`${base}/health`)));
  assert.equal(pings, 1);
  const { eventLoop, redis, ...rest } = first ?? assert.fail();
  assert.deepEqual({ ...rest, redis: REPORT.redis }, { ...REPORT, peersByState: { up: 0, deaf: 0, suspect: 0, down: 0 } });
  assert.deepEqual(redis, { ...REPORT.redis, pingMs: 0.25 });
  assert.equal(typeof eventLoop.delayP99Ms, "number");
});

test("/health says why a PING has no answer", async (t) => {
  const { base } = await serve(t, { healthCheck: () => Promise.reject(new Error("not connected")) });
  const { redis } = await page(`${base}/health`);
  assert.deepEqual([redis.pingMs, redis.pingError], [null, "not connected"]);
});

test("health checks as they come: OPTIONS, a slash at the end, the whole address, a prefix for probes", async (t) => {
  let status: HealthReport["status"] = "ok";
  const { base, port } = await serve(t, { report: () => ({ ...REPORT, status }) });
  for (const status200 of ["ok", "degraded"] as const) {
    status = status200;
    for (const path of ["/", "*", "/livez", "/livez/", "/readyz", "/readyz/", "/health", "/health/", "/metrics"])
      assert.equal(await rawStatus(port, path, "OPTIONS"), 200, path);
  }
  const response = await fetch(`${base}/readyz`, { method: "OPTIONS" });
  assert.deepEqual([response.headers.get("allow"), await response.text()], ["GET, HEAD, OPTIONS", ""]);
  assert.equal(response.headers.get("access-control-allow-origin"), null);
  for (const path of ["/livez/", "/readyz/", "/health/", "/metrics/", "http://example.com/readyz", "/app/livez", "/a/b/readyz/", "/?x=1"])
    assert.equal(await rawStatus(port, path), 200, path);
  // With its defaults HAProxy must not send people to an instance that stops.
  status = "draining";
  for (const path of ["/", "*", "/readyz", "/health", "/app/readyz"]) assert.equal(await rawStatus(port, path, "OPTIONS"), 503, path);
  assert.equal(await rawStatus(port, "/livez", "OPTIONS"), 200);
  for (const path of ["/nothing", "/x/metrics", "/x/health"]) assert.equal(await rawStatus(port, path, "OPTIONS"), 404, path);
});

test("/health and /metrics are rendered once a second, however many ask, and at once when the status changes", async (t) => {
  let reports = 0;
  let expositions = 0;
  let status: HealthReport["status"] = "ok";
  const metrics = { contentType: "text/plain", expose: async () => `${++expositions}\n`, eventLoopDelay: () => ({ p50: 0, p99: 0 }) };
  const report = () => {
    reports++;
    return { ...REPORT, status };
  };
  const { base } = await serve(t, { report, state: () => ({ status, links: "11" }), metrics });
  const ask = async (path: string, times: number) => {
    for (let n = 0; n < times; n++) await Promise.all(Array.from({ length: 5 }, async () => (await fetch(base + path)).text()));
  };
  await ask("/health", 4);
  await ask("/metrics", 4);
  assert.deepEqual([reports, expositions], [1, 1]);
  status = "degraded";
  assert.equal(((await (await fetch(`${base}/health`)).json()) as { status: string }).status, "degraded");
  assert.equal(reports, 2);
  const age = Number((await fetch(`${base}/metrics`)).headers.get("x-age-ms"));
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1001 - age)));
  await ask("/metrics", 1);
  assert.equal(expositions, 2);
});

test("strangers see that the instance is well, and not whom it hears; a page of another name sees no page of ours", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "index.html"), "<!doctype html>");
  const peers = [{ instanceId: "peer 1", state: "up" as const, lastHeardMs: 1 }];
  const report = () => ({ ...REPORT, peers, status: "degraded" as const });
  let sight: Sight = "brief";
  const { base } = await serve(t, { report, sightOf: () => sight, pages: [{ at: "/", folders: [pathToFileURL(`${folder}/`)] }] });
  for (sight of ["brief", "elsewhere"] as const) {
    const health = await fetch(`${base}/health`);
    assert.deepEqual([health.status, await health.json()], [200, { status: "degraded", ready: true, degraded: true }]);
    const metrics = await fetch(`${base}/metrics`);
    assert.deepEqual([metrics.status, metrics.headers.get("www-authenticate")], [401, "Bearer"]);
    assert.equal((await fetch(`${base}/readyz`)).status, 200);
  }
  assert.equal((await fetch(`${base}/`)).status, 421);
  sight = "brief";
  assert.equal((await fetch(`${base}/`)).status, 200);
  sight = "all";
  assert.deepEqual(((await (await fetch(`${base}/health`)).json()) as { peers: object[] }).peers, peers);
  assert.equal((await fetch(`${base}/metrics`)).status, 200);
});

test("/health lists some peers, those in trouble first, and counts all", async (t) => {
  const peers = Array.from({ length: 200 }, (_, n) => ({
    instanceId: `peer ${n}`,
    state: n < 190 ? ("up" as const) : n < 195 ? ("suspect" as const) : ("down" as const),
    lastHeardMs: n + 0.2576820000004,
  }));
  const { base } = await serve(t, { report: () => ({ ...REPORT, peers }) });
  const shown = (await (await fetch(`${base}/health`)).json()) as { peers: { state: string; lastHeardMs: number }[]; peersByState: object };
  assert.deepEqual(shown.peersByState, { up: 190, deaf: 0, suspect: 5, down: 5 });
  assert.equal(shown.peers.length, 32);
  assert.equal(shown.peers[0]?.lastHeardMs, 195, "whole milliseconds");
  assert.deepEqual(
    shown.peers.slice(0, 11).map(({ state }) => state),
    [...Array(5).fill("down"), ...Array(5).fill("suspect"), "up"],
  );
});

test("a client that sends many requests ahead of the answers is cut off; a few are answered", async (t) => {
  const { port } = await serve(t);
  const ahead = async (count: number) => {
    const socket = connect(port, "127.0.0.1");
    t.after(() => void socket.destroy());
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes;
    });
    socket.on("error", () => {});
    socket.write(
      `${"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count - 1)}GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    await once(socket, "close");
    return text.match(/HTTP\/1\.1 200/g)?.length ?? 0;
  };
  assert.equal(await ahead(8), 8);
  assert.ok((await ahead(1000)) <= 8);
});

test("many clients that ask without pause get a thousand answers a second, and a later one waits for its turn", async () => {
  const state = () => ({ status: "ok" as const, links: "11" });
  const metrics = { contentType: "text/plain", expose: async () => "", eventLoopDelay: () => ({ p50: 0, p99: 0 }) };
  const handler = createHttpHandler({
    report: () => REPORT,
    state,
    healthCheck: async () => 0,
    metrics,
    addressOf: addressRule([]),
    instanceId: "i",
  });
  // No sockets are used here: 700 answers would take 10 ms if none of them waited.
  const ask = () =>
    new Promise<void>((resolve) => {
      const request = { url: "/livez", method: "GET", headers: {}, socket: {} } as IncomingMessage;
      const response = { once() {}, writeHead() {}, end: () => resolve() } as unknown as ServerResponse;
      handler(request, response);
    });
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: 200 }, ask));
  const burstMs = performance.now() - startedAt;
  await Promise.all(Array.from({ length: 500 }, ask));
  const allMs = performance.now() - startedAt;
  assert.ok(burstMs < 100, `a page and its probes do not wait: ${burstMs} ms`);
  assert.ok(allMs >= 490, `${allMs} ms`);
});

test("/metrics is Prometheus text", async (t) => {
  const { base } = await serve(t);
  const response = await fetch(`${base}/metrics`);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^presence_degraded 0$/m);
});

test("unknown paths are 404, other methods 405, a page that fails 500; none may be read across origins", async (t) => {
  const { base, port } = await serve(t, {
    report: () => {
      throw new Error("defect");
    },
  });
  assert.equal((await page(`${base}/nothing`)).error, "not_found");
  for (const path of [
    "//",
    "/../../etc/passwd",
    "/%2e%2e/package.json",
    "/assets/../../package.json",
    "http://x//health",
    "/x/health",
    "/x/metrics",
    "*",
    "/__proto__",
    "/constructor",
  ]) {
    assert.equal(await rawStatus(port, path), 404, path);
  }
  const response = await fetch(`${base}/health`, { method: "POST", body: "x" });
  assert.deepEqual([response.status, response.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
  assert.equal((await fetch(`${base}/readyz`)).status, 500);
  assert.equal(
    (await fetch(`${base}/livez`, { headers: { origin: "https://evil.example" } })).headers.get("access-control-allow-origin"),
    null,
  );
});

test("without the page, / says what this is", async (t) => {
  const { base } = await serve(t, { pages: [{ at: "/", folders: [new URL("file:///nonexistent/dist/")] }] });
  const response = await fetch(base);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  assert.match(await response.text(), /presence service/);
});

test("the page's files: types, caching, validation, HEAD and a content security policy", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><p>Ä");
  writeFileSync(join(folder, "assets", "index-abc123.js"), "export {};");
  const { base, port } = await serve(t, { pages: [{ at: "/", folders: [pathToFileURL(`${folder}/`)] }] });

  const page = await fetch(`${base}/?board=demo`);
  assert.equal(await page.text(), "<!doctype html><p>Ä");
  assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(page.headers.get("cache-control"), "no-cache");
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'; connect-src 'self'; style-src 'self'/);
  assert.match(page.headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
  assert.equal(page.headers.get("x-frame-options"), "DENY");
  const again = await fetch(base, { headers: { "if-none-match": page.headers.get("etag") ?? "" } });
  assert.deepEqual([again.status, await again.text()], [304, ""]);

  const script = await fetch(`${base}/assets/index-abc123.js`, { method: "HEAD" });
  assert.equal(script.headers.get("content-type"), "text/javascript; charset=utf-8");
  assert.equal(script.headers.get("content-length"), "10");
  assert.match(script.headers.get("cache-control") ?? "", /immutable/);
  assert.equal(await script.text(), "");
  assert.equal(await rawStatus(port, "/assets/"), 404);
});

test("a page in a folder of its own has its files below it, and its address ends with a slash", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html>");
  writeFileSync(join(folder, "assets", "index-abc123.js"), "export {};");
  const unbuilt = new URL("file:///nonexistent/dist/");
  const { base, port } = await serve(t, { pages: [{ at: "/inspector", folders: [unbuilt, pathToFileURL(`${folder}/`)] }] });
  const response = await fetch(`${base}/inspector?x`, { redirect: "manual" });
  // Relative, as a proxy may have added a prefix.
  assert.deepEqual([response.status, response.headers.get("location")], [308, "inspector/"]);
  const page = await fetch(`${base}/inspector/?board=b`);
  assert.deepEqual([page.status, await page.text()], [200, "<!doctype html>"]);
  assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'self'/);
  assert.equal((await fetch(`${base}/inspector/assets/index-abc123.js`)).status, 200);
  assert.deepEqual([await rawStatus(port, "/assets/index-abc123.js"), await rawStatus(port, "/inspector/../x")], [404, 404]);
});

test("those who may see all are told which instance answers, and strangers are not", async (t) => {
  let sight: Sight = "all";
  const { base } = await serve(t, { sightOf: () => sight });
  const named = async () =>
    Promise.all(["/health", "/metrics"].map(async (path) => (await fetch(base + path)).headers.get("x-presence-instance")));
  assert.deepEqual(await named(), ["i", "i"]);
  sight = "brief";
  assert.deepEqual(await named(), [null, null]);
});

test("a browser that opens the WebSocket's path is told what it is", async (t) => {
  const { base } = await serve(t);
  const response = await fetch(`${base}/ws`);
  assert.deepEqual([response.status, response.headers.get("upgrade")], [426, "websocket"]);
});

test("mounted behind somebody who has answered already, it does no harm", async (t) => {
  const metrics = createMetrics({ version: "0" });
  const handler = createHttpHandler({
    report: () => REPORT,
    state: () => ({ status: "ok", links: "11" }),
    healthCheck: async () => 0,
    metrics,
    addressOf: addressRule([]),
    instanceId: "i",
  });
  const server = createServer((request, response) => {
    response.end("the host's");
    handler(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert(address !== null && typeof address === "object");
  // The test fails if a rejection is left to the process.
  assert.equal(await (await fetch(`http://127.0.0.1:${address.port}/livez`)).text(), "the host's");
});
