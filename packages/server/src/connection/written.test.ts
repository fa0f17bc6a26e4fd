/** Words of a host or an operator pass the same rules as those of clients: every client of every instance can read them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, isAvatar, isColor, isFitName, isText, isUserId, type Member, USERNAME_BYTES_MAX } from "@presence-service/protocol";
import fc from "fast-check";
import { type Client, Desk } from "../testing/desk.ts";
import type { User } from "./auth.ts";
import { announcementOf, kickOf } from "./operator.ts";

const character = fc.constantFrom(
  "a",
  "é",
  "€",
  "🎉",
  '"',
  "\\",
  "\u0001",
  "\u202e",
  "\u2028",
  "\ufeff",
  "\ud800",
  "\udc00",
  " ",
  "#",
  "f",
);
const texts = fc
  .tuple(fc.constantFrom(0, 1, 7, 128, 256, 512, 1000), fc.array(character, { minLength: 1, maxLength: 3 }))
  .map(([length, characters]) => characters.join("").repeat(length).slice(0, length));
const field = fc.oneof(texts, fc.constantFrom(undefined, null, 7, "", " ", {}, Number.NaN));
const user: fc.Arbitrary<User> = fc.record({
  userId: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("u-17", 42, 2n ** 70n, "0".repeat(128)) }, { weight: 1, arbitrary: field }),
  username: field,
  color: fc.oneof(fc.constantFrom("#abc", "#A1B2C3", "red"), field),
  avatar: field,
}) as never;

/** The messages of these clients, decoded: that throws where one cannot be read. */
function read(desk: Desk, clients: readonly Client[]) {
  desk.clock.advance(300);
  return clients.map(({ socket }) => socket.takeMessages());
}

test("whatever authenticate says of a person, it is left out, cleaned or readable for every client of every instance", async () => {
  const outcomes = { shown: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(user, user, async (first, second) => {
      const users: Record<string, User> = { first, second, watcher: { userId: "watcher" } };
      const options = { authenticate: (token: string | undefined) => users[token ?? "watcher"] };
      const here = await Desk.open(options);
      const there = await Desk.open({ ...options, beside: here });
      const watchers = [here.enter("binary", "b"), here.enter("json", "b"), there.enter("binary", "b"), there.enter("json", "b")];
      read(here, watchers);
      const ana = here.connect("json");
      ana.hello({ token: "first" });
      ana.join("b", "A\u0301na 🎉");
      const joined = read(here, watchers).map((messages) => messages.find((message) => message.kind === "user_joined"));
      const members = joined.map((message) => (message?.kind === "user_joined" ? message.member : undefined));
      for (const member of members) assert.deepEqual(member, members[0]);
      if (members[0] === undefined) {
        outcomes.refused++;
        assert.ok(ana.socket.closedWith !== undefined);
        return;
      }
      outcomes.shown++;
      assert.ok(isFit(members[0]), JSON.stringify(members[0]));
      ana.say({ kind: "auth", token: "second" });
      ana.join("b", "Ana");
      read(here, watchers);
      for (const desk of [here, there]) {
        const late = desk.enter("json");
        late.join("b", "late");
        const [messages = []] = read(here, [late]);
        const [answer] = messages;
        if (ana.socket.closedWith === undefined) assert.ok(answer?.kind === "joined" && answer.roster.every(({ member }) => isFit(member)));
      }
    }),
    { numRuns: 60 },
  );
  assert.ok(outcomes.shown > 20 && outcomes.refused > 2, JSON.stringify(outcomes));
});

function isFit({ userId, username, color, avatar }: Member): boolean {
  return (
    isUserId(userId) &&
    isText(username, USERNAME_BYTES_MAX) &&
    isFitName(username) &&
    isColor(color) &&
    (avatar === undefined || isAvatar(avatar))
  );
}

test("whatever an operator says is a TypeError or readable for every client of every instance", async () => {
  const outcomes = { taken: 0, refused: 0 };
  const here = await Desk.open();
  const there = await Desk.open({ beside: here });
  const clients = [here.enter("binary", "b"), here.enter("json", "b"), there.enter("binary", "b"), there.enter("json", "b")];
  const boardId = fc.oneof(fc.constantFrom(undefined, "b" as BoardId), texts);
  const announcement = fc.oneof(
    texts,
    fc.integer({ min: 4090, max: 4100 }).map((length) => "x".repeat(length)),
  );
  await fc.assert(
    fc.asyncProperty(announcement, boardId, texts, texts, async (text, boardId, userId, reason) => {
      const board = boardId === undefined ? {} : { boardId };
      const words = [() => announcementOf(text, board), () => kickOf({ userId: `nobody${userId}`, reason, ...board })].flatMap((make) => {
        try {
          return [make()];
        } catch (error) {
          assert.ok(error instanceof TypeError, String(error));
          return [];
        }
      });
      outcomes.taken += words.length;
      outcomes.refused += 2 - words.length;
      const telling = words.map((word) => here.manager.tellAll(word));
      await undefined;
      const told = read(here, clients).map((messages) =>
        messages.flatMap((message) => (message.kind === "announcement" ? [message.text] : [])),
      );
      for (const texts of told) assert.deepEqual(texts, told[0]);
      await Promise.all(telling);
      for (const client of clients) client.say({ kind: "heartbeat" });
      read(here, clients);
    }),
    // Of 100 runs 27 to 52 words are taken.
    { numRuns: 200 },
  );
  assert.ok(outcomes.taken > 30 && outcomes.refused > 30, JSON.stringify(outcomes));
});
