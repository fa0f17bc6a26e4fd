import assert from "node:assert/strict";
import { test } from "node:test";
import { type Recording, recorder, replay, withoutContent } from "./recording.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule } from "./schedule.ts";

function recorded(): Recording[] {
  const recordings: Recording[] = [];
  const schedule = drawSchedule("everything", 1, { instances: 4, boards: 4, people: 12 });
  const { hash } = runSchedule(schedule, { makeCore: recorder(recordings) });
  assert.equal(hash, runSchedule(schedule).hash, "recording changes nothing");
  assert.ok(recordings.length >= 4 && recordings.every(({ calls }) => calls.length > 100));
  return recordings;
}

test("a core is a function of what it is told: a new one that is told the same answers the same, to the last effect", () => {
  for (const recording of recorded()) {
    assert.equal(replay(recording), recording.hash());
    // One input less, and the hash knows.
    assert.notEqual(replay({ ...recording, calls: recording.calls.toSpliced(20, 1) }), recording.hash());
  }
});

test("a core does the same whatever people are called and have in their states, if that is as long, and equal where it was", () => {
  for (const recording of recorded()) {
    const masked = replay(recording, { change: withoutContent });
    assert.equal(masked, replay(recording, { read: withoutContent }));
    assert.notEqual(masked, recording.hash());
    const text = recording.calls.map((call) => JSON.stringify(withoutContent(JSON.parse(call)))).join();
    assert.doesNotMatch(text, /"username":"p\d+"|"tool"|"pen"|"ink"/);
  }
});
