/**
 * Partial outages without a refusal: one connection hangs, one is cut, or the messages of one board are lost on the way. A row of the table in
 * docs/OPERATIONS.md each: who is told, what health, metrics and log say, what is replaced, and that it heals.
 */

import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import { createPresenceServer, type PresenceServer } from "../src/server.ts";
import { eventually, FaultProxy, type Health, RedisProcess, SessionClient, throughout } from "./harness/index.ts";

const HEALED_MS = 3_000;

/** All instances are of this process: there are many, and none is killed. */
class Here {
  /** The log, as JSON and words. */
  readonly lines: string[] = [];
  #server: PresenceServer | undefined;

  static async start(scope: Pick<TestContext, "after">, redisUrl: string): Promise<Here> {
    const here = new Here();
    const say = (fields: object | string, words?: string): void => void here.lines.push(`${JSON.stringify(fields)} ${words ?? ""}`);
    here.#server = await createPresenceServer({
      port: 0,
      host: "127.0.0.1",
      redisUrl,
      log: { debug: () => {}, info: say, warn: say, error: say },
    });
    scope.after(() => here.#server?.close());
    return here;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server?.port}`;
  }

  get wsUrl(): string {
    return this.url.replace("http", "ws");
  }

  async health(): Promise<Health> {
    return (await (await fetch(`${this.url}/health`)).json()) as Health;
  }

  /** Of a page that is not older than this call. */
  async metric(series: string): Promise<number> {
    const askedAt = performance.now();
    const text = await eventually(
      async () => {
        const page = await fetch(`${this.url}/metrics`);
        return Number(page.headers.get("x-age-ms")) <= performance.now() - askedAt && (await page.text());
      },
      { what: "fresh metrics" },
    );
    const line = String(text)
      .split("\n")
      .find((line) => line.startsWith(`${series} `));
    return Number(line?.slice(series.length) ?? assert.fail(series));
  }
}

const redis = await RedisProcess.start({ after });
const well = await Here.start({ after } as Pick<TestContext, "after">, redis.url);

/** Ana at the well instance and ben at one behind a proxy see each other on both boards. */
async function pair(t: TestContext, boards: readonly [string, string]) {
  const proxy = await FaultProxy.start(t, { target: redis.port });
  const ill = await Here.start(t, `redis://127.0.0.1:${proxy.port}`);
  const [ana, ben] = [await SessionClient.connect(t, well.wsUrl), await SessionClient.connect(t, ill.wsUrl)];
  for (const board of boards) {
    await ana.join(board, "ana");
    await ben.join(board, "ben");
  }
  const equal = () =>
    boards.every((board) => ana.memberOf(board, "ben")?.status === "active" && ben.memberOf(board, "ana")?.status === "active");
  await eventually(equal, { what: "they see each other" });
  return { proxy, ill, ana, ben, equal };
}

const CONNECTS = (link: string) => `presence_redis_connects_total{link="${link}"}`;

const RECYCLES = (link: string) => `presence_redis_recycles_total{link="${link}"}`;

