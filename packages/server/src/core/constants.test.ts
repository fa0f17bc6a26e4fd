/** The numbers of the rules: they go together, and docs/REPLICATION.md shows them. After a change: `npm run docs`. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compareTable } from "../../test/harness/document.ts";
import { assertConsistent, CONSTANTS, type Constants } from "./constants.ts";

/** The table as the source has it: each number with the sentence above it, which may be for several numbers. */
function table(): string {
  const source = readFileSync(new URL("./constants.ts", import.meta.url), "utf8");
  let reason = "";
  const rows = [...source.matchAll(/^ {2}(?:\/\*\* (.*) \*\/|(\w+): (.*?)(?: as [^,]*)?,)$/gm)].flatMap(([, sentence, name, value]) => {
    if (sentence !== undefined) reason = sentence;
    return name === undefined ? [] : [`| \`${name}\` | ${value} | ${reason} |`];
  });
  return ["| name | value | rule and reason |", "|---|---|---|", ...rows].join("\n");
}

test("the table in docs/REPLICATION.md is that of the code", () => {
  compareTable("REPLICATION.md", "constants", table());
  for (const name of Object.keys(CONSTANTS)) assert.ok(table().includes(`\`${name}\``), `${name} has no row`);
});

/** For each two numbers that depend on each other, a value of one that contradicts the other. */
const CONTRADICTIONS: [Partial<Constants>, RegExp][] = [
  [{ suspectBeats: 8 }, /a peer must be suspect before it is down/],
  [{ beaconAfterChangeMs: [300, 1400] }, /a silence that cannot hide a change and its beacons must not count as long/],
  [{ reconnectMsMax: 10_000 }, /reconnect backoff must stay under suspect \+ down/],
  [{ unechoedBeatsMax: 8 }, /my own silence must be noticed before/],
  [{ unansweredMsMax: 4000 }, /a hung publisher must be noticed/],
  [{ clearRemoteMs: 4000 }, /peers must be judged before all of them are cleared/],
  [{ staleAckBeats: 5 }, /mute must notice it and connect anew before its peers give it up/],
  [{ silentBeats: 3 }, /told of its silence before it can be mute/],
  [{ recycleMsMin: 2000, unansweredMsMax: 1000 }, /a recycled connection needs time to prove itself/],
  [{ recycleMsMin: 3000 }, /a recycled publisher needs time to be answered/],
  [{ muteRetryMsMin: 3999 }, /replaced as mute needs as much time as any/],
  [{ muteRetryMsMax: 3999 }, /the first wait of a mute instance is its shortest/],
  [{ boardUnechoedMs: 500 }, /a board's own echo is judged by heartbeats/],
  [{ downRememberedMs: 44_999 }, /a down peer must be remembered as long as what it may bring back/],
  [{ lingerMs: 44_999 }, /an owner must keep its board for as long as the ends/],
  [{ lingerUnechoedMs: 45_000 }, /an owner must keep a board longest where nobody can have heard/],
  [{ numberRestMs: 59_999 }, /a number must rest until everybody forgot its last bearer/],
  [{ goodbyeMs: 4000 }, /time for two returns before their members are given up/],
  [{ retryMsMin: 3000 }, /shortest spread of returning clients must not be above the longest/],
  [{ relieveMs: 5000 }, /must not wait for peers that it has given up/],
  [{ goodbyeMs: 60_000 }, /a stopped peer must be remembered longer than it is shown/],
  [{ successorMs: 150 }, /a superseded member must outlive the way of its successor/],
  [{ askMsMin: 101 }, /the first ask comes before the second/],
  [{ askMsMax: 251 }, /the first ask comes before the second/],
  [{ askBackoffMsMax: 249 }, /the first wait between asks is the shortest/],
  [{ answerMs: 250 }, /an owner that answers at its pace must not be asked again before/],
  [{ askMsMax: 150 }, /a first joiner waits longer than a first ask/],
  [{ answerMs: 150 }, /a first joiner waits longer than an owner that answers at its pace/],
  [{ syncAgainMs: 100 }, /the second question to all must find an owner that may answer/],
  [{ beaconUnechoedMsMin: 4001 }, /a change without echo is told before peace/],
  [{ beaconUnechoedMsMax: 15_000 }, /a change without echo is told before peace/],
  [{ beaconAfterChangeMs: [300, 12_000] }, /a change is told again before peace/],
  [{ occupancySilentMs: 15_000 }, /a board of which counts are told must not count as silent/],
  [{ wantLeasePeriods: 2 }, /a want must outlive two that are lost/],
  [{ wantAskMs: [100, 500, 750] }, /a teller that answers at its pace must not be asked again before/],
  [{ handoverMs: 1500 }, /a successor must have heard every beacon of a change/],
  [{ refuteBeats: 8 }, /an accused instance needs less time to answer than/],
  [{ idleBeaconsPerBeacon: 4 }, /must speak before it is doubted/],
];

test("numbers that do not go together are refused in a sentence", () => {
  assertConsistent(CONSTANTS);
  for (const [numbers, sentence] of CONTRADICTIONS) assert.throws(() => assertConsistent({ ...CONSTANTS, ...numbers }), sentence);
  const demands = assertConsistent.toString().match(/demand\(/g)?.length ?? 0;
  assert.equal(new Set(CONTRADICTIONS.map(([, { source }]) => source)).size, demands, "each demand has a number that contradicts it");
});
