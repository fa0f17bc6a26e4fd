/** The command as operators use it: help, version, and for each mistake one clear message with the right exit status. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CLI, eventually, RawSocket } from "./harness/index.ts";

/** It takes half a second on a quiet machine, and many seconds on one with much other work. */
const START_MS_MAX = 30_000;

/** Runs outside of the repository, which may hold a developer's own `.env`. */
function start(args: readonly string[], env: Record<string, string> = {}, cwd = tmpdir()) {
  const child = spawn(process.execPath, ["--conditions=presence-source", CLI, ...args], {
    env: { PATH: process.env["PATH"], ...env },
    cwd,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code]) => ({ code, stdout, stderr }));
  return { child, ended, output: () => stdout };
}

/** Starts one in memory on any free port; returns its address once it is ready. */
async function startReady(t: TestContext, env: Record<string, string> = {}, args: readonly string[] = [], cwd = tmpdir()) {
  const running = start(args, { REDIS_URL: "memory:", WS_PORT: "0", ...env }, cwd);
  t.after(() => running.child.kill("SIGKILL"));
  const deadline = performance.now() + START_MS_MAX;
  while (!running.output().includes("is ready")) {
    if (performance.now() > deadline || running.child.exitCode !== null) assert.fail(`not ready: ${running.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const line =
    running
      .output()
      .split("\n")
      .find((text) => text.includes("is ready")) ?? "";
  const { open, clients }: { open?: string[]; clients?: string[] } = JSON.parse(line);
  return { ...running, base: open?.[0] ?? clients?.[0]?.replace("ws:", "http:") ?? assert.fail(line) };
}

test("--help and --version", async () => {
  const help = await start(["--help"]).ended;
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--redis-url/);
  const version = await start(["--version"]).ended;
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.deepEqual([version.code, version.stdout], [0, `${manifest.version}\n`]);
});

test("subcommands are in the help, have one of their own, and are recognised when mistyped", async () => {
  assert.match((await start(["--help"]).ended).stdout, /presence-service doctor .*\n.*presence-service tap /);
  for (const [args, words] of [
    [["doctor", "--help"], /^presence-service doctor: .*--board <ids>.*Exit status: 0 all is well/s],
    [["tap", "-h"], /^presence-service tap: .*--content.*Exit status: 0 stopped/s],
  ] as const) {
    const { code, stdout } = await start(args).ended;
    assert.equal(code, 0);
    assert.match(stdout, words);
  }
  for (const [args, words] of [
    [["docter"], /Argument 1 is no flag of this command, and no subcommand.* Is the subcommand doctor meant\?/],
    [["c4nary"], /Argument 1 is no flag of this command, and no subcommand(?!.*meant)/],
    [["tap", "c4nary"], /Argument 2 is no flag of/],
    [["tap", "--bord", "42"], /Argument 2 is no flag of .* Is --board meant\?/],
    [["tap", "--board", "a b", "--instance", "c4nary", "--kind", "c4nary"], /--board takes.*--kind takes.*--instance takes/s],
    [["--board", "42"], /A setting is wrong:\s+- Argument 1 is no flag of this command\./],
  ] as const) {
    const { code, stderr } = await start(args).ended;
    assert.equal(code, 78);
    assert.match(stderr, words);
    assert.doesNotMatch(stderr, /c4nary/i);
  }
});

test("wrong settings: all of them on stderr, status 78, no secret", async () => {
  const { code, stdout, stderr } = await start(["--nonsense"], { WS_PORT: "x", REDIS_URL: "redis://:hunter2@h:x" }).ended;
  assert.equal(code, 78);
  assert.equal(stdout, "");
  for (const part of [
    /^presence-service: 3 settings are wrong:/,
    /Argument 1 is no flag/,
    /WS_PORT is "x"/,
    /REDIS_URL is "redis:\/\/\*\*\*@h:x"/,
  ])
    assert.match(stderr, part);
  assert.doesNotMatch(stderr, /hunter2|at .*\.ts/);
});

test("a password is never printed, wherever somebody has put it by mistake", async (t) => {
  const canary = "c4nary-P4ssw0rd";
  const url = `redis://user:${canary}@127.0.0.1:1`;
  const folder = mkdtempSync(join(tmpdir(), "presence-secrets-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const envFile = [`REDIS_URI=${url}`, `REDIS_PASSWORD=${canary}`, `${canary}=1`, canary, `WSPORT=${canary}`, `LOG_LEVEL=debug`].join("\n");
  writeFileSync(join(folder, ".env"), envFile);

  const starts: [readonly string[], Record<string, string>][] = [
    [[canary, "--redis-password", canary, `--redis_url=${url}`, `--redis-url${url}`, `-p${canary}`, `--${canary}`], {}],
    [["--redis-url", `redis://user:${canary}@h:x`], { REDIS_TLS_KEY: canary, WS_PORT: canary, LOG_LEVEL: url, WS_HOST: url }],
    [["--redis-url", `redis://127.0.0.1:1/0?password=${canary}#${canary}`], {}],
  ];
  for (const [args, env] of starts) {
    const { code, stdout, stderr } = await start(args, env, folder).ended;
    assert.equal(code, 78);
    assert.doesNotMatch(stdout + stderr, /c4nary/i);
  }
  // The setting is valid, but no Redis listens there.
  const unreachable = await start([], { REDIS_URL: url, WS_PORT: "0", LOG_LEVEL: "trace" }, folder).ended;
  assert.equal(unreachable.code, 69);
  assert.doesNotMatch(unreachable.stdout + unreachable.stderr, /c4nary/i);

  const running = await startReady(t, { REDIS_PASSWORD: canary, REDIS_TOKEN: url, LOG_LEVEL: "trace" }, ["--redis-url", "memory:"], folder);
  for (const [path, status] of [
    [`?token=${canary}`, 200],
    ["health", 200],
    ["metrics", 200],
    [canary, 404],
  ] as const) {
    const response = await fetch(running.base + path);
    assert.equal(response.status, status);
    assert.doesNotMatch(await response.text(), /c4nary/i);
  }
  assert.match(running.output(), /name like REDIS_URL that nothing reads/);
  assert.match(running.output(), /REDIS_PASSWORD, which nothing reads/);
  assert.doesNotMatch(running.output(), /c4nary/i);

  const redis = createServer((socket) => {
    socket.on("error", () => {}); // the other side may be gone before it has read that
    socket.end(`-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'user' '${canary}'\r\n`);
  });
  redis.listen(0, "127.0.0.1");
  await once(redis, "listening");
  t.after(() => redis.close());
  const { port } = redis.address() as AddressInfo;
  const quoting = start(["--redis-url", `redis://user:${canary}@127.0.0.1:${port}`], { WS_PORT: "0" }, folder);
  if (process.platform === "linux") {
    // It is hidden when the process has read its settings. Of a process that is over, nothing is shown.
    const shown = () => readFileSync(`/proc/${quoting.child.pid}/cmdline`, "latin1");
    await eventually(() => shown().startsWith("presence-service") && !/c4nary/i.test(shown()), {
      what: () => `the password is hidden in the command line as \`ps\` shows it: ${shown()}`,
      withinMs: START_MS_MAX,
    });
  }
  const { stdout, stderr } = await quoting.ended;
  assert.match(stderr, /too old/);
  assert.doesNotMatch(stdout + stderr, /c4nary/i);
});

test("a taken port: one line that names it and WS_PORT, status 69", async (t) => {
  const holder = createServer().listen(0);
  await once(holder, "listening");
  t.after(() => holder.close());
  const address = holder.address();
  assert(address !== null && typeof address === "object");
  const { code, stderr } = await start([], { REDIS_URL: "memory:", WS_PORT: String(address.port) }).ended;
  assert.equal(code, 69);
  assert.match(stderr, new RegExp(`^presence-service: Port ${address.port} is taken.* WS_PORT[^\n]*\n$`));
});

test("Redis unreachable: attempts for about 5 s, then one line that names the address, status 69", async () => {
  const { child, ended } = start([], { REDIS_URL: "redis://:hunter2@127.0.0.1:1", WS_PORT: "0" });
  // The first attempt has failed. How long the process took to get there says nothing of the attempts.
  await once(child.stdout, "data");
  const startedAt = performance.now();
  const { code, stderr } = await ended;
  const seconds = (performance.now() - startedAt) / 1000;
  assert.equal(code, 69);
  assert(seconds > 4 && seconds < 10, `${seconds} s`);
  assert.match(stderr, /^presence-service: .*127\.0\.0\.1:1/);
  assert.doesNotMatch(stderr, /hunter2/);
});

test("in memory it warns that it is alone, serves health, and stops with 0 on SIGTERM", async (t) => {
  const { child, ended, output, base } = await startReady(t);
  await eventually(() => /"level":"warn".*THIS INSTANCE IS ALONE/.test(output()), { what: () => `the warning in ${output()}` });
  assert.equal((await fetch(`${base}readyz`)).status, 200);
  const health = (await (await fetch(`${base}health`)).json()) as { status: string; redis: { mode: string } };
  assert.deepEqual([health.status, health.redis.mode], ["ok", "memory"]);
  assert.match(await (await fetch(`${base}metrics`)).text(), /presence_build_info/);
  child.kill("SIGTERM");
  assert.equal((await ended).code, 0);
});

test("another signal does not cut a drain short, as whatever runs it may send one after Ctrl-C; the same one again does", async (t) => {
  for (const [second, code] of [
    ["SIGTERM", 0],
    ["SIGINT", 1],
  ] as const) {
    const { child, ended, output, base } = await startReady(t);
    // The drain waits for a client that does not answer.
    const client = await RawSocket.connect(t, { port: Number(new URL(base).port), protocol: "presence.v2.json" });
    client.pause();
    child.kill("SIGINT");
    await eventually(() => output().includes("stopping"), { what: () => output() });
    child.kill(second);
    assert.equal((await ended).code, code, second);
  }
});

test("DEMO=off: / names the service; INSPECTOR=off: the Inspector is not there", async (t) => {
  const { base } = await startReady(t, { DEMO: "off", INSPECTOR: "off" });
  assert.equal((await fetch(`${base.replace(/\/$/, "")}/inspector/`)).status, 404);
  assert.match(await (await fetch(base)).text(), /^This is a presence service/);
});
