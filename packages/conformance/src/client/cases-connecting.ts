/** Cases about a client: how it connects, stays, and comes back. */

import { CLOSE } from "@presence-service/protocol";
import { expect, expectEqual } from "../cases.ts";
import { pause } from "../waiting.ts";
import { BOARD, type ClientCase, type Play, play, resume, start } from "./play.ts";
import { caughtUp, joined, type Line, member } from "./stage.ts";

/** The first retry comes within 2 s; this leaves time for a slow machine. */
const BACK_MS = 3500;
/** So long without an attempt, a client is taken for one that stays away. */
const AWAY_MS = 2600;
const BEN = member("Ben");
const WITH_BEN = { others: [[0, BEN]] } as const;
const TABLE = "After a close, the code says whether";

/** Codes after which a client comes back; `undefined`: a close without a code. */
const BACKOFF = [1000, 1001, undefined, 1009, 1011, 4001, 4008, 4410, 4002, 4099, 3000] as const;
const NEVER = [4403, 4411, 4400, 4499] as const;

export const CLIENT_CONNECTION_CASES: readonly ClientCase[] = [
  {
    name: "a silent service is dead after 2.5 heartbeats, and another connection is made",
    says: "longest time between two heartbeats; 2.5 times as long without a byte is a dead connection",
    run: play(async (own) => {
      const line = await start(own, { welcome: { heartbeatMs: 1000 } });
      const from = Date.now();
      await line.until(() => line.endedWith !== undefined, "the client gives the connection up");
      const ms = Date.now() - from;
      expect(ms > 2200 && ms < 3800, `it gave up after ${ms} ms`);
      expectEqual(line.endedWith, 4001, "its close code");
      await own.stage.line(2);
    }),
  },
  {
    name: "any byte of the service keeps the connection",
    says: "Any byte is an answer.",
    run: play(async (own) => {
      const line = await start(own, { welcome: { heartbeatMs: 1000 } });
      for (let nth = 0; nth < 4; nth++) {
        await pause(1000);
        if (nth % 2 === 0) line.say({ kind: "presence_update", board: 7, members: 1, users: 1 });
        else line.say({ kind: "heartbeat" });
      }
      expectEqual(line.endedWith, undefined, "the end of the connection");
    }),
  },
  ...BACKOFF.map(
    (code): ClientCase => ({
      name: `after ${code ?? "a close without a code"} it comes back`,
      says: TABLE,
      run: play(async (own) => {
        const line = await start(own, WITH_BEN);
        line.close(code);
        await comesBack(own, line, BACK_MS);
      }),
    }),
  ),
  ...NEVER.map(
    (code): ClientCase => ({
      name: `after ${code} it stays away`,
      says: "`never` by itself",
      run: play(async (own) => {
        const line = await start(own, WITH_BEN);
        line.close(code);
        await own.program.until(() => own.program.last("status", BOARD)?.["status"] === "closed", "the status is closed");
        await pause(AWAY_MS);
        expectEqual(own.stage.lines.length, 1, "connections");
      }),
    }),
  ),
  {
    name: "after 4000 it comes back at once",
    says: "`elsewhere` at once",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.close(CLOSE.draining.code);
      await comesBack(own, line, 1200);
    }),
  },
  {
    name: "a lost connection is made again: the session, its status and state are said, and the roster is rebuilt",
    says: "say `hello` with the same resumeToken, and `join` every board with a higher attempt, the whole state and the\ncurrent status",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, {
        others: [
          [0, BEN, { x: 1, y: 1 }],
          [1, member("Cleo")],
        ],
        state: { tool: "pen" },
      });
      program.do({ do: "update", board: BOARD, status: "idle", state: { tool: null, size: 2 } });
      await line.until(() => line.all("update").some(({ status }) => status === "idle"), "the update comes");
      const first = await line.heard("join");
      line.cut();
      await program.until(() => program.last("status", BOARD)?.["status"] === "reconnecting", "the status is reconnecting");
      const again = await comesBack(own, line, BACK_MS);
      const join = await again.heard("join");
      expectEqual([join.username, join.status, join.state], ["Me", "idle", { size: 2 }], "name, status and state of the join");
      expect(join.attempt > first.attempt, `the attempt is ${join.attempt}, and was ${first.attempt}`);
      // The numbers are other ones, and Cleo has left meanwhile.
      again.say(joined(join, { number: 30, self: 0, others: [[3, BEN]] }));
      await program.shows(BOARD, ["Me", "Ben"]);
      await program.until(() => program.last("status", BOARD)?.["status"] === "connected", "the status is connected");
      again.say({ kind: "event", board: 30, actor: 3, name: "reaction", data: 1 });
      await program.sees("event", ({ memberId }) => memberId === BEN.memberId);
      program.do({ do: "broadcast", board: BOARD, name: "reaction", data: 2 });
      expectEqual((await again.heard("broadcast")).board, BOARD, "the board that it names");
    }),
  },
  {
    name: "cursors from before are dropped",
    says: "Drop all cursors and rebuild the roster from\n`joined`.",
    run: play(async (own) => {
      const line = await start(own, { others: [[0, BEN, { x: 1, y: 1 }]] });
      await own.program.sees("cursor", ({ x }) => x === 1);
      const since = own.program.seen.length;
      line.cut();
      await resume(own, 2, WITH_BEN);
      await own.program.sees("cursor", ({ memberId, hidden }) => memberId === BEN.memberId && hidden === true, since);
    }),
  },
  {
    name: "the members that it has named, if it names any, are not told again, and it shows them",
    says: "and is not told again what it knows",
    run: play(async (own) => {
      const { program, stage } = own;
      const cleo = member("Cleo", { state: { tool: "ink" } });
      const line = await start(own, {
        others: [
          [0, BEN],
          [1, cleo],
        ],
      });
      line.cut();
      const next = await stage.welcomed(2);
      const others = [
        [7, member("Dan")],
        [4, BEN],
        [5, cleo],
      ] as const;
      next.say(caughtUp(await next.heard("join"), { others }));
      await program.shows(BOARD, ["Me", "Ben", "Cleo", "Dan"]);
      expectEqual(program.named(BOARD, "Cleo")?.["state"], { tool: "ink" }, "the state of a member that was not told again");
      next.say({ kind: "user_left", board: 7, actor: 4, reason: "left" });
      await program.shows(BOARD, ["Me", "Cleo", "Dan"]);
    }),
  },
  {
    name: "members that are missing while the instance settles stay for graceMs",
    says: "members that were known before and are missing now\nstay `reconnecting` for `graceMs` and are gone only then; otherwise they are gone at once",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, {
        others: [
          [0, BEN],
          [1, member("Cleo")],
        ],
      });
      line.cut();
      await resume(own, 2, { welcome: { graceMs: 1500 }, settling: true, others: [[0, BEN]] });
      await program.until(
        () => program.named(BOARD, "Cleo")?.["status"] === "reconnecting" && program.named(BOARD, "Ben")?.["status"] === "active",
        "Cleo stays as reconnecting, and Ben is back",
      );
      await program.shows(BOARD, ["Me", "Ben"], 3000);
    }),
  },
  {
    name: "a goodbye names the time to wait",
    says: "A `goodbye` before the close names the time to wait instead.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      const from = Date.now();
      line.say({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 900 });
      line.close(CLOSE.draining.code);
      await comesBack(own, line, 2500);
      const ms = (own.stage.askedAt[1] ?? 0) - from;
      expect(ms > 850 && ms < 1500, `it came back after ${ms} ms, and was told 900`);
    }),
  },
  {
    name: "the code of a goodbye counts, however the connection ends",
    says: "Its code is the one that counts, also where the connection then ends with another code or with none.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.say({ kind: "goodbye", code: CLOSE.kicked.code, retryAfterMs: 100 });
      line.cut();
      await own.program.until(() => own.program.last("status", BOARD)?.["status"] === "closed", "the status is closed");
      await pause(AWAY_MS);
      expectEqual(own.stage.lines.length, 1, "connections");
    }),
  },
  {
    name: "refused upgrades are tried again",
    says: "the upgrade may be refused with 503 and `Retry-After`",
    run: play(async (own) => {
      own.stage.refusals = 2;
      own.program.do({ do: "join", board: BOARD, username: "Me", state: {} });
      const line = await own.stage.line(1, 9000);
      await line.heard("hello");
    }),
  },
  {
    name: "after 4409 it starts a new session",
    says: "In both cases start a new session,\nwith a new resumeToken, on a new connection.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.close(CLOSE.superseded.code);
      await startsAnew(own, line);
    }),
  },
  {
    name: "after the error superseded it starts a new session",
    says: "Start a new session with a new resumeToken.",
    run: play(async (own) => {
      own.program.do({ do: "join", board: BOARD, username: "Me", state: {} });
      const line = await own.stage.welcomed(1);
      await line.heard("join");
      line.say({
        kind: "error",
        code: "superseded",
        message: "a newer join has this session",
        ref: BOARD,
      });
      await startsAnew(own, line);
    }),
  },
  {
    name: "hello is first, and its session is 16 bytes of its own",
    says: "It is a `resumeToken`, 16 random bytes of cryptographic quality that the\nclient makes and keeps secret",
    run: play(async (own) => {
      const line = await start(own);
      expectEqual(line.received[0]?.kind, "hello", "the first message");
      const hello = await line.heard("hello");
      expect(hello.resumeToken !== "0".repeat(32), "the resumeToken is 0");
      expectEqual(hello.token, undefined, "the token, as none was given");
    }),
  },
  {
    name: "heartbeats are answered at once, and nothing is asked without need",
    says: "Answer it at once, from the handler of the message",
    run: play(async (own) => {
      const line = await start(own);
      for (let nth = 1; nth <= 3; nth++) {
        const from = Date.now();
        line.say({ kind: "heartbeat" });
        await line.until(() => line.heartbeats === nth, `heartbeat ${nth} is answered`, 1000);
        expect(Date.now() - from < 500, `it took ${Date.now() - from} ms`);
      }
      line.ping();
      await line.until(() => line.pongs === 1, "a WebSocket ping is answered");
      await pause(300);
      expectEqual(line.heartbeats, 3, "heartbeats");
    }),
  },
  {
    name: "the token is said, and a fresh one when it runs out",
    says: "Send [`auth`](#auth) with a fresh one now, from the handler of this message",
    run: play(
      async (own) => {
        const line = await start(own);
        expectEqual((await line.heard("hello")).token, "first", "the token of hello");
        line.say({ kind: "token_expiring", expiresInMs: 60_000 });
        expectEqual((await line.heard("auth")).token, "second", "the token of auth");
      },
      ["first", "second"],
    ),
  },
  {
    name: "after 4401 it tries once more, with a fresh token",
    says: "After 4401 a client that can get a fresh token gets one and tries once more",
    run: play(
      async (own) => {
        own.program.do({ do: "join", board: BOARD, username: "Me", state: {} });
        for (const [nth, token] of [
          [1, "first"],
          [2, "second"],
        ] as const) {
          const line = await own.stage.line(nth);
          expectEqual((await line.heard("hello")).token, token, `the token of connection ${nth}`);
          line.close(CLOSE.unauthorized.code);
        }
        await own.program.until(() => own.program.last("status", BOARD)?.["status"] === "closed", "the status is closed");
        await pause(AWAY_MS);
        expectEqual(own.stage.lines.length, 2, "connections");
      },
      ["first", "second", "third"],
    ),
  },
  {
    name: "a client that ends closes with 1000",
    says: "A client sends 1000\nwhen it leaves on purpose",
    run: play(async (own) => {
      const line = await start(own);
      own.program.finish();
      await line.until(() => line.endedWith !== undefined, "the connection is closed");
      expectEqual(line.endedWith, 1000, "the close code");
    }),
  },
];

async function comesBack({ stage }: Play, line: Line, withinMs: number): Promise<Line> {
  const from = Date.now();
  const again = await stage.line(2, withinMs);
  const [before, now] = [await line.heard("hello"), await again.heard("hello")];
  expectEqual(now.resumeToken, before.resumeToken, "the resumeToken");
  expect(Date.now() - from < withinMs + 500, `it came back after ${Date.now() - from} ms`);
  again.say({ kind: "heartbeat" });
  return stage.welcomed(2);
}

async function startsAnew({ stage, program }: Play, line: Line): Promise<void> {
  const again = await stage.welcomed(2);
  const [before, now] = [await line.heard("hello"), await again.heard("hello")];
  expect(now.resumeToken !== undefined && now.resumeToken !== before.resumeToken, "the new connection has the old resumeToken");
  again.say(joined(await again.heard("join"), WITH_BEN));
  await program.shows(BOARD, ["Me", "Ben"]);
}
