/** Log lines: secrets and control characters are kept out of every part of them; floods of warnings are counted. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog, type Logger, rateLimited } from "./log.ts";

function capture(format: "json" | "text"): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ level: "debug", format, write: (line) => lines.push(line) }), lines };
}

for (const format of ["json", "text"] as const) {
  test(`${format}: credentials and tokens are taken out`, () => {
    const { log, lines } = capture(format);
    log.warn(
      { url: "redis://ana:canary@cache:6379", token: "canary", client: { resumeToken: "canary" } },
      "lost redis://:canary@h, GET /?token=canary&x=1",
    );
    log.error({ err: new Error("connect rediss://:p@canary@h failed") }, "driver");
    assert.equal(lines.length, 2);
    assert.doesNotMatch(lines.join(""), /canary/);
    assert.match(lines.join(""), /cache:6379/);
  });

  test(`${format}: an id cannot start a line or move the cursor`, () => {
    const { log, lines } = capture(format);
    log.info({ board: 'b\r\n{"level":"fatal"}\u001b[2J\u009b2J\u202e' }, "joined \u2028 \u007f");
    assert.match(lines[0] ?? "", /^[^\p{Cc}\u2028\u202e]+\n$/u);
    if (format === "json") assert.equal(JSON.parse(lines[0] ?? "").board, 'b\r\n{"level":"fatal"}\u001b[2J\u009b2J\u202e');
  });
}

test("text reads as time, level, words, fields", () => {
  const { log, lines } = capture("text");
  log.warn({ board: "b1", count: 2 }, "publish failed");
  assert.match(lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} warn {2}publish failed {2}board=b1 count=2\n$/);
});

test("lines below the level are not written", () => {
  const lines: string[] = [];
  const log = createLog({ level: "silent", format: "json", write: (line) => lines.push(line) });
  log.error("no");
  assert.deepEqual(lines, []);
  assert.equal(log.isLevelEnabled?.("debug"), false);
});

test("rate-limited warnings: the first at once, then one per period with the number suppressed, each message for itself", () => {
  const written: [object, string][] = [];
  let now = 0;
  const warn = rateLimited(
    (...line: unknown[]) => void written.push(line as [object, string]),
    1000,
    () => now,
  );
  for (now = 0; now < 2500; now += 100) warn({ at: now }, "publish failed");
  warn({}, "other");
  assert.deepEqual(written, [
    [{ at: 0 }, "publish failed"],
    [{ at: 1000, suppressed: 9 }, "publish failed"],
    [{ at: 2000, suppressed: 9 }, "publish failed"],
    [{}, "other"],
  ]);
});
