/** `presence-service doctor` against Redis as it should be, and as it should not: each fault has a line of its own. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { after, type TestContext, test } from "node:test";
import { encodeRedisMessage } from "../src/bus/envelope.ts";
import { Signing } from "../src/bus/signing.ts";
import type { Heartbeat } from "../src/core/messages.ts";
import { FROM } from "../src/testing/ana.ts";
import { CLI, eventually, freePort, Instance, RedisCluster, RedisProcess, Sentinels } from "./harness/index.ts";

const GLOBAL = "presence:global";
const SECRET = "the-secret-of-these-tests-is-long-enough";
const LEAST = ["resetkeys", "resetchannels", "&presence:*", "-@all", "+subscribe", "+unsubscribe", "+publish", "+ping", "+hello"];
const BEAT: Heartbeat = {
  kind: "heartbeat",
  beat: 5,
  intervalMs: 500,
  beaconMs: 15_000,
  boards: 1,
  status: "ready",
  acks: [],
  versions: { min: 1, max: 1 },
};

const redis = await RedisProcess.start({ after });

/** `lateMs`: how much longer it took than it may. */
type Report = { readonly code: number; readonly lateMs: number; readonly text: string; readonly line: (check: string) => string };

async function doctor(redisUrl: string, env: Record<string, string> = {}, args: readonly string[] = []): Promise<Report> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ["--conditions=presence-source", CLI, "doctor", ...args], {
    env: { PATH: process.env["PATH"], REDIS_URL: redisUrl, WS_PORT: "0", ...env },
    cwd: tmpdir(),
  });
  let text = "";
  let startMs = 0;
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (more) => {
      startMs ||= performance.now() - startedAt;
      text += more;
    });
  const [code] = await once(child, "close");
  const lines = text.split("\n");
  const line = (check: string) => lines.filter((text) => text.slice(2).startsWith(check)).join("\n");
  // A process that took long to start has still time for what it is asked.
  const lateMs = performance.now() - startedAt - Math.max(10_000, startMs + 6000);
  return { code, lateMs, text, line };
}

test("all is well: two instances that hear each other and us; nobody notices the doctor", async (t) => {
  const [one, two] = await Promise.all([1, 2].map(() => Instance.start(t, { redisUrl: redis.url, env: { BUS_SECRET: SECRET } })));
  assert.ok(one && two);
  await eventually(async () => (await one.health()).peers[0]?.state === "up", { what: "they hear each other" });
  const dropped = async () => (await one.metrics())('presence_bus_dropped_total{reason="foreign"}');
  const before = await dropped();
  const { code, text, line } = await doctor(redis.url, { BUS_SECRET: SECRET }, ["--board", "doc-1"]);
  assert.equal(code, 0, text);
  assert.match(line("instances"), /✓ instances {2}heard: 2, [0-9a-f]{8}, [0-9a-f]{8}/);
  assert.match(line("hearing"), /✓ hearing {4}a message of ours reached 2 subscribers beside us/);
  assert.match(line("echo"), /✓ echo {7}own messages come back after \d+\.\d ms/);
  assert.match(line("rights"), /✓ rights {5}subscribe, publish, ping, unsubscribe/);
  assert.match(line("server"), /✓ server {5}(Redis|Valkey) \d.*, a master/);
  assert.match(line("strangers"), /✓/);
  assert.match(line("signing"), /✓/);
  assert.match(text, /All is well\.\n$/);
  assert.doesNotMatch(text, /secret-of-these/);
  const { status, peers } = await one.health();
  assert.deepEqual([status, peers.length, await dropped()], ["ok", 1, before]);
  assert.deepEqual(one.lines.filter((line) => /"level":"(?:warn|error)"/.test(line)).length, 1, "only that anybody may join");

  const [asJson, elsewhere] = await Promise.all([
    doctor(redis.url, { BUS_SECRET: SECRET }, ["--json"]),
    doctor(redis.url, { REDIS_PREFIX: "elsewhere" }),
  ]);
  assert.match(elsewhere.line("instances"), /! instances {2}no instance is heard; on this server others use the prefix presence/);
  assert.equal(elsewhere.code, 1);
  const json = JSON.parse(asJson.text);
  assert.equal(json.verdict, "well");
  assert.ok(json.findings.some((finding: { check: string; status: string }) => finding.check === "echo" && finding.status === "ok"));
});

