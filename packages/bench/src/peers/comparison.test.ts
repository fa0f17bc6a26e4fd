/** Medians, ratios of runs that were neighbours, and runs that are thrown away. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { comparisonTables, type Entry, ratios, spreadOf } from "./comparison.ts";
import { type Figures, type Run, tooLate } from "./figures.ts";
import { moveBefore, positionOf } from "./person.ts";

function runOf(figures: Figures, lateP99 = 0.5): Run {
  return { figures, lateP50: 0.1, lateP99, generator: 0.2 };
}

function entryOf(name: string, ...cpu: readonly (number | undefined)[]): Entry {
  return {
    name,
    isAlone: name.includes("alone"),
    runs: cpu.map((value) => (value === undefined ? undefined : runOf({ cpu: value }))),
    thrown: [],
  };
}

test("a spread is the median of an odd and of an even number, with the lowest and the highest", () => {
  assert.deepEqual(spreadOf([3, 1, 10]), { median: 3, low: 1, high: 10, count: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 10]), { median: 3, low: 1, high: 10, count: 4 });
  assert.equal(spreadOf([]).count, 0);
});

test("a ratio is of two runs of one repeat: where one of them is missing there is none", () => {
  const [theirs, mine] = [entryOf("naive", 10, undefined, 30, 50), entryOf("ours", 1, 1, undefined, 10)];
  assert.deepEqual(ratios(theirs, mine, "cpu"), { median: 7.5, low: 5, high: 10, count: 2 });
});

test("peers are compared with ours, and ours with the limit", () => {
  const entries = ["ours", "ours, alone", "naive", "y, alone", "physical limit"].map((name, nth) => entryOf(name, [2, 1, 4, 3, 1][nth]));
  const rows = comparisonTables({ title: "a load", entries })
    .split("\n")
    .filter((line) => /^\| [\w, ]+ \/ /.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.deepEqual(
    rows.map(([, name, ratio]) => [name, ratio]),
    [
      ["naive / ours", "2.00"],
      ["y, alone / ours", "1.50"],
      ["y, alone / ours, alone", "3.00"],
      ["ours / physical limit", "2.00"],
      ["ours, alone / physical limit", "1.00"],
    ],
  );
});

test("a run counts if the generator was late by little, or by a small part of what it measured", () => {
  assert.equal(tooLate(runOf({ localP99: 6 }, 4.9), 5), undefined);
  assert.match(tooLate(runOf({ localP99: 6 }, 5.1), 5) ?? "", /5\.1 ms late/);
  assert.equal(tooLate(runOf({ localP99: 6, crossP99: 4000 }, 600), 5), undefined);
  assert.equal(tooLate({ figures: {}, generator: 0 }, 5), undefined);
});

test("a move is read from the end of a position", () => {
  for (const move of [0, 7, 65_535, 65_536, 123_456_789, 2 ** 32 - 1]) {
    const bytes = Buffer.from(`42["cursor",{"user":"user 3",${positionOf(move)}}]`);
    assert.equal(moveBefore(bytes, bytes.length - 2), move);
  }
});
