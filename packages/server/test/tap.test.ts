/** `presence-service tap` beside real instances: what it shows, what it hides, and how it ends. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { encodeRedisMessage } from "../src/bus/envelope.ts";
import { Signing } from "../src/bus/signing.ts";
import { FROM } from "../src/testing/ana.ts";
import { CLI, eventually, Instance, RedisProcess, type Scope, SessionClient } from "./harness/index.ts";
import { endWithProcess } from "./harness/scope.ts";

const SECRET = "the-secret-of-these-tests-is-long-enough";
const GLOBAL = "presence:global";

function startTap(
  t: Scope,
  redisUrl: string,
  args: readonly string[] = [],
  { env = {}, pipe = "" }: { env?: Record<string, string>; pipe?: string } = {},
) {
  const command = [process.execPath, "--conditions=presence-source", CLI, "tap", ...args];
  const shell = ["bash", "-c", `set -o pipefail; "$0" "$@" ${pipe}`, ...command];
  const [program = "", ...rest] = pipe === "" ? command : shell;
  const child = spawn(program, rest, { env: { PATH: process.env["PATH"], REDIS_URL: redisUrl, ...env }, cwd: tmpdir() });
  const forget = endWithProcess(() => child.kill("SIGKILL"));
  t.after(() => {
    child.kill("SIGKILL");
    forget();
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (more) => {
      output[name] += more;
    });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const listening = () => eventually(() => output.stderr.includes("listening at"), { what: () => `the tap listens\n${output.stderr}` });
  return { child, ended, output, listening };
}

test("a line for each message, with filters, without names and states unless asked for; Ctrl-C ends it", async (t) => {
  const redis = await RedisProcess.start(t);
  const instance = await Instance.start(t, { redisUrl: redis.url });
  const { instanceId } = await instance.health();
  const all = startTap(t, redis.url);
  const board = startTap(t, redis.url, ["--board", "doc-1", "--kind", "delta,snapshot", "--instance", instanceId.slice(0, 6)]);
  const open = startTap(t, redis.url, ["--content", "--json", "--board", "doc-1"]);
  await Promise.all([all, board, open].map(({ listening }) => listening()));
  const ana = await SessionClient.connect(t, instance.wsUrl);
  await ana.join("doc-1", "n4me-canary");
  ana.update("doc-1", { state: { canary: "st4te-canary" } });
  await ana.join("doc-2", "n4me-canary");
  // The first member of a slice comes as a snapshot, and only a later one with its name in a delta.
  const ben = await SessionClient.connect(t, instance.wsUrl);
  await ben.join("doc-1", "n4me-canary");
  await eventually(() => board.output.stdout.includes("a member is in slot"), { what: () => `the join is shown\n${board.output.stdout}` });
  await eventually(() => / heartbeat /.test(all.output.stdout), { what: "a heartbeat" });
  await eventually(() => /board doc-2 .* snapshot /.test(all.output.stdout) && / delta /.test(board.output.stdout), {
    what: "all is shown",
  });
  await eventually(() => open.output.stdout.includes("st4te-canary"), { what: "the content is shown" });

  const short = instanceId.slice(0, 8);
  assert.match(
    all.output.stdout,
    new RegExp(`^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} global {6}  ?${short} heartbeat {3,4} +\\d+ B {2}\\d+, ready`, "m"),
  );
  assert.match(board.output.stdout, new RegExp(`board doc-1  ${short} delta +\\d+ B {2}\\d+→\\d+: slot \\d+ changes state`));
  for (const line of board.output.stdout.trim().split("\n")) assert.match(line, /board doc-1 .*(?:delta|snapshot)/);
  for (const { output } of [all, board]) assert.doesNotMatch(output.stdout, /canary/);
  const lines = open.output.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(lines.every((line) => line.board === "doc-1" && line.from === instanceId && line.signature === "none" && line.bytes > 20));
  assert.deepEqual((await instance.health()).peers, []);

  all.child.kill("SIGINT");
  assert.equal(await all.ended, 0);
});

test("signatures that are wrong or missing are named, and who said so by their own account", async (t) => {
  const redis = await RedisProcess.start(t);
  const goodbye = encodeRedisMessage({ from: FROM, link: 1, message: { kind: "goodbye" } });
  const signed = (secret: string) => new Signing(secret).sign(GLOBAL, goodbye);
  const { output, listening } = startTap(t, redis.url, [], { env: { BUS_SECRET: SECRET } });
  await listening();
  const right = signed(SECRET);
  for (const bytes of [
    right,
    signed("another-secret-that-nobody-here-believes"),
    goodbye,
    right,
    new Uint8Array([0xb1, 1]),
    Buffer.from("{}"),
  ])
    await redis.cli("PUBLISH", GLOBAL, bytes);
  await eventually(() => output.stdout.split("\n").length > 6, { what: "six lines" });
  const [one, two, three, four, five, six] = output.stdout.split("\n").map((line) => line.slice(13));
  assert.match(one ?? "", /^global +3f2a9c51 goodbye +\d+ B$/);
  assert.match(two ?? "", /^global +3f2a9c51 goodbye +\d+ B {2}WRONG SIGNATURE$/);
  assert.match(three ?? "", /^global +3f2a9c51 goodbye +\d+ B {2}UNSIGNED$/);
  assert.match(four ?? "", /STALE$/);
  assert.match(five ?? "", /invalid +2 B {2}UNSIGNED broken$/);
  assert.match(six ?? "", /foreign +2 B {2}UNSIGNED not ours/);
  assert.doesNotMatch(output.stdout + output.stderr, /secret-of-these/);
});

test("it goes on after Redis was away, and says so once", async (t) => {
  const redis = await RedisProcess.start(t);
  const { output, listening, child, ended } = startTap(t, redis.url);
  await listening();
  await redis.kill();
  await eventually(() => output.stderr.includes("trying again"), { what: "the loss is told" });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await redis.restart();
  await eventually(() => output.stderr.split("listening at").length === 3, { what: () => `it listens again\n${output.stderr}` });
  assert.ok(output.stderr.split("trying again").length <= 4, output.stderr);
  await redis.cli("PUBLISH", GLOBAL, "x");
  await eventually(() => output.stdout.includes("not ours"), { what: "messages are shown" });
  child.kill("SIGTERM");
  assert.equal(await ended, 0);
});

test("a reader that has seen enough ends it", async (t) => {
  const redis = await RedisProcess.start(t);
  await Instance.start(t, { redisUrl: redis.url });
  const { ended, output } = startTap(t, redis.url, [], { pipe: "| head -2" });
  assert.equal(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 30_000, "still running"))]), 0);
  assert.equal(output.stdout.trim().split("\n").length, 2);
});

test("a user who may not listen to all is told the right, and sees the global channel or the boards it names", async (t) => {
  const redis = await RedisProcess.start(t);
  const rights = ["resetkeys", "resetchannels", "&presence:*", "-@all", "+subscribe", "+unsubscribe", "+publish", "+ping", "+hello"];
  await redis.cli("ACL", "SETUSER", "least", "reset", "on", ">pw", ...rights);
  const url = `redis://least:pw@127.0.0.1:${redis.port}`;
  const global = startTap(t, url);
  const board = startTap(t, url, ["--board", "b"]);
  await Promise.all([global.listening(), board.listening()]);
  assert.match(global.output.stderr, /may not listen to all channels: not permitted.*\+psubscribe/);
  await redis.cli("PUBLISH", GLOBAL, "x");
  await redis.cli("PUBLISH", "presence:board:b", "x");
  await eventually(() => global.output.stdout !== "" && board.output.stdout !== "", { what: "both show something" });
  assert.match(global.output.stdout, /^\S+ global [^\n]*\n$/);
  assert.match(board.output.stdout, /^\S+ board b [^\n]*\n$/);
  await redis.cli("ACL", "SETUSER", "least", "resetchannels");
  const refused = startTap(t, url, ["--board", "b"]);
  assert.equal(await refused.ended, 69);
  assert.match(refused.output.stderr, /^presence-service: Redis does not let this user listen: not permitted/m);
});
