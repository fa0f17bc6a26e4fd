import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type CoreOptions, FORMAT, RecordedCore, type Recording, readRecording, recordingAsBytes } from "@presence-service/server/world";
import { TROUBLE_NAMES, type TroubleName } from "./faults.ts";
import { replay } from "./replay.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule, SIZES } from "./schedule.ts";

const SIZE = SIZES.large;
/** So small that it turns several times in a run. */
const RING_BYTES = 128 * 1024;

const troubles = new Set<string>();

function recorded(trouble: TroubleName, { keepsContent = false } = {}): { readonly cores: RecordedCore[]; readonly hash: string } {
  const cores: RecordedCore[] = [];
  const makeCore = (options: CoreOptions) => {
    const core = new RecordedCore(options, { bytes: RING_BYTES, keepsContent, trouble: (why) => void troubles.add(why) });
    cores.push(core);
    return core;
  };
  const { hash } = runSchedule(drawSchedule(trouble, 1, SIZE), { makeCore });
  return { cores, hash };
}

async function recordingOf(core: RecordedCore): Promise<Recording> {
  const { instanceId } = core;
  const segments = await core.recorded();
  return readRecording(gzipSync(recordingAsBytes({ format: FORMAT, version: "1", instanceId, why: "test", at: 0, segments })));
}

test("a recording is repeated to the last answer, and its core stands at each checkpoint as the recorded one did, whatever the trouble", async (t) => {
  // On a slow machine a checkpoint would take too long to be made.
  t.mock.method(performance, "now", () => 0);
  let turned = 0;
  for (const trouble of TROUBLE_NAMES) {
    const { cores, hash } = recorded(trouble);
    assert.equal(hash, runSchedule(drawSchedule(trouble, 1, SIZE)).hash, `${trouble}: a core that records does what any does`);
    for (const core of cores) {
      const { difference, unrepeated, checkpoints } = replay(await recordingOf(core));
      assert.deepEqual([difference, unrepeated], [undefined, 0], trouble);
      if (checkpoints > 1) turned++;
    }
  }
  assert.ok(troubles.has("false_leave"), "instances that were given up came back");
  assert.ok(turned > 20, `${turned} recordings of two checkpoints`);
});
