import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TROUBLE_NAMES } from "./faults.ts";
import { loadPeerCore, mixing } from "./peer-core.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule, SIZES } from "./schedule.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A checkout with another core: `change` rewrites a file of it. */
function checkout(file: string, change: (text: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), "presence-peer-core-"));
  for (const part of [
    "server/src/core",
    "server/src/bus",
    "server/src/errors.ts",
    "server/package.json",
    "protocol/src",
    "protocol/package.json",
  ]) {
    mkdirSync(join(folder, "packages", part, ".."), { recursive: true });
    cpSync(join(ROOT, "packages", part), join(folder, "packages", part), { recursive: true });
  }
  const path = join(folder, "packages/server/src", file);
  const text = readFileSync(path, "utf8");
  assert.notEqual(change(text), text);
  writeFileSync(path, change(text));
  return folder;
}

test("[L1] [R13.3] instances with the core of another checkout, beside instances with this one, keep every promise", async () => {
  const folder = checkout("core/constants.ts", (text) => text.replace("acksPerBeat: 3,", "acksPerBeat: 2,"));
  try {
    const peer = await loadPeerCore(folder);
    for (const trouble of TROUBLE_NAMES)
      assert.deepEqual(runSchedule(drawSchedule(trouble, 1, SIZES.small), { makeCore: mixing(peer) }).findings, [], trouble);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("[R13.2] a core that cannot read what the others say is found out", async () => {
  const folder = checkout("bus/head.ts", (text) => text.replace("const VERSION = 1;", "const VERSION = 2;"));
  try {
    const makeCore = mixing(await loadPeerCore(folder));
    assert.notDeepEqual(runSchedule(drawSchedule("none", 1, SIZES.small), { makeCore }).findings, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a folder without a core says so", async () => {
  await assert.rejects(loadPeerCore(tmpdir()), /holds no core/);
});