test("the port: free, taken by something else, or by an instance of the service", async (t) => {
  const port = await freePort();
  const at = () => doctor("memory:", { WS_PORT: String(port) });
  assert.match((await at()).line("port"), new RegExp(`✓ port {7}${port} is free`));
  const stranger = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => stranger.listen(port, resolve));
  const taken = await at();
  assert.match(taken.line("port"), new RegExp(`✗ port {7}Port ${port} is taken by another process`));
  assert.deepEqual([taken.code, /→ Stop that one, or set WS_PORT/.test(taken.text)], [2, true]);
  await new Promise((resolve) => stranger.close(resolve));
  await Instance.start(t, { redisUrl: "memory:", port });
  const own = await at();
  assert.match(own.line("port"), new RegExp(`· port {7}on ${port} instance [0-9a-f]{8} of this service runs already`));
  assert.equal(own.code, 0);
});

test("Redis is absent, unknown, hangs, or is something else: one line says which, within 10 s, status 2", async (t) => {
  const absent = await doctor("redis://127.0.0.1:1");
  assert.match(absent.line("address"), /✗ address {4}127\.0\.0\.1:1: connection refused/);
  const unknown = await doctor("redis://no-such-host.invalid");
  assert.match(unknown.line("address"), /✗ address .*unknown host/);
  const other = await RedisProcess.start(t);
  other.pause();
  const hung = await doctor(other.url);
  assert.match(hung.line("login"), /✗ login .*no answer to (?:HELLO|a connection request) in 2 s/);
  other.resume();
  const web = createServer((socket) => {
    socket.on("error", () => {});
    socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const port = await freePort();
  await new Promise<void>((resolve) => web.listen(port, "127.0.0.1", resolve));
  t.after(() => void web.close());
  const foreign = await doctor(`redis://127.0.0.1:${port}`);
  assert.match(foreign.line("login"), /✗ login .*(?:not Redis|closed by the other end)/);
  const noTls = await doctor(`rediss://127.0.0.1:${redis.port}`);
  assert.match(noTls.line("tls"), /✗ tls /);
  for (const { code, lateMs, text } of [absent, unknown, hung, foreign, noTls]) {
    assert.equal(code, 2, text);
    assert.ok(lateMs < 1000, `${lateMs} ms too late`);
  }
});

test("a Redis that hangs in the middle is given up within 10 s", async (t) => {
  const slow = await RedisProcess.start(t);
  const running = doctor(slow.url);
  await eventually(async () => String(await slow.cli("PUBSUB", "NUMPAT")) === "1", { what: "the doctor listens", withinMs: 30_000 });
  slow.pause();
  const { code, lateMs, text } = await running;
  slow.resume();
  assert.equal(code, 2, text);
  assert.match(text, /✗ (?:connection|time) /);
  assert.ok(lateMs < 1000, `${lateMs} ms too late`);
});

test("a wrong password, no password, and settings that are wrong", async (t) => {
  const locked = await RedisProcess.start(t, { args: [] });
  await locked.cli("CONFIG", "SET", "requirepass", "right");
  const wrong = await doctor(`redis://:wr0ng-canary@127.0.0.1:${locked.port}`);
  assert.match(wrong.line("login"), /✗ login {6}wrong user or password/);
  assert.doesNotMatch(wrong.text, /wr0ng/);
  const none = await doctor(locked.url);
  assert.match(none.line("login"), /✗ login {6}it wants a password/);
  const settings = await doctor("http://x", { WS_PORT: "x", BUS_SECRET: "wr0ng-canary" });
  assert.equal(settings.line("settings").split("\n").length, 3);
  assert.doesNotMatch(settings.text, /wr0ng/);
  assert.deepEqual([wrong.code, none.code, settings.code], [2, 2, 2]);
});

test("each missing right is named with the rule that gives it; a user with the least rights is well", async () => {
  const as = async (name: string, ...rules: string[]) => {
    await redis.cli("ACL", "SETUSER", name, "reset", "on", ">pw", ...LEAST, ...rules);
    return doctor(`redis://${name}:pw@127.0.0.1:${redis.port}`, {}, ["--board", "doc-1"]);
  };
  const least = await as("least");
  assert.equal(least.code, 0, least.text);
  assert.match(least.line("server"), /· server .*may not ask/);
  assert.match(least.line("limits"), /· limits .*may not ask/);
  const cases = [
    ["no-publish", ["-publish"], /✗ rights {5}publish on presence:global: not permitted[\s\S]*→ .*\+publish &presence:global/, 2],
    [
      "no-subscribe",
      ["-subscribe"],
      /✗ rights {5}subscribe on presence:board:doc-1: not permitted[\s\S]*→ .*\+subscribe &presence:board:doc-1/,
      2,
    ],
    ["no-unsubscribe", ["-unsubscribe"], /! rights {5}unsubscribe: not permitted[\s\S]*→ .*\+unsubscribe/, 1],
    ["no-ping", ["-ping"], /! rights {5}ping: /, 1],
    ["no-boards", ["resetchannels", "&presence:global"], /✗ rights {5}subscribe on presence:board:doctor-[0-9a-f]+ .*not permitted/, 2],
    ["no-global", ["resetchannels", "&presence:board:*"], /✗ rights {5}subscribe on presence:global: not permitted/, 2],
  ] as const;
  const judge = async ([name, rules, words, code]: (typeof cases)[number]) => {
    const report = await as(name, ...rules);
    assert.match(report.text, words, name);
    assert.equal(report.code, code, `${name}\n${report.text}`);
  };
  // Two at a time: what a doctor has done in 9.5 s must not depend on how many tests run.
  for (let from = 0; from < cases.length; from += 2) await Promise.all(cases.slice(from, from + 2).map(judge));
});

test("Sentinels: the master that they name is looked at; a wrong name, and a Sentinel taken for a master, are told", async (t) => {
  const group = await Sentinels.start(t);
  await Instance.start(t, { redisUrl: group.url });
  const [right, wrongName, wrongForm] = await Promise.all([
    doctor(group.url),
    doctor(group.url.replace(group.name, "no-such-master")),
    doctor(`redis://127.0.0.1:${group.sentinels[0]?.port}`),
  ]);
  assert.match(right.line("sentinel"), /✓ sentinel .*it is at 127\.0\.0\.1:\d+/);
  assert.match(right.line("hearing"), /✓ hearing {4}a message of ours reached \d subscribers? beside us/);
  assert.match(wrongName.line("sentinel"), /✗ sentinel .*no-such-master.*watches no master of this name/);
  assert.match(wrongForm.line("server"), /✗ server .*a Sentinel and no data server/);
  assert.doesNotMatch(wrongForm.text, /rights/);
  assert.deepEqual([right.code, wrongName.code, wrongForm.code], [0, 2, 2], right.text);
});

test("a Cluster: instances at other nodes are heard; the address of one node alone is a warning", async (t) => {
  const cluster = await RedisCluster.start(t);
  await Promise.all([1, 2].map(() => Instance.start(t, { redisUrl: cluster.url })));
  const [whole, one] = await Promise.all([doctor(cluster.url), doctor(cluster.nodes[0]?.url ?? "")]);
  const spread = await doctor(cluster.url, { REDIS_SHARDED: "on" });
  assert.match(spread.line("instances"), /✗ instances {2}2, .* have REDIS_SHARDED off, and here it is on/);
  assert.equal(spread.code, 2);
  assert.match(whole.line("cluster"), /✓ cluster /);
  assert.match(whole.line("instances"), /✓ instances {2}heard: 2, /);
  assert.match(whole.line("hearing"), /· hearing .*cannot be seen here/);
  assert.match(whole.line("echo"), /✓ echo /);
  assert.equal(whole.code, 0, whole.text);
  assert.match(one.line("server"), /! server .*one node of a Cluster/);
});

test("a replica: by its role, and, where nobody may ask for that, since those who are heard do not hear us", async (t) => {
  const replica = await RedisProcess.start(t);
  await redis.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0");
  await replica.cli("REPLICAOF", "127.0.0.1", String(redis.port));
  await eventually(async () => String(await replica.cli("INFO", "replication")).includes("master_link_status:up"), { what: "it follows" });
  await Instance.start(t, { redisUrl: redis.url });
  const asked = await doctor(replica.url);
  assert.match(asked.line("server"), /✗ server .*a replica of 127\.0\.0\.1/);
  await replica.cli("ACL", "SETUSER", "least", "reset", "on", ">pw", ...LEAST);
  const refused = await doctor(`redis://least:pw@127.0.0.1:${replica.port}`);
  assert.match(refused.line("hearing"), /✗ hearing {4}a message of ours reached 0 subscribers beside us, though 1 are heard/);
  assert.match(refused.text, /replica/);
  assert.deepEqual([asked.code, refused.code], [2, 2]);
});

test("strangers on the prefix, another secret, and limits that will hurt", async (t) => {
  const shared = await RedisProcess.start(t, {
    args: ["--client-output-buffer-limit", "pubsub", "1mb", "1mb", "10", "--maxclients", "20"],
  });
  const speaking = repeat(t, async () => {
    await shared.cli("PUBLISH", "presence:board:42", '{"type":"join"}');
    await shared.cli("PUBLISH", GLOBAL, new Uint8Array([0xb2, 1, 2, 3]));
  });
  const strangers = await doctor(shared.url);
  assert.match(strangers.line("strangers"), /! strangers {2}\d+ messages? of something else .*presence:board:42/);
  assert.match(strangers.line("strangers"), /! strangers {2}\d+ messages? of another protocol version/);
  assert.match(strangers.line("limits"), /! limits .*pubsub 1048576 1048576 10/);
  assert.match(strangers.line("limits"), /! limits .*of maxclients 20 connections/);
  assert.equal(strangers.code, 1, strangers.text);
  await speaking.stop();

  const beat = encodeRedisMessage({ from: FROM, link: 1, message: BEAT });
  const signing = new Signing("another-secret-that-nobody-here-believes");
  const signed = repeat(t, async () => {
    await shared.cli("PUBLISH", GLOBAL, signing.sign(GLOBAL, beat));
    await shared.cli("PUBLISH", GLOBAL, beat);
  });
  const wrong = await doctor(shared.url, { BUS_SECRET: SECRET });
  assert.match(wrong.line("strangers"), /✗ strangers .*signed with another secret; .*from 3f2a9c51/);
  assert.match(wrong.line("strangers"), /✗ strangers .*without a signature; .*from 3f2a9c51/);
  const bare = await doctor(shared.url);
  assert.match(bare.line("strangers"), /✗ strangers .*other instances sign their messages, and BUS_SECRET is not set here/);
  const lenient = await doctor(shared.url, { BUS_SECRET: "another-secret-that-nobody-here-believes,none" });
  assert.match(lenient.line("signing"), /! signing .*those that are not are believed, too/);
  assert.deepEqual([wrong.code, bare.code], [2, 2]);
  await signed.stop();
});

/** Does that again and again until it is stopped. */
function repeat(t: TestContext, act: () => Promise<void>): { stop: () => Promise<void> } {
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      await act();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  const stop = () => {
    isOver = true;
    return running;
  };
  t.after(stop);
  return { stop };
}
