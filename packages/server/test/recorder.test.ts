/** The flight recorder of real instances: a file that repeats them, and holds nothing that people wrote. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bytesOf, readRecording } from "@presence-service/server/world";
import { eventually, Instance, SessionClient, startCluster } from "./harness/index.ts";

const SIM = fileURLToPath(new URL("../../sim/src/cli.ts", import.meta.url));
const SECRETS = ["Canary Name", "canary-key", "canary-value", "canary-said"];

test("SIGUSR2 writes the last minutes of an instance, which can be repeated and hold nothing that people wrote", {
  timeout: 120_000,
}, async (t) => {
  const dir = await temporary(t);
  const { one, two } = await startCluster(t, { env: { RECORDER_DIR: dir, RECORDER_BYTES: String(2 ** 20) } });
  const ana = await SessionClient.connect(t, one.wsUrl);
  const ben = await SessionClient.connect(t, two.wsUrl);
  await ana.join("1", "Canary Name", { "canary-key": "canary-value", list: [1, "canary-value"] });
  await ben.join("1", "Canary Name 2");
  await eventually(() => ana.names("1").length === 1 && ben.names("1").length === 1, { what: "they see each other" });
  for (let round = 0; round < 60; round++) {
    for (let x = 0; x < 40; x++) ana.move("1", round * 40 + x, x);
    ben.update("1", { state: { "canary-key": `canary-value ${round} ${"long ".repeat(100)}` } });
    ben.broadcast("1", "wave", { "canary-said": `canary-said ${round}` });
    await eventually(() => ana.count("event") > round, { what: "the event of this round" });
  }
  for (const instance of [one, two]) await instance.kill("SIGUSR2");
  for (const instance of [one, two]) {
    const file = await written(instance, dir);
    const { segments } = readRecording(await readFile(file));
    const bytes = Buffer.concat(segments.flatMap((segment) => [segment.checkpoint ?? Buffer.alloc(0), bytesOf(segment)]));
    for (const secret of SECRETS) assert.ok(!holds(bytes, secret), `${secret} is in it`);
    assert.ok(holds(bytes, ana.memberId), "ids are");
    const { difference, calls, unrepeated, checkpoints } = JSON.parse(await sim("--replay", file, "--json"));
    assert.deepEqual([difference, unrepeated], [undefined, 0]);
    assert.ok(calls > 300, `${calls} calls`);
    assert.ok(checkpoints >= 1);
    assert.match(
      await sim("--replay", file),
      /^instance [0-9a-f-]+, version [\d.]+, written \S+ \(asked\)\n\d+ calls from \d checkpoints? on: /,
    );
    assert.match(await sim("--replay", file, "--trace", "0"), /← \{"kind":"heard".*"heartbeat"/);
  }
});

test("a recorder that is off answers SIGUSR2 with a line in the log, and an instance that may write nowhere goes on", {
  timeout: 60_000,
}, async (t) => {
  const dir = await temporary(t);
  const off = await Instance.start(t, { redisUrl: "memory:", env: { RECORDER_BYTES: "0", RECORDER_DIR: dir } });
  const blocked = await Instance.start(t, { redisUrl: "memory:", env: { RECORDER_DIR: "/dev/null/none" } });
  await off.kill("SIGUSR2");
  await blocked.kill("SIGUSR2");
  await eventually(() => off.lines.some((line) => line.includes("RECORDER_BYTES=0")), { what: "the line of the one that is off" });
  await eventually(() => blocked.lines.some((line) => line.includes("cannot write a recording")), { what: "the line of the other" });
  assert.deepEqual(await readdir(dir), []);
  for (const instance of [off, blocked]) assert.equal((await instance.get("/readyz")).status, 200);
});

async function written(instance: Instance, dir: string): Promise<string> {
  const { instanceId } = await instance.health();
  const name = await eventually(
    async () =>
      instance.lines.some((line) => line.includes("wrote a recording")) &&
      (await readdir(dir)).find((file) => file.includes(instanceId.slice(0, 8))),
    { what: "the file" },
  );
  return join(dir, name || "");
}

async function sim(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--conditions=presence-source", SIM, ...args], { maxBuffer: 2 ** 28 });
  return stdout;
}

/** In Latin-1, UTF-8 or UTF-16, as a checkpoint may hold any of them. */
function holds(bytes: Buffer, text: string): boolean {
  return bytes.includes(text) || bytes.includes(Buffer.from(text, "utf16le"));
}

async function temporary(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "presence-recorder-"));
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}
