/** Cases about a server whose host authenticates, or whose operator does something. They are skipped where nobody can. */

import { type Case, expect, expectEqual } from "../cases.ts";
import { Stopwatch } from "../stopwatch.ts";
import { type Host, newBoard, newSession, type Scene } from "./scene.ts";

/** Seconds that a short token may last. */
const SHORT_MS_MAX = 20_000;

export const HOST_CASES: readonly Case<Scene>[] = [
  {
    name: "a token is asked for in time, and without one the connection is closed",
    says: "without one the connection is closed with 4401",
    skip: needs("token", "shortToken"),
    async run(scene) {
      const ana = await scene.guest(newSession(), scene.host.shortToken);
      const { expiresInMs } = await ana.heard("token_expiring", undefined, SHORT_MS_MAX);
      const watch = new Stopwatch();
      await ana.closed(4401, expiresInMs + 3000);
      const isInTime = watch.ms > expiresInMs - 2500 && watch.ranMs < expiresInMs + 2500;
      expect(isInTime, `it was closed after ${watch.ms} ms, and was told ${expiresInMs}`);
    },
  },
  {
    name: "a fresh token in auth keeps the connection",
    says: "A fresh token in `auth` counts from the moment the host takes it; no answer means that it was taken.",
    skip: needs("token", "shortToken"),
    async run(scene) {
      const ana = await scene.guest(newSession(), scene.host.shortToken);
      const { expiresInMs } = await ana.heard("token_expiring", undefined, SHORT_MS_MAX);
      ana.say({ kind: "auth", token: scene.host.token ?? "" });
      await new Promise((resolve) => setTimeout(resolve, expiresInMs + 1000));
      expect(ana.ended === undefined, `it was closed with ${ana.ended?.code}`);
      ana.close(1000);
    },
  },
  {
    name: "a token of nobody closes the connection",
    says: "A token of\nnobody closes the connection with 4401.",
    skip: needs("badToken"),
    async run(scene) {
      const ana = await scene.stranger();
      ana.say({ kind: "hello", token: scene.host.badToken ?? "" });
      await ana.closed(4401);
      expectEqual(ana.all("welcome").length, 0, "welcomes");
    },
  },
  {
    name: "a token of nobody in auth closes the connection",
    says: "closed with 4401 at once, however long the token before would have held",
    skip: needs("token", "badToken"),
    async run(scene) {
      const ana = await scene.member("Ana");
      ana.say({ kind: "auth", token: scene.host.badToken ?? "" });
      await ana.closed(4401);
    },
  },
  {
    name: "a token of another user in auth closes the connection",
    says: "a token in `auth` that is nobody's, or another user's",
    skip: needs("token", "otherToken"),
    async run(scene) {
      const ana = await scene.member("Ana");
      ana.say({ kind: "auth", token: scene.host.otherToken ?? "" });
      await ana.closed(4401);
    },
  },
  {
    name: "auth without authentication is ignored",
    says: "Without authentication it is ignored.",
    skip: ({ host }) => (host.token === undefined ? undefined : "the host authenticates"),
    async run(scene) {
      const ana = await scene.member("Ana");
      ana.say({ kind: "auth", token: "whatever" });
      await ana.settled();
      expectEqual([ana.all("error").length, ana.ended], [0, undefined], "errors, and the end");
      ana.close(1000);
    },
  },
  {
    name: "a board that the host refuses is bad_board, and the connection goes on",
    says: "off that board, if one was on it; the connection goes on",
    skip: needs("badBoard"),
    async run(scene) {
      const ana = await scene.guest();
      const boardId = (scene.host.badBoard ?? "") as typeof scene.board;
      ana.say({ kind: "join", boardId, attempt: ++ana.session.attempt, username: "Ana", status: "active", state: {} });
      const { ref } = await ana.heard("error", ({ code }) => code === "bad_board");
      expectEqual(ref, boardId, "ref");
      await ana.join("Ana");
      ana.close(1000);
    },
  },
  {
    name: "an announcement comes to all, or to those on a board",
    says: "only those on this board are told; absent: everybody",
    skip: needs("operator"),
    async run(scene) {
      const [ana, ben] = await scene.pair();
      const other = await scene.member("Cleo", { board: newBoard() });
      const text = `to ${scene.board}`;
      await scene.host.operator?.announce(`${text} only`, scene.board);
      await scene.host.operator?.announce(`${text} and all`);
      for (const guest of [ana, ben, other]) await guest.heard("announcement", (told) => told.text === `${text} and all`);
      const boards = [ana, ben, other].map((guest) => guest.all("announcement").find((told) => told.text === `${text} only`)?.board);
      expectEqual(boards, [scene.board, scene.board, undefined], "the boards of the announcement");
      for (const guest of [ana, ben, other]) guest.close(1000);
    },
  },
  {
    name: "who is put off a board is told so, and others are told who",
    says: "`user_left` with `kicked` and one's own actor, and nothing of that board afterwards",
    skip: needs("operator"),
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const second = newBoard();
      await ben.join("Ben", { board: second });
      await scene.host.operator?.kick({ memberId: ben.welcome.memberId, boardId: scene.board });
      for (const guest of [ana, ben]) {
        await guest.heard("user_left", (left) => left.reason === "kicked" && (guest === ben || left.actor === actor));
      }
      const since = ben.received.length;
      ana.say({ kind: "broadcast", board: scene.board, name: "a", data: 1 });
      ben.say({ kind: "update", board: second, status: "idle" });
      await ana.settled();
      await ben.settled();
      expectEqual(
        ben.received.slice(since).filter((message) => "board" in message && message.board === scene.board),
        [],
        "messages of that board",
      );
      expect(ben.ended === undefined, "the connection was closed");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "who is put out of the service is closed, with the reason",
    says: "are closed with 4403; the close frame tells the reason, if one was given",
    skip: needs("operator"),
    async run(scene) {
      const ana = await scene.member("Ana");
      await scene.host.operator?.kick({ memberId: ana.welcome.memberId, reason: "spam" });
      await ana.closed(4403);
      expectEqual(ana.ended?.reason, "spam", "the reason");
    },
  },
];

function needs(...what: (keyof Host)[]): (scene: Scene) => string | undefined {
  return ({ host }) => {
    const missing = what.filter((one) => host[one] === undefined);
    return missing.length === 0 ? undefined : `this server was given without ${missing.join(" and ")}`;
  };
}
