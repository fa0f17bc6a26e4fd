/** The parts of the page that need no browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, encodeBinary, type MemberId, type ResumeToken } from "@presence-service/protocol";
import { accessOf } from "./access.ts";
import type { Claim, Member, Reasons } from "./answers.ts";
import { above, boundOf, countOf, Samples, since } from "./exposition.ts";
import { readFrame, unpackedOf } from "./frames.ts";
import { History, meanOf, rateOf } from "./history.ts";
import { matrixOf } from "./instances.ts";
import { hearingNow, truthsOf } from "./truth.ts";
import { whyInWords } from "./why.ts";
import { amount, duration } from "./words.ts";

const refused = (status: number, code = "") => ({ kind: "refused", status, code, detail: "" }) as const;

test("the answer to the first call says how far the page may see", () => {
  assert.equal(accessOf({ kind: "ok", body: {}, instance: "", ageMs: 0 }, true), "open");
  assert.equal(accessOf(refused(401, "unauthorized"), false), "asks");
  assert.equal(accessOf(refused(401, "unauthorized"), true), "wrong");
  assert.equal(accessOf(refused(403, "forbidden"), true), "user");
  assert.equal(accessOf(refused(404), false), "off");
  assert.equal(accessOf(refused(421, "wrong_host"), false), "foreign");
  assert.equal(accessOf(refused(502), false), "failing");
  assert.equal(accessOf({ kind: "silent" }, true), "silent");
});

const textOf = (left: readonly [number, number, number], sent: number, echoes: readonly [number, number] = [0, 0]) => `# HELP x y
# TYPE presence_ghost_seconds histogram
presence_ghost_seconds_bucket{le="0.05",cause="left"} ${left[0]}
presence_ghost_seconds_bucket{le="18",cause="left"} ${left[1]}
presence_ghost_seconds_bucket{le="+Inf",cause="left"} ${left[2]}
presence_ghost_seconds_sum{cause="left"} 1.5
presence_ghost_seconds_count{cause="left"} ${left[2]}
presence_bus_published_total{kind="delta"} ${sent}
presence_bus_published_total{kind="want"} 1e3
presence_bus_echo_seconds_sum ${echoes[0]}
presence_bus_echo_seconds_count ${echoes[1]}
presence_peers{state="up"} 1
presence_degraded 0
`;

test("metrics: values, sums over labels, histograms and what lies between two of them", () => {
  const [before, now] = [new Samples(textOf([1, 1, 1], 5)), new Samples(textOf([9, 10, 11], 7))];
  assert.deepEqual([now.value("presence_bus_published_total", { kind: "want" }), now.value("nothing")], [1000, undefined]);
  assert.equal(now.sum("presence_bus_published_total"), 1007);
  const ghosts = now.histogram("presence_ghost_seconds", { cause: "left" });
  assert.deepEqual([countOf(ghosts), above(ghosts, 18), above(ghosts, 0.05)], [11, 1, 2]);
  assert.deepEqual([boundOf(ghosts, 0.5), boundOf(ghosts, 0.9), boundOf(ghosts, 1)], [0.05, 18, Number.POSITIVE_INFINITY]);
  const lately = since(ghosts, before.histogram("presence_ghost_seconds", { cause: "left" }));
  assert.deepEqual(lately.upTo, [8, 9, 10]);
  assert.equal(boundOf(now.histogram("presence_ghost_seconds", { cause: "lost" }), 0.5), undefined);
});

test("a promise is kept, broken, or was never put to the test", () => {
  const ghostsOf = (left: readonly [number, number, number]) => {
    const samples = new Samples(textOf(left, 0));
    return truthsOf(samples, samples).find(({ question }) => question.includes("they had left"));
  };
  assert.deepEqual([ghostsOf([0, 0, 0])?.isKept, ghostsOf([0, 0, 0])?.answer], [undefined, "none"]);
  assert.deepEqual([ghostsOf([100, 100, 100])?.isKept, ghostsOf([100, 100, 100])?.answer], [true, "100, all within 0.05 s"]);
  assert.equal(ghostsOf([999, 1000, 1000])?.answer, "1000, 99 % within 0.05 s, all within 18 s");
  assert.equal(ghostsOf([9, 9, 10])?.isKept, false);
  const joinsOf = (soon: number, all: number) => {
    const name = "presence_join_visible_seconds_bucket";
    const samples = new Samples(`${name}{le="0.05"} ${soon}\n${name}{le="+Inf"} ${all}\n`);
    return truthsOf(samples, samples).find(({ question }) => question.startsWith("Newcomers"))?.isKept;
  };
  assert.deepEqual([joinsOf(5, 5), joinsOf(4, 5), joinsOf(198, 200), joinsOf(197, 200)], [true, undefined, true, false]);
  assert.equal(hearingNow(new Samples("presence_degraded 1\n")), "This instance hears no other one at the moment.");
  assert.equal(hearingNow(new Samples('presence_peers{state="up"} 0\n')), "This instance knows no other one.");
  assert.equal(hearingNow(new Samples(textOf([0, 0, 0], 0))), "Other instances are heard.");
});

test("rates and means are those of each second, and neither a restart nor silence makes a point", () => {
  const history = new History();
  const add = (at: number, sent: number, echoes: readonly [number, number]) =>
    history.add("a", { at, samples: new Samples(textOf([0, 0, 0], sent, echoes)) });
  add(0, 0, [0, 0]);
  add(100, 1, [0, 0]); // rendered once a second: that is the same page
  add(1000, 50, [0.2, 4]);
  add(3000, 150, [0.2, 4]);
  add(4000, 0, [0, 0]);
  const values = (points: readonly { readonly value: number }[]) => points.map(({ value }) => value);
  assert.deepEqual(values(rateOf(history.of("a"), (samples) => samples.sum("presence_bus_published_total"))), [50, 50]);
  assert.deepEqual(values(meanOf(history.of("a"), "presence_bus_echo_seconds")), [0.05]);
  for (let nth = 0; nth < 20; nth++) history.add(`other ${nth}`, { at: 5000 + nth * 600, samples: new Samples("") });
  assert.ok(history.instances.length <= 6, "a cluster of any size has its end here");
  add(200_000, 0, [0, 0]);
  assert.equal(history.of("a").length, 1, "two minutes are kept");
});

const [SELF, PEER] = ["11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"];

test("the matrix: rows hear, columns are heard; a pair that was not told is none", () => {
  const rows = matrixOf({
    self: SELF,
    peers: [{ instanceId: PEER, state: "deaf", lastHeardMs: 10 }],
    hears: [{ instanceId: SELF, heard: PEER, agoMs: 400 }],
  });
  assert.deepEqual(
    rows.map(({ instanceId, state, cells }) => [instanceId, state, cells.map(({ text, kind }) => `${text} ${kind}`)]),
    [
      [SELF, "this one", ["· self", "0.4 s fresh"]],
      [PEER, "deaf", ["no none", "· self"]],
    ],
  );
  const [[, old] = []] = matrixOf({
    self: SELF,
    peers: [{ instanceId: PEER, state: "up", lastHeardMs: 10 }],
    hears: [{ instanceId: SELF, heard: PEER, agoMs: 20_000 }],
  }).map(({ cells }) => cells);
  assert.equal(old?.kind, "old");
  // A large cluster: an instance acknowledges those that are near, and in turn.
  const many = Array.from({ length: 60 }, (_, nth) => ({ instanceId: `${nth}`.padStart(8, "a"), state: "up" as const, lastHeardMs: 1 }));
  const [first] = matrixOf({ self: SELF, peers: many, hears: [{ instanceId: SELF, heard: "aaaaaa10", agoMs: 20_000 }] });
  assert.deepEqual(new Set(first?.cells.map(({ kind }) => kind)), new Set(["self", "far", "fresh"]));
});

test("why a member is shown, in sentences", () => {
  const member = { memberId: "m", username: "Ana" } as Member;
  const claim: Claim = {
    owner: PEER,
    attempt: 3,
    seq: 7,
    slot: 0,
    status: "active",
    standing: "live",
    wordMs: 1200,
    heartbeatMs: 300,
    isInDoubt: false,
    graceMs: null,
  };
  const words = (reasons: Partial<Reasons>) => whyInWords({ shown: null, claims: [], endedAttempt: null, instances: [], ...reasons }, SELF);
  const shown = (owner: string | null) => ({ member, actor: 1, owner, attempt: 3, forMs: 12_000 });
  assert.deepEqual(words({ shown: shown(PEER), claims: [claim, { ...claim, attempt: 2 }] }), [
    "It has been shown for 12 s, by attempt 3.",
    "Instance 22222222 says so, which lives.",
    "It last said 1.2 s ago who is on this board, and sent its last heartbeat 0.3 s ago.",
    "Nothing that it said has been missed.",
    "1 other entry is held; the highest attempt that has not ended is shown.",
  ]);
  const doubted = words({ shown: shown(PEER), claims: [{ ...claim, standing: "fading", isInDoubt: true }] }).join(" ");
  assert.match(doubted, /has fallen silent.*may have been missed/);
  const own = { ...claim, owner: SELF, heartbeatMs: null, connection: 5 };
  assert.equal(words({ shown: shown(SELF), claims: [own] })[1], "It is connected to this instance (connection 5 in the log).");
  assert.match(words({ shown: shown(SELF), claims: [{ ...own, graceMs: 9000 }] })[1] ?? "", /lost, and it may still come back for 9\.0 s/);
  assert.match(words({ shown: shown(null) })[1] ?? "", /is moving/);
  assert.match(words({ endedAttempt: 3 })[0] ?? "", /^It is not shown\. All its attempts up to 3 are over/);
});

test("frames are told with their message, and no token is", async () => {
  const secret = "a-secret-that-nobody-sees";
  const hello = encodeBinary({ kind: "hello", token: secret, resumeToken: "00".repeat(16) as ResumeToken });
  const frame = readFrame("out", hello, hello, 0);
  assert.deepEqual([frame.kind, frame.bytes, frame.unpacked], ["hello", hello.length, undefined]);
  assert.deepEqual(JSON.parse(frame.text).token, "(not shown)");
  assert.equal(frame.text.includes(secret) || frame.text.includes("00000000"), false);
  const welcome = encodeBinary({
    kind: "welcome",
    memberId: "0".repeat(32) as MemberId,
    resumeToken: "11".repeat(16) as ResumeToken,
    instanceId: SELF,
    heartbeatMs: 1,
    graceMs: 1,
    cursorMs: 1,
    stateBytesMax: 1,
  });
  const packed = new Uint8Array([0x7f, 1, 2]);
  const plain = await unpackedOf(packed, async () => welcome);
  const read = readFrame("in", packed, plain, 0);
  assert.deepEqual([read.kind, read.bytes, read.unpacked], ["welcome", 3, welcome.length]);
  assert.equal(JSON.parse(read.text).resumeToken, "(not shown)");
  const broken = await unpackedOf(packed, async (_: Bytes) => Promise.reject(new Error("no")));
  assert.deepEqual(
    [readFrame("in", packed, broken, 0).kind, readFrame("in", packed, broken, 0).text],
    ["cannot be read", "bytes 7f 01 02"],
  );
});

test("numbers in few digits", () => {
  assert.deepEqual([0, 0.123, 7.5, 29, 312.4, 8158, 12_345, 4_800_000, Number.NaN].map(amount), [
    "0",
    "0.12",
    "7.50",
    "29",
    "312",
    "8158",
    "12.3 k",
    "4.80 M",
    "–",
  ]);
  assert.deepEqual([0, 400, 9949, 9950, 100_000, 300_000, 7_200_000, 200_000_000].map(duration), [
    "0.0 s",
    "0.4 s",
    "9.9 s",
    "10 s",
    "100 s",
    "5 min",
    "2 h",
    "2 d",
  ]);
});
