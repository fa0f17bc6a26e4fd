import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { type BoardId, HIDDEN, type InstanceId, type MemberId } from "@presence-service/protocol";
import { eventually } from "../../test/harness/eventually.ts";
import { Core, type CoreOptions } from "../core/core.ts";
import type { Input } from "../core/effects.ts";
import { SILENT } from "../telemetry/log.ts";
import { World } from "../testing/world.ts";
import { RecordedCore } from "./recorded-core.ts";
import { FILES_MAX, Recorder } from "./recorder.ts";
import { callsOf, Tape } from "./recording.ts";

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

test("a divergence, and an instance that was given up and lives, are written down: one of them a minute, and none is put off for ever", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "presence-recorder-"));
  t.after(() => rm(dir, { recursive: true }));
  const written: string[] = [];
  const log = {
    ...SILENT,
    warn: (fields: object | string) => void written.push(typeof fields === "string" ? fields : Reflect.get(fields, "why")),
  };
  let skippedMs = 0;
  const real = performance.now.bind(performance);
  t.mock.method(performance, "now", () => real() + skippedMs);
  let made = 0;
  // The first instance records; what the other one finds does not matter here.
  const makeCore = (options: CoreOptions) => (made++ === 0 ? new Recorder(options, { bytes: 2 ** 20, dir }, log).core : new Core(options));
  const there = new World({ seed: 1, instances: 2, makeCore });
  for (const [via, name] of ["ana", "ben"].entries()) there.join(name, { board: "b", via });
  there.advance(3000);
  /** Instance 0 hears of a position that the other one never reached, and then its next word. */
  const diverge = () => {
    const { instanceId: from } = there.instance(1);
    const message = { kind: "beacon", seq: 2 ** 40, hash: 1, count: 1 } as const;
    const snapshot = { kind: "snapshot", seq: 2 ** 40, part: 0, parts: 1, entries: [], ended: [] } as const;
    for (const said of [snapshot, message])
      there.instance(0).receive(() => ({ kind: "heard", boardId: "b" as BoardId, from, link: 1, message: said }));
    there.advance(3000);
  };
  diverge();
  assert.ok((there.instance(0).counted.divergence ?? 0) > 0);
  await eventually(() => written.length === 1, { what: "the first is written" });
  for (const ms of [0, 30_000, 29_000]) {
    skippedMs += ms;
    diverge();
    // A file would be written by the end of this turn, and its line be there soon after.
    await wait(50);
    assert.deepEqual(written, ["divergence"], `${skippedMs} ms later`);
  }
  skippedMs += 2000;
  diverge();
  await eventually(() => written.length === 2, { what: "the next minute has its own" });
  skippedMs += 60_000;
  there.network.cut(1);
  there.advance(10_000);
  there.network.mend(1);
  there.advance(5000);
  await eventually(() => written.length === 3, { what: "an instance that was given up is back" });
  assert.deepEqual(written, ["divergence", "divergence", "false_leave"]);
  assert.equal((await readdir(dir)).length, 3);
});

test("ten thousand joins take 130 bytes each, and moves are kept as they are", async () => {
  const core = new RecordedCore(
    { instanceId: "0".repeat(32) as InstanceId, seed: 1, now: 0 },
    { bytes: 2 ** 24, keepsContent: false, trouble: () => {} },
  );
  const bytes = async () => (await core.recorded()).reduce((sum, { calls }) => sum + calls.length, 0);
  for (let connection = 0; connection < 10_000; connection++) {
    const memberId = createHash("sha256").update(String(connection)).digest("hex").slice(0, 32) as MemberId;
    const boardId = `b${Math.floor(connection / 10)}` as BoardId;
    const member = { memberId, userId: memberId, username: `user ${connection}`, kind: "person", status: "idle", state: {} } as const;
    core.handle({ kind: "join", connection, boardId, attempt: 1, member }, connection, connection);
  }
  const joins = (await bytes()) / 10_000;
  assert.ok(joins > 16 && joins < 130, `${joins} bytes a join`);
  for (let move = 0; move < 100_000; move++) core.markCursor("b0" as BoardId, 0, move % 60_000, 1, 10_000 + move);
  const segments = await core.recorded();
  assert.ok(segments.some(({ isPacked }) => isPacked) && segments.some(({ isPacked }) => !isPacked));
});

test("moves of several boards are kept as numbers, and read back as they came", () => {
  const from = "b81e0d22-5c39-4f17-8e40-a1b2c3d4e5f6" as InstanceId;
  const boards = [1, 2, 1].map((nth) => ({
    kind: "cursors" as const,
    boardId: `b${nth}` as BoardId,
    seq: 2 ** 40 + nth,
    moves: [nth, -5, 2 ** 30, 7, HIDDEN, 0],
  }));
  const inputs: Input[] = [boards, [], boards.map((board) => ({ ...board, paths: [{ actor: 1, stamp: 5, earlier: [] }] }))].map(
    (boards) => ({
      kind: "heard",
      boardId: undefined,
      from,
      link: 3,
      message: { kind: "moves", boards },
      isDirect: true,
    }),
  );
  const tape = new Tape(Buffer.allocUnsafeSlow(8192), 8192);
  for (const [nth, input] of inputs.entries()) {
    assert.ok(tape.handle(input, 1.5 + nth, 2 ** 41));
    tape.digested(nth);
  }
  const calls = [...callsOf({ checkpoint: undefined, calls: tape.calls, isPacked: false })];
  // JSON says nothing of what is undefined.
  assert.deepEqual(
    calls.map((call) => JSON.parse(JSON.stringify(call))),
    inputs.map((input, nth) => JSON.parse(JSON.stringify({ kind: "handle", now: 1.5 + nth, wallNow: 2 ** 41, digest: nth, input }))),
  );
  const small = new Tape(Buffer.allocUnsafeSlow(128), 128);
  assert.equal(small.handle(inputs[0] as Input, 1, 1), false);
});
