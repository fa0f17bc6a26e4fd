/** Cases about a server: the eight messages of classic clients. */

import { type BoardId, encodeClassic } from "@presence-service/protocol";
import { type Case, expect, expectEqual } from "../cases.ts";
import { type Host, newClassicBoard, Scene } from "./scene.ts";
import { ClassicVisitor } from "./visitor.ts";

const cases: readonly Case<Host>[] = [
  {
    name: "after Join: one UserJoined for each other member, then PresenceUpdate",
    says: "After Join: one UserJoined per other member, then PresenceUpdate. A repeated Join is ignored.",
    async run({ url }) {
      const board = newClassicBoard();
      const ana = await visit(url);
      ana.say({ kind: "join", board, username: "Ana" });
      expectEqual((await ana.heard("presence_update")).count, 1, "the count");
      const ben = await visit(url);
      ben.say({ kind: "join", board, username: "Ben" });
      await ben.heard("presence_update", ({ count }) => count === 2);
      expectEqual(
        ben.received.map(({ kind }) => kind),
        ["user_joined", "presence_update"],
        "messages",
      );
      expectEqual((await ben.heard("user_joined")).username, "Ana", "the name");
      expectEqual((await ana.heard("user_joined")).username, "Ben", "the name");
      await ana.settled();
      const since = ana.received.length;
      ben.say({ kind: "join", board, username: "Ben" });
      await ben.settled();
      await ana.settled();
      expectEqual(
        ana.received.slice(since).filter(({ kind }) => kind !== "heartbeat"),
        [],
        "messages after a repeated Join",
      );
      for (const visitor of [ana, ben]) visitor.close();
    },
  },
  {
    name: "a user's byte is the lowest that is free, reused at once",
    says: "this instance's number for that person on that board, lowest free first, reused at once after UserLeft",
    async run({ url }) {
      const board = newClassicBoard();
      const ana = await visit(url);
      ana.say({ kind: "join", board, username: "Ana" });
      await ana.heard("presence_update");
      const users: number[] = [];
      for (const name of ["Ben", "Cleo"]) {
        const since = ana.received.length;
        const other = await visit(url);
        other.say({ kind: "join", board, username: name });
        users.push((await ana.heard("user_joined", ({ username }) => username === name, since)).user);
        other.say({ kind: "leave", board });
        expectEqual((await ana.heard("user_left", undefined, since)).user, users.at(-1), "who left");
        other.close();
      }
      expectEqual(users, [1, 1], "the bytes");
      ana.close();
    },
  },
  {
    name: "cursors reach the others, and not the mover",
    says: "The mover never gets its own cursor.",
    async run({ url }) {
      const board = newClassicBoard();
      const [ana, ben] = [await visit(url), await visit(url)];
      ana.say({ kind: "join", board, username: "Ana" });
      await ana.heard("presence_update");
      ben.say({ kind: "join", board, username: "Ben" });
      const { user } = await ana.heard("user_joined");
      ben.say({ kind: "cursor_update", board, x: 500, y: 65_535 });
      expectEqual(await ana.heard("cursor_broadcast"), { kind: "cursor_broadcast", board, user, x: 500, y: 65_535 }, "the cursor");
      await ben.settled();
      expect(!ben.received.some(({ kind }) => kind === "cursor_broadcast"), "the mover got its own cursor");
      for (const visitor of [ana, ben]) visitor.close();
    },
  },
  {
    name: "a Heartbeat is answered by one",
    says: "0x08 is answered by 0x08, up to one a second (five at once).",
    async run({ url }) {
      const ana = await visit(url);
      ana.say({ kind: "heartbeat" });
      await ana.heard("heartbeat");
      ana.close();
    },
  },
  {
    name: "wrong lengths and unknown types are ignored, and the connection kept",
    says: "A wrong length or an unknown type is ignored and counted, and the connection kept.",
    async run({ url }) {
      const ana = await visit(url);
      for (let nth = 0; nth < 20; nth++) {
        for (const hex of ["", "09", "01002a01f4ff", "0800", "03002a04416e61", "03002a01ff"])
          ana.raw(new Uint8Array(Buffer.from(hex, "hex")));
      }
      await ana.settled();
      expectEqual([ana.received.length, ana.ended], [1, undefined], "messages, and the end");
      ana.close();
    },
  },
  {
    name: "board 42 is the board whose id is 42, for everybody",
    says: "Board 42 is the board whose id is `42` for everybody else.",
    async run(host) {
      const number = newClassicBoard();
      const scene = new Scene(host, "presence.v2");
      const board = String(number) as BoardId;
      const ana = await scene.guest();
      const name = `${"é".repeat(15)}ab🎉`;
      await ana.join(name, { board });
      const ben = await visit(host.url);
      ben.say({ kind: "join", board: number, username: "Ben\u202e" });
      const { user, username } = await ben.heard("user_joined");
      expectEqual(username, `${"é".repeat(15)}ab`, "a name cut at a code point to 32 bytes");
      const { member } = await ana.heard("user_joined");
      expectEqual(member.username, "Ben", "a name without marks of direction");
      ana.say({ kind: "cursor", board, at: { x: -5, y: 70_000 } });
      expectEqual(
        await ben.heard("cursor_broadcast"),
        { kind: "cursor_broadcast", board: number, user, x: 0, y: 65_535 },
        "a clamped cursor",
      );
      const since = ben.received.length;
      ana.say({ kind: "cursor", board, at: null });
      ana.say({ kind: "broadcast", board, name: "a", data: 1 });
      ana.say({ kind: "update", board, status: "idle" });
      await ana.settled();
      await ben.settled();
      expectEqual(
        ben.received.slice(since).filter(({ kind }) => kind !== "heartbeat"),
        [],
        "what classic clients are not told",
      );
      ben.raw(encodeClassic({ kind: "leave", board: number }));
      expectEqual((await ana.heard("user_left")).reason, "left", "the reason");
      ana.close(1000);
      ben.close();
    },
  },
  {
    name: "there is no grace: gone is gone",
    says: "There is no hello and no resuming, and no grace: gone is gone.",
    async run({ url }) {
      const board = newClassicBoard();
      const [ana, ben] = [await visit(url), await visit(url)];
      ana.say({ kind: "join", board, username: "Ana" });
      await ana.heard("presence_update");
      ben.say({ kind: "join", board, username: "Ben" });
      await ana.heard("user_joined");
      ben.close(4001);
      await ana.heard("user_left");
      ana.close();
    },
  },
];

export const CLASSIC_CASES: readonly Case<Host>[] = cases.map((one) => ({
  ...one,
  skip: ({ token }) => (token === undefined ? undefined : "the host authenticates, and classic clients say no token"),
}));

async function visit(url: string): Promise<ClassicVisitor> {
  const visitor = new ClassicVisitor(url);
  await visitor.open();
  return visitor;
}
