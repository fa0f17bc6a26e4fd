import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { InstanceId } from "@presence-service/protocol";
import { SILENT } from "../telemetry/log.ts";
import { FILES_MAX, Recorder } from "./recorder.ts";

test("files are for their owner only, and the last ten stay", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "presence-recorder-"));
  t.after(() => rm(dir, { recursive: true }));
  const recorder = new Recorder({ instanceId: "0".repeat(32) as InstanceId, seed: 1, now: 0 }, { bytes: 2 ** 20, dir }, SILENT);
  const files: string[] = [];
  for (let count = 0; count < FILES_MAX + 2; count++) {
    const [file, same] = await Promise.all([recorder.write("test"), recorder.write("test")]);
    assert.equal(same, file, "one at a time");
    files.push(file);
    // Their names tell them apart by the millisecond.
    await wait(2);
  }
  assert.deepEqual((await readdir(dir)).map((name) => join(dir, name)).sort(), files.slice(2));
  assert.equal((await stat(files.at(-1) ?? "")).mode & 0o777, 0o600);
});
