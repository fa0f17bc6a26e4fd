/** Cases about a client: what it shows of a board, and what it says there. */

import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { type Bytes, CLOSE, encodeBinary, PACKED, type ServerMessage } from "@presence-service/protocol";
import { expect, expectEqual } from "../cases.ts";
import { Stopwatch } from "../stopwatch.ts";
import { pause } from "../waiting.ts";
import { BOARD, type ClientCase, type Play, play, start } from "./play.ts";
import { joined, type Line, ME, member, welcome } from "./stage.ts";

type InvalidVector = { readonly encoding: string; readonly direction: string; readonly hex?: string; readonly text?: string };

const INVALID = JSON.parse(
  readFileSync(new URL("../../../protocol/vectors/invalid.json", import.meta.url), "utf8"),
) as readonly InvalidVector[];

const board = 7;
const BEN = member("Ben", { state: { tool: "pen" }, avatar: "https://example.com/b.png" });
const WITH_BEN = { others: [[0, BEN]] } as const;
const CLEO = member("Cleo 🎉", { status: "idle" });

export const CLIENT_BOARD_CASES: readonly ClientCase[] = [
  {
    name: "it shows the roster of joined, oneself included",
    says: "the whole board, oneself included",
    run: play(async (own) => {
      await start(own, { ...WITH_BEN, state: { tool: "ink" } });
      const { program } = own;
      const { avatar, color, userId, status, state } = program.named(BOARD, "Ben") ?? {};
      expectEqual([avatar, color, userId, status, state], [BEN.avatar, BEN.color, BEN.userId, "active", BEN.state], "Ben");
      expectEqual(program.named(BOARD, "Me")?.["memberId"], ME, "one's own memberId");
      expectEqual([program.last("roster", BOARD)?.["count"], program.last("roster", BOARD)?.["users"]], [2, 2], "the counts");
    }),
  },
  {
    name: "a crowd changes its status in one message",
    says: "One's own actor may be among them, and means nothing.",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, {
        others: [
          [0, BEN],
          [200, CLEO],
        ],
      });
      const statuses = () => ["Me", "Ben", CLEO.username].map((name) => program.named(BOARD, name)?.["status"]);
      const shows = (...wanted: string[]) => program.until(() => String(statuses()) === String(wanted), `the statuses are ${wanted}`);
      const away = { status: "reconnecting", activeAt: 1_760_000_300_000, afterMs: [0, 10, 1500] } as const;
      line.say({ kind: "statuses", board, actors: [0, 3, 200], ...away });
      await shows("active", "reconnecting", "reconnecting");
      line.say({ kind: "statuses", board, status: "active", actors: [77, 200, 0] });
      await shows("active", "active", "active");
      expectEqual(line.endedWith, undefined, "the end of the connection");
    }),
  },
  {
    name: "the roster follows who comes, changes and leaves",
    says: "Somebody is here who was not.",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, WITH_BEN);
      line.say({ kind: "user_joined", board, actor: 200, member: CLEO });
      line.say({ kind: "presence_update", board, members: 300, users: 2 });
      await program.until(() => program.last("roster", BOARD)?.["count"] === 300, "the counts are shown");
      await program.shows(BOARD, ["Me", "Ben", "Cleo 🎉"]);
      line.say({
        kind: "user_updated",
        board,
        actor: 0,
        patch: { status: "idle", username: "Benno", state: { tool: null, size: { w: 1 } } },
      });
      await program.until(() => program.named(BOARD, "Benno"), "Ben is called Benno");
      const { status, state } = program.named(BOARD, "Benno") ?? {};
      expectEqual([status, state], ["idle", { size: { w: 1 } }], "status and state");
      for (const [actor, reason] of [
        [0, "timeout"],
        [200, "kicked"],
      ] as const) {
        line.say({ kind: "user_left", board, actor, reason });
        await program.sees("left", (left) => left["reason"] === reason);
      }
      await program.shows(BOARD, ["Me"]);
    }),
  },
  {
    name: "a further joined replaces the roster, unasked",
    says: "It also comes unasked, to a client that was too slow for the changes.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.say(joined(await line.heard("join"), { self: 9, others: [[3, CLEO]] }));
      await own.program.shows(BOARD, ["Me", "Cleo 🎉"]);
      line.say({ kind: "event", board, actor: 3, name: "reaction", data: 1 });
      await own.program.sees("event", (event) => event["memberId"] === CLEO.memberId);
    }),
  },
  {
    name: "a roster of several hundred comes whole",
    says: "One WebSocket message holds one protocol message, in either direction.",
    run: play(async (own) => {
      const others = Array.from({ length: 300 }, (_, nth) => [nth + 10, member(`P${nth}`, { state: { text: "x".repeat(300) } })] as const);
      await start(own, { others });
    }),
  },
  {
    name: "cursors are shown narrow, wide and hidden",
    says: "The latest places of all who moved since the last `cursors`.",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, {
        others: [
          [0, BEN],
          [200, CLEO, { x: 9, y: 8 }],
        ],
      });
      await program.sees("cursor", ({ memberId, x, y }) => memberId === CLEO.memberId && x === 9 && y === 8);
      const places = [
        { x: 500, y: 65_535 },
        { x: -1, y: 70_000 },
        { x: 2_147_483_647, y: -2_147_483_647 },
      ];
      for (const at of places) {
        line.say({
          kind: "cursors",
          board,
          stamp: 51_966,
          moves: [
            { actor: 200, at },
            { actor: 0, at },
          ],
        });
        for (const { memberId } of [BEN, CLEO])
          await program.sees("cursor", (seen) => seen["memberId"] === memberId && seen["x"] === at.x && seen["y"] === at.y);
      }
      line.say({ kind: "cursors", board, stamp: 1, moves: [{ actor: 0, at: null }] });
      await program.sees("cursor", ({ memberId, hidden }) => memberId === BEN.memberId && hidden === true);
    }),
  },
  {
    name: "a place that comes with a path is shown in the end, and so is the next one without",
    says: "A client that does not know paths has the last place of each.",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, { others: [[0, BEN]] });
      const earlier = [
        { ms: 200, dx: -500, dy: 0 },
        { ms: 3, dx: 7, dy: 70_000 },
      ];
      for (const stamp of [65_500, 9]) {
        const at = { x: 1000 + stamp, y: 5 };
        line.say({ kind: "cursors", board, stamp: 1, moves: [{ actor: 0, at }], paths: [{ actor: 0, stamp, earlier }] });
        await program.sees("cursor", (seen) => seen["memberId"] === BEN.memberId && seen["x"] === at.x && seen["y"] === at.y);
      }
      line.say({ kind: "cursors", board, stamp: 9, moves: [{ actor: 0, at: { x: 2, y: 2 } }] });
      await program.sees("cursor", (seen) => seen["memberId"] === BEN.memberId && seen["x"] === 2);
    }),
  },
  {
    name: "a cursor in another area than the client's is not shown, whatever message brings it",
    says: "it shows a member's cursor only while it looks at that member's area, whatever message brought the place",
    run: play(async (own) => {
      const { program } = own;
      const at = { x: 9, y: 8 };
      const away = { ...BEN, area: "slide-3" };
      const line = await start(own, {
        others: [
          [0, away, at],
          [200, CLEO, at],
        ],
      });
      const cursors = (x: number) =>
        line.say({ kind: "cursors", board, stamp: 1, moves: [0, 200].map((actor) => ({ actor, at: { x, y: 0 } })) });
      await program.sees("cursor", ({ memberId, x }) => memberId === CLEO.memberId && x === 9);
      cursors(1);
      await program.sees("cursor", ({ memberId, x }) => memberId === CLEO.memberId && x === 1);
      expectEqual(program.all("cursor").filter(({ memberId }) => memberId === BEN.memberId).length, 0, "cursors of Ben, who is elsewhere");
      line.say({ kind: "user_updated", board, actor: 0, patch: { area: null } });
      cursors(2);
      await program.sees("cursor", ({ memberId, x }) => memberId === BEN.memberId && x === 2);
      line.say({ kind: "user_updated", board, actor: 0, patch: { area: "slide-4" } });
      await program.sees("cursor", ({ memberId, hidden }) => memberId === BEN.memberId && hidden === true);
    }),
  },
  {
    name: "one's own cursor among the others is ignored",
    says: "One frame for everybody, so one's own may be among them: ignore it.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.say({
        kind: "cursors",
        board,
        stamp: 1,
        moves: [
          { actor: 3, at: { x: 1, y: 1 } },
          { actor: 0, at: { x: 2, y: 2 } },
        ],
      });
      await own.program.sees("cursor", ({ memberId }) => memberId === BEN.memberId);
      expectEqual(own.program.all("cursor").filter(({ memberId }) => memberId === ME).length, 0, "own cursors");
    }),
  },
  {
    name: "messages about actors and boards that it does not know are ignored",
    says: "A client ignores messages about actors or boards it does not know: they were under way when it left.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.say({ kind: "event", board, actor: 77, name: "reaction", data: 0 });
      line.say({ kind: "user_updated", board, actor: 77, patch: { status: "idle" } });
      line.say({ kind: "user_left", board, actor: 77, reason: "left" });
      line.say({ kind: "cursors", board, stamp: 1, moves: [{ actor: 77, at: { x: 1, y: 1 } }] });
      line.say({ kind: "user_joined", board: 99, actor: 1, member: CLEO });
      line.say({ kind: "presence_update", board: 99, members: 5, users: 5 });
      await works(own, line);
      await own.program.shows(BOARD, ["Me", "Ben"]);
    }),
  },
  {
    name: "it moves and hides its cursor",
    says: "My pointer is at a place, or hidden.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      for (const at of [
        { x: 500, y: 65_535 },
        { x: -1, y: 70_000 },
      ]) {
        own.program.do({ do: "move", board: BOARD, ...at });
        await line.heard("cursor", (cursor) => cursor.board === BOARD && cursor.at?.x === at.x && cursor.at.y === at.y);
      }
      own.program.do({ do: "hide", board: BOARD });
      await line.heard("cursor", ({ at }) => at === null);
    }),
  },
  {
    name: "it keeps to the pace, and the last place comes",
    says: "Send `cursor` at most every `cursorMs` (of `welcome`, later of `pace`).",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      line.say({ kind: "pace", cursorMs: 400 });
      await works(own, line);
      const since = line.received.length;
      const watch = new Stopwatch();
      for (let x = 1; x <= 12; x++) {
        own.program.do({ do: "move", board: BOARD, x, y: x });
        await pause(40);
      }
      await line.heard("cursor", ({ at }) => at?.x === 12, undefined, since);
      const count = line.all("cursor", since).length;
      const ms = watch.ms;
      expect(count <= 3 + ms / 400, `it sent ${count} cursors in ${Math.round(ms)} ms, at a pace of 400 ms`);
    }),
  },
  {
    name: "alone it sends no cursor, and the current one when somebody comes",
    says: "While alone on a board send nothing, and the current place when the first other appears.",
    run: play(async (own) => {
      const line = await start(own);
      own.program.do({ do: "move", board: BOARD, x: 5, y: 6 });
      await pause(300);
      expectEqual(line.all("cursor").length, 0, "cursors while alone");
      line.say({ kind: "user_joined", board, actor: 0, member: BEN });
      await line.heard("cursor", ({ at }) => at?.x === 5 && at.y === 6);
    }),
  },
  {
    name: "it updates its status and state",
    says: "Change one's status, state, area, or several of them.",
    run: play(async (own) => {
      const line = await start(own, { ...WITH_BEN, state: { tool: "pen" } });
      own.program.do({ do: "update", board: BOARD, status: "idle", state: { tool: null, size: 2 } });
      const told = () => Object.assign({}, ...line.all("update").map(({ state }) => state));
      await line.until(() => line.all("update").some(({ status }) => status === "idle") && "tool" in told(), "the update comes");
      expectEqual([told().tool, told().size], [null, 2], "the patch");
      await own.program.until(() => own.program.named(BOARD, "Me")?.["status"] === "idle", "it shows its own new status");
      expectEqual(own.program.named(BOARD, "Me")?.["state"], { size: 2 }, "its own state as shown");
    }),
  },
  {
    name: "what changes before joined has come is said after it",
    says: "nothing can be said about a board before `joined` has come; what changes meanwhile is said after it",
    run: play(async (own) => {
      own.program.do({ do: "join", board: BOARD, username: "Me", state: { tool: "pen" } });
      const line = await own.stage.welcomed(1);
      const join = await line.heard("join");
      own.program.do({ do: "update", board: BOARD, state: { tool: "ink" } });
      await pause(300);
      line.say(joined(join, WITH_BEN));
      await line.until(
        () => line.received.some((message) => "state" in message && message.state?.["tool"] === "ink"),
        "the client says the new state",
      );
    }),
  },
  {
    name: "it broadcasts, and shows the events of others",
    says: "Tell everybody else",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      own.program.do({ do: "broadcast", board: BOARD, name: "reaction", data: { emoji: "🎉", list: [1, null] } });
      const { name, data } = await line.heard("broadcast");
      expectEqual([name, data], ["reaction", { emoji: "🎉", list: [1, null] }], "the broadcast");
      line.say({ kind: "event", board, actor: 0, name: "reaction", data: { emoji: "🎉" } });
      const event = await own.program.sees("event");
      expectEqual([event["memberId"], event["name"], event["data"]], [BEN.memberId, "reaction", { emoji: "🎉" }], "the event");
      line.say({ kind: "announcement", text: "Back at noon" });
      line.say({ kind: "announcement", text: "Only here", board });
      for (const text of ["Back at noon", "Only here"]) await own.program.sees("announcement", (seen) => seen["text"] === text);
    }),
  },
  {
    name: "it leaves a board, and ignores what was under way",
    says: "Leave a board for good: no grace, and no answer.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      own.program.do({ do: "leave", board: BOARD });
      expectEqual((await line.heard("leave")).board, BOARD, "the board");
      line.say({ kind: "event", board, actor: 0, name: "reaction", data: 1 });
      line.say({ kind: "presence_update", board, members: 2, users: 2 });
      await pause(200);
      expectEqual(own.program.all("event").length, 0, "events after leaving");
    }),
  },
  {
    name: "a client put off a board stays on the others, and does not come back by itself",
    says: "the connection goes on. A client does not join again by itself",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      own.program.do({ do: "join", board: "doc-43", username: "Me", state: {} });
      const second = await line.heard("join", ({ boardId }) => boardId === "doc-43");
      line.say(joined(second, { number: 8, others: [[0, BEN]] }));
      await own.program.shows("doc-43", ["Me", "Ben"]);
      const since = line.received.length;
      line.say({ kind: "user_left", board, actor: 3, reason: "kicked" });
      await own.program.sees("status", (seen) => seen.board === BOARD && seen["status"] === "closed");
      line.say({ kind: "event", board: 8, actor: 0, name: "reaction", data: 1 });
      await own.program.sees("event", (event) => event.board === "doc-43");
      await pause(1200);
      expectEqual([line.all("join", since).length, line.endedWith], [0, undefined], "joins after it, and the end of the connection");
    }),
  },
  {
    name: "bad_board takes it off the board, and off no other",
    says: "Only `bad_board` takes a client off the board. After any other error it is on the board if it was on it before.",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      for (const code of ["bad_message", "not_joined", "unknown_message"] as const)
        line.say({ kind: "error", code, message: "kit", ref: BOARD });
      await own.program.sees("error", ({ code }) => code === "bad_message");
      own.program.do({ do: "join", board: "secret", username: "Me", state: {} });
      await line.heard("join", ({ boardId }) => boardId === "secret");
      const since = line.received.length;
      line.say({ kind: "error", code: "bad_board", message: "no such board for this user", ref: "secret" });
      await own.program.sees("status", (seen) => seen.board === "secret" && seen["status"] === "closed");
      await works(own, line);
      await pause(1200);
      expectEqual([line.all("join", since).length, line.endedWith], [0, undefined], "joins after it, and the end of the connection");
      expect(own.program.last("status", BOARD)?.["status"] === "connected", "the other board is not connected");
    }),
  },
  {
    name: "a join that nobody could decide on is sent again, after a pause and with a higher attempt",
    says: "`join` again, after a pause that grows",
    run: play(async (own) => {
      own.program.do({ do: "join", board: BOARD, username: "Me", state: {} });
      const line = await own.stage.welcomed(1);
      const { attempt } = await line.heard("join");
      const from = Date.now();
      line.say({ kind: "error", code: "unavailable", message: "try again", ref: BOARD });
      const again = await line.heard("join", (join) => join.attempt > attempt);
      expect(Date.now() - from > 300, `it was sent again after ${Date.now() - from} ms`);
      line.say(joined(again));
      await own.program.shows(BOARD, ["Me"]);
    }),
  },
  {
    name: "degraded is shown, of all boards and of one",
    says: "a client is degraded on a board while the last\n`degraded` without a board, or the last one of this board, says `on`",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      const shows = async (status: string, message: ServerMessage) => {
        line.say(message);
        await own.program.until(() => own.program.last("status", BOARD)?.["status"] === status, `the status is ${status}`);
      };
      await shows("degraded", { kind: "degraded", on: true });
      await shows("connected", { kind: "degraded", on: false });
      await shows("degraded", { kind: "degraded", on: true, board });
      line.say({ kind: "degraded", on: true });
      line.say({ kind: "degraded", on: false });
      await works(own, line);
      expectEqual(own.program.last("status", BOARD)?.["status"], "degraded", "the status, as the board still is");
      await shows("connected", { kind: "degraded", on: false, board });
    }),
  },
  {
    name: "a packed roster is read in its place, by a client that says packs",
    says: "Unpack a message before you read the next one.",
    run: play(async (own) => {
      const { program, stage } = own;
      program.do({ do: "join", board: BOARD, username: "Me", state: {} });
      const line = await stage.line(1);
      const { packs, resumeToken } = await line.heard("hello");
      line.say(welcome(resumeToken === undefined ? {} : { resumeToken }));
      const whole = joined(await line.heard("join"), WITH_BEN);
      // A client that does not say so is never sent one.
      if (!packs || !line.isBinary) return line.say(whole);
      line.say({ ...whole, roster: whole.roster.filter(({ actor }) => actor === whole.self), following: whole.roster.length });
      const roster = encodeBinary({ kind: "roster", board, roster: whole.roster });
      line.raw(Uint8Array.of(PACKED, ...deflateRawSync(roster)));
      line.say({ kind: "user_joined", board, actor: 200, member: CLEO });
      await program.shows(BOARD, ["Me", "Ben", CLEO.username]);
    }),
  },
  {
    name: "fields and messages of a later release are skipped",
    says: "A client that does not know a message of the service ignores it.",
    run: play(async (own) => {
      const { program, stage } = own;
      program.do({ do: "join", board: BOARD, username: "Me", state: {} });
      const line = await stage.line(1);
      const unknown = line.isBinary ? Uint8Array.of(0xfe, 1, 0xff, 0) : '{"kind":"kit-later","board":"doc-42","members":[1,2]}';
      const later = (message: ServerMessage) => {
        line.raw(unknown);
        line.sayLater(message);
      };
      const { resumeToken } = await line.heard("hello");
      const welcome = { memberId: ME, instanceId: "3f1c9d2e-7a54-4c1b-9e0d-5b6a7c8d9e0f", heartbeatMs: 10_000, graceMs: 15_000 } as const;
      later({ kind: "welcome", ...welcome, cursorMs: 16, stateBytesMax: 4096, resumeToken: resumeToken ?? ("00".repeat(16) as never) });
      later(joined(await line.heard("join"), { others: [[0, BEN, { x: 4, y: 4 }]] }));
      await program.shows(BOARD, ["Me", "Ben"]);
      await program.sees("cursor", ({ x }) => x === 4);
      later({ kind: "pace", cursorMs: 20 });
      later({ kind: "heartbeat" });
      await line.until(() => line.heartbeats === 1, "the heartbeat is answered");
      later({ kind: "user_joined", board, actor: 200, member: CLEO });
      later({ kind: "user_updated", board, actor: 0, patch: { status: "idle", state: { tool: null } } });
      later({
        kind: "cursors",
        board,
        stamp: 9,
        moves: [
          { actor: 200, at: { x: 500, y: -70_000 } },
          { actor: 0, at: null },
        ],
      });
      await program.sees("cursor", ({ memberId, y }) => memberId === CLEO.memberId && y === -70_000);
      later({ kind: "presence_update", board, members: 9, users: 8 });
      later({ kind: "event", board, actor: 0, name: "reaction", data: 1 });
      later({ kind: "announcement", text: "Back at noon" });
      later({ kind: "occupancy", boards: [{ board: BOARD, members: 9, users: 8 }] });
      later({ kind: "degraded", on: true, board });
      later({ kind: "degraded", on: false, board });
      later({ kind: "error", code: "too_fast", message: "slow down" });
      later({ kind: "user_left", board, actor: 200, reason: "timeout" });
      await program.shows(BOARD, ["Me", "Ben"]);
      for (const see of ["event", "announcement", "error", "left"]) await program.sees(see);
      await program.until(() => program.last("status", BOARD)?.["status"] === "connected", "the status is connected");
      later({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs: 300 });
      line.close(CLOSE.draining.code);
      await stage.line(2);
    }),
  },
  {
    name: "values of a later release mean the mildest thing",
    says: "A number, or in JSON a text, that the reader does not know has a meaning all the same",
    run: play(async (own) => {
      const line = await start(own, {
        others: [
          [0, BEN],
          [1, { ...CLEO, status: "idle" }],
        ],
      });
      line.say({ kind: "user_updated", board, actor: 1, patch: { status: "away" } });
      await own.program.until(
        () => own.program.named(BOARD, CLEO.username)?.["status"] === "active",
        "an unknown status is shown as active",
      );
      line.raw(line.isBinary ? Uint8Array.of(0x45, board, 0, 99) : '{"kind":"user_left","board":"doc-42","actor":0,"reason":"moved"}');
      await own.program.sees("left", ({ memberId, reason }) => memberId === BEN.memberId && reason === "left");
      line.raw(line.isBinary ? Uint8Array.of(0x4c, 200, 2, 0x68, 0x69) : '{"kind":"error","code":"kit_later","message":"hi"}');
      await own.program.sees("error", ({ message }) => message === "hi");
      await own.program.shows(BOARD, ["Me", CLEO.username]);
      expectEqual(line.endedWith, undefined, "the end of the connection");
    }),
  },
  {
    name: "what it cannot decode is ignored",
    says: "A client ignores messages it cannot decode, as they may be newer than it is",
    run: play(async (own) => {
      const line = await start(own, WITH_BEN);
      const encoding = line.isBinary ? "presence.v2" : "presence.v2.json";
      for (const vector of INVALID.filter((one) => one.encoding === encoding && one.direction !== "client to server")) {
        line.raw(vector.text ?? (new Uint8Array(Buffer.from(vector.hex ?? "", "hex")) as Bytes));
      }
      // Some of these are wrong only in a field that this client need not know, and so skips: its roster may be another one now.
      line.say(joined(await line.heard("join"), WITH_BEN));
      await works(own, line);
    }),
  },
];

/** The client goes on: it still shows an event. */
async function works({ program }: Play, line: Line): Promise<void> {
  const since = program.seen.length;
  line.say({ kind: "event", board, actor: 0, name: "still", data: since });
  await program.sees("event", ({ data }) => data === since, since);
}