test("partial outages", { concurrency: true, timeout: 120_000 }, async (t) => {
  for (const [link, spared, words] of [
    ["publisher", "subscriber", /Redis does not answer on this connection: replacing it/],
    ["subscriber", "publisher", /own messages do not come back through this connection to Redis: replacing it/],
  ] as const) {
    void t.test(`[R9.4] the ${link} hangs: it alone is replaced, clients are told, nobody leaves`, async (t) => {
      const { proxy, ill, ana, ben, equal } = await pair(t, [`hang-${link}-1`, `hang-${link}-2`]);
      proxy.hang(link);
      await eventually(() => ben.has("degraded", { on: true, board: undefined }), { what: "ben is told", withinMs: 5000 });
      await eventually(() => ben.has("degraded", { on: false, board: undefined }), { what: "it is over", withinMs: 5000 });
      await eventually(equal, { what: "they see each other", withinMs: HEALED_MS });
      assert.deepEqual([await ill.metric(CONNECTS(link)), await ill.metric(CONNECTS(spared))], [2, 1]);
      assert.deepEqual([await ill.metric(RECYCLES(link)), await ill.metric(RECYCLES(spared))], [1, 0]);
      assert.equal(ill.lines.filter((line) => words.test(line)).length, 1);
      assert.equal(ill.lines.filter((line) => /degraded: own messages do not come back.*presence-service doctor/.test(line)).length, 1);
      assert.deepEqual([ana.has("user_left"), ben.has("user_left")], [false, false]);
    });

    void t.test(`[R9.9] the ${link} is cut and cannot come back: health says which, and why; then it heals`, async (t) => {
      const { proxy, ill, ben, equal } = await pair(t, [`cut-${link}-1`, `cut-${link}-2`]);
      proxy.refuse();
      proxy.cut(link);
      await eventually(async () => (await ill.health()).degraded?.all, { what: "all is degraded", withinMs: 5000 });
      const { degraded, redis } = await ill.health();
      const act = link === "publisher" ? "publish" : "subscribe";
      assert.match(degraded?.reason ?? "", new RegExp(`^this instance has no connection to ${act}: .+\\. It tries again by itself$`));
      assert.deepEqual([redis[link], redis[spared]], ["down", "up"]);
      assert.ok(ben.has("degraded", { on: true, board: undefined }));
      await throughout(() => ben.memberOf(`cut-${link}-1`, "ana"), { what: "ana stays shown", forMs: 3000 });
      assert.equal(ill.lines.filter((line) => line.includes("cannot connect to Redis; trying again")).length, 1);
      proxy.accept();
      await eventually(equal, { what: "they see each other again", withinMs: 2 * HEALED_MS });
      assert.equal(await ill.metric(CONNECTS(spared)), 1);
    });
  }

  void t.test("[R9.17] [R9.20] one board is silent: it is named, its clients are told, and cleared after 30 s; it heals", async (t) => {
    const { proxy, ill, ben, equal } = await pair(t, ["silent-1", "silent-2"]);
    proxy.loseMessagesOf("presence:board:silent-1");
    ben.update("silent-1", { status: "idle" });
    const lostAt = performance.now();
    await eventually(() => ben.board("silent-1").degraded, { what: "ben is told", withinMs: 8000 });
    assert.deepEqual([ben.board("silent-2").degraded, ben.has("degraded", { board: undefined })], [false, false]);
    const { status, degraded } = await ill.health();
    assert.deepEqual([status, degraded?.all, degraded?.boards], ["degraded", false, 1]);
    assert.match(degraded?.reason ?? "", /^own messages do not come back on some boards.*presence-service doctor --board looks$/);
    assert.equal(await ill.metric("presence_degraded_boards"), 1);
    const lines = () => ill.lines.filter((line) => line.includes("degraded on a board"));
    assert.match(lines().join("\n"), /"board":"silent-1".*doctor --board <id>/);
    await throughout(() => ben.memberOf("silent-1", "ana"), {
      what: "ana is shown for 30 s",
      forMs: 27_000 - (performance.now() - lostAt),
    });
    await eventually(() => ben.names("silent-1").length === 0, { what: "she is cleared", withinMs: 8000 });
    assert.deepEqual([ben.names("silent-2"), lines().length], [["ana"], 1]);
    for (const link of ["publisher", "subscriber"]) assert.equal(await ill.metric(CONNECTS(link)), 1, link);
    proxy.keepMessages();
    await eventually(() => !ben.board("silent-1").degraded, { what: "it is over", withinMs: HEALED_MS });
    ben.update("silent-1", { status: "active" });
    await eventually(equal, { what: "they see each other again", withinMs: HEALED_MS });
    assert.equal((await ill.health()).degraded, null);
  });
});
