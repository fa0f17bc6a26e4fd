/** Cases about a server: what it makes of bad, unknown, late and too many messages. */

import { readFileSync } from "node:fs";
import { type BoardId, type ClientMessage, encodeBinary } from "@presence-service/protocol";
import { type Case, expect, expectEqual } from "../cases.ts";
import { Stopwatch } from "../stopwatch.ts";
import type { Guest, Scene } from "./scene.ts";

type InvalidVector = {
  readonly why: string;
  readonly encoding: string;
  readonly direction: string;
  readonly hex?: string;
  readonly text?: string;
};

const INVALID = JSON.parse(
  readFileSync(new URL("../../../protocol/vectors/invalid.json", import.meta.url), "utf8"),
) as readonly InvalidVector[];

export const INPUT_CASES: readonly Case<Scene>[] = [
  {
    name: "what cannot be decoded is answered, has no effect, and nobody else notices",
    says: "A message that cannot be decoded is counted and answered by the error [`bad_message`](#bad_message)",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      const since = ana.received.length;
      const meant = INVALID.filter(({ encoding, direction }) => encoding === scene.encoding && direction !== "server to client");
      let speaker = ben;
      for (const [nth, { why, hex, text }] of meant.entries()) {
        // After 30 such messages a client is answered one a second.
        if (nth > 0 && nth % 25 === 0) speaker = await scene.guest();
        const before = speaker.received.length;
        speaker.raw(text ?? new Uint8Array(Buffer.from(hex ?? "", "hex")));
        const { code } = await speaker.heard("error", undefined, undefined, before);
        // A message that only a server sends is of no kind that a client's could be.
        expect(code === "bad_message" || code === "unknown_message", `${why} got the error ${code}`);
      }
      await ana.settled();
      expectEqual(ana.told(since), [], "what Ana noticed");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "an error about a known message names the field",
    says: "If the message is of a known kind, the error names the field that is wrong and its limit.",
    async run(scene) {
      const ana = await scene.member("Ana");
      const long: ClientMessage = { kind: "broadcast", board: scene.board, name: "n".repeat(65), data: 1 };
      ana.say(long);
      const { message, ref } = await ana.heard("error", ({ code }) => code === "bad_message");
      expect(/\bname\b/.test(message), `it says: ${message}`);
      expectEqual(ref, scene.board, "ref");
      ana.close(1000);
    },
  },
  {
    name: "what is above a limit is refused",
    says: "The decoder refuses whatever is larger: a client's message then gets [`bad_message`](#bad_message).",
    async run(scene) {
      const ana = await scene.member("Ana");
      const { board } = scene;
      const base = { kind: "join", boardId: board, attempt: 90, username: "Ana", status: "active", state: {} } as const;
      let deep = {};
      for (let level = 0; level < 33; level++) deep = { a: deep };
      const tooLarge: ClientMessage[] = [
        { ...base, boardId: "b".repeat(129) as BoardId },
        { ...base, boardId: "a board" as BoardId },
        { ...base, username: "n".repeat(257) },
        { ...base, state: { a: "x".repeat(4096) } },
        { ...base, state: deep },
        { kind: "broadcast", board, name: "a", data: "x".repeat(4096) },
      ];
      for (const message of tooLarge) {
        const since = ana.received.length;
        ana.say(message);
        await ana.heard("error", ({ code }) => code === "bad_message", undefined, since);
      }
      await ana.settled();
      ana.close(1000);
    },
  },
  {
    name: "a message above 16 KiB closes the connection",
    says: "more closes the connection with 1009",
    async run(scene) {
      const ana = await scene.guest();
      ana.raw(scene.encoding === "presence.v2" ? new Uint8Array(16_385).fill(8) : `{"kind":"auth","token":"${"x".repeat(16_400)}"}`);
      await ana.closed(1009);
    },
  },
  {
    name: "a client that sends no messages at all, again and again, is closed",
    says: "A client that goes on sending what is no message at all is closed with 4411",
    async run(scene) {
      const ana = await scene.member("Ana");
      for (let nth = 0; nth < 60; nth++) ana.raw(scene.encoding === "presence.v2" ? Uint8Array.of(0) : "garbage");
      await ana.closed(4411);
    },
  },
  {
    name: "a text where bytes are spoken is garbage, and the other way round",
    says: "a text where bytes are spoken or the other way round",
    async run(scene) {
      const ana = await scene.guest();
      ana.raw(scene.encoding === "presence.v2" ? '{"kind":"heartbeat"}' : Uint8Array.of(8));
      await ana.heard("error", ({ code }) => code === "bad_message");
      expectEqual(ana.all("heartbeat").length, 0, "heartbeats");
      ana.close(1000);
    },
  },
  {
    name: "a message of a later release is answered by unknown_message, and is no abuse",
    says: "A message of a kind that the service does not know is answered by [`unknown_message`](#unknown_message)",
    async run(scene) {
      const ana = await scene.member("Ana");
      const later = scene.encoding === "presence.v2" ? Uint8Array.of(0x3f, 1, 2, 3) : '{"kind":"kit-later","deep":{"list":[1]}}';
      for (let nth = 0; nth < 60; nth++) ana.raw(later);
      const { ref } = await ana.heard("error", ({ code }) => code === "unknown_message");
      if (scene.encoding === "presence.v2.json") expectEqual(ref, "kit-later", "ref");
      await ana.settled();
      expect(ana.ended === undefined, "the connection was closed");
      ana.close(1000);
    },
  },
  {
    name: "fields of a later release are skipped in every message",
    says: "A reader skips a key that it does not know.",
    async run(scene) {
      const ana = await scene.member("Ana");
      const ben = await scene.stranger();
      const { board } = scene;
      const { token } = scene.host;
      ben.sayLater({ kind: "hello", resumeToken: ben.session.resumeToken, ...(token !== undefined && { token }) });
      await ben.heard("welcome");
      ben.sayLater({ kind: "join", boardId: board, attempt: 1, username: "Ben", status: "idle", state: { tool: "pen" } });
      await ben.heard("joined");
      const { member } = await ana.heard("user_joined");
      expectEqual([member.status, member.state], ["idle", { tool: "pen" }], "status and state");
      ben.sayLater({ kind: "cursor", board, at: { x: 7, y: 70_000 } });
      await ana.heard("cursors", ({ moves }) => moves.some(({ at }) => at?.x === 7 && at.y === 70_000));
      ben.sayLater({ kind: "cursor", board, at: null });
      await ana.heard("cursors", ({ moves }) => moves.some(({ at }) => at === null));
      ben.sayLater({ kind: "update", board, status: "active", state: { tool: null } });
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "active");
      ben.sayLater({ kind: "broadcast", board, name: "reaction", data: 1 });
      await ana.heard("event", ({ name }) => name === "reaction");
      if (token !== undefined) ben.sayLater({ kind: "auth", token });
      ben.sayLater({ kind: "heartbeat" });
      await ben.heard("heartbeat");
      ben.sayLater({ kind: "leave", board });
      await ana.heard("user_left", ({ reason }) => reason === "left");
      expectEqual(ben.all("error"), [], "errors");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "an unknown status means active",
    says: "| status | `active` |",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      ben.say({ kind: "update", board: scene.board, status: "idle" });
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "idle");
      const since = ana.received.length;
      if (scene.encoding === "presence.v2.json") ben.raw(`{"kind":"update","board":"${scene.board}","status":"away"}`);
      else ben.raw(withLastByte(ben, scene, 99));
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "active", undefined, since);
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "the status reconnecting is not a client's to give",
    says: "`active` or `idle`; `reconnecting` is refused",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      if (scene.encoding === "presence.v2.json") ben.raw(`{"kind":"update","board":"${scene.board}","status":"reconnecting"}`);
      else ben.raw(withLastByte(ben, scene, 2));
      await ben.heard("error", ({ code }) => code === "bad_message");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "a message about a board one is not on is no abuse",
    says: "The message names a board that this connection is not on.",
    async run(scene) {
      const ana = await scene.guest();
      const board = scene.encoding === "presence.v2" ? 4_000_000_000 : ("kit-nowhere" as BoardId);
      for (let nth = 0; nth < 60; nth++) ana.say({ kind: "broadcast", board, name: "a", data: 1 });
      await ana.heard("error", ({ code }) => code === "not_joined");
      await ana.settled();
      expect(ana.ended === undefined, "the connection was closed");
      ana.close(1000);
    },
  },
  {
    name: "a name with control characters or marks of direction is refused",
    says: "The name holds a control character (Unicode category Cc)",
    async run(scene) {
      const ana = await scene.guest();
      for (const mark of ["\u0007", "\u2028", "\u202e", "\u061c"]) {
        const since = ana.received.length;
        ana.say({ kind: "join", boardId: scene.board, attempt: ++ana.session.attempt, username: `A${mark}`, status: "active", state: {} });
        await ana.heard("error", ({ code, ref }) => code === "bad_username" && ref === scene.board, undefined, since);
      }
      expectEqual(ana.all("joined").length, 0, "rosters");
      ana.close(1000);
    },
  },
  {
    name: "too many broadcasts are refused, and nothing else is lost",
    says: "Above 50 joins, 50 updates or 50 broadcasts a second (200 at once; each kind for itself, per connection), a message gets [`too_fast`](#too_fast).",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      const from = Date.now();
      for (let nth = 0; nth < 300; nth++) ben.say({ kind: "broadcast", board: scene.board, name: "a", data: nth });
      await ben.heard("error", ({ code, ref }) => code === "too_fast" && ref === scene.board);
      ben.say({ kind: "update", board: scene.board, status: "idle" });
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "idle");
      const events = ana.all("event").length;
      const fair = 200 + ((Date.now() - from) / 1000) * 50;
      expect(events >= 200 && events <= fair + 2, `${events} events of 300 came`);
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "questions above one a second get no answer",
    says: "Questions above one a second (five at once) get no answer.",
    async run(scene) {
      const ana = await scene.guest();
      const watch = new Stopwatch();
      for (let nth = 0; nth < 20; nth++) ana.say({ kind: "heartbeat" });
      ana.say({
        kind: "broadcast",
        board: scene.encoding === "presence.v2" ? 4_000_000_000 : ("kit-nowhere" as BoardId),
        name: "a",
        data: 1,
      });
      await ana.heard("error");
      const answers = ana.all("heartbeat").length;
      const fair = 6 + watch.ms / 1000;
      expect(answers >= 1 && answers <= fair, `${answers} answers to 20 questions within ${Math.round(watch.ms)} ms`);
      ana.close(1000);
    },
  },
];

/** An update of the status alone ends with the number of the status. */
function withLastByte(guest: Guest, { board }: Scene, status: number): Uint8Array<ArrayBuffer> {
  const bytes = encodeBinary({ kind: "update", board: guest.numberOf(board), status: "idle" });
  bytes[bytes.length - 1] = status;
  return bytes;
}
