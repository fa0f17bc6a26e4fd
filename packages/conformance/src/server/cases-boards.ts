/** Cases about a server: rosters, cursors, updates and events on a board. */

import { type BoardId, type Member, WATCHED_BOARDS_MAX } from "@presence-service/protocol";
import { type Case, expect, expectEqual } from "../cases.ts";
import { pause } from "../waiting.ts";
import { newBoard, type Scene } from "./scene.ts";

export const BOARD_CASES: readonly Case<Scene>[] = [
  {
    name: "joined tells the whole board, oneself included",
    says: "the whole board, oneself included",
    async run(scene) {
      const ana = await scene.member("Ana", { state: { tool: "pen" } });
      const ben = await scene.guest();
      const joined = await ben.join("Bén 🎉", { status: "idle", state: { deep: { list: [1, null, "é"] } } });
      expectEqual([joined.members, joined.roster.length], [2, 2], "members, and entries of the roster");
      const self = joined.roster.find(({ actor }) => actor === joined.self)?.member;
      expectEqual([self?.status, self?.state], ["idle", { deep: { list: [1, null, "é"] } }], "one's own entry");
      const other = joined.roster.find(({ actor }) => actor !== joined.self)?.member;
      expectEqual(
        [other?.memberId, other?.status, other?.state],
        [ana.welcome.memberId, "active", { tool: "pen" }],
        "the entry of the other",
      );
      if (scene.host.token === undefined) expectEqual([self?.username, joined.users], ["Bén 🎉", 2], "the name, and users");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "who comes is introduced, and the counts follow",
    says: "It comes once in each tick in which somebody came or left, after the `user_joined` and `user_left` of that tick",
    async run(scene) {
      const ana = await scene.member("Ana");
      const since = ana.received.length;
      const ben = await scene.member("Ben", { state: { tool: "pen" } });
      const { member } = await ana.heard("user_joined", undefined, undefined, since);
      expectEqual([member.memberId, member.state], [ben.welcome.memberId, { tool: "pen" }], "the newcomer");
      await ana.heard("presence_update", ({ members }) => members === 2, undefined, since);
      await ana.settled();
      const kinds = ana.received
        .slice(since)
        .map(({ kind }) => kind)
        .filter((kind) => kind === "user_joined" || kind === "presence_update");
      expectEqual(kinds, ["user_joined", "presence_update"], "the order");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "a client that comes back and names what it holds shows the board as it is, also where its names are wrong",
    says: "and is not told again what it knows",
    async run(scene) {
      const ana = await scene.member("Ana", { state: { tool: "pen" } });
      const ben = await scene.member("Ben");
      const known = ben.shown(scene.board);
      ben.close();
      const cleo = await scene.member("Cleo");
      const strangers = known.map((member): Member => ({ ...member, username: `${member.username}!` }));
      for (const held of [known, [...known].reverse(), strangers, [...strangers, ...known], [...known, ...known]]) {
        const back = await scene.guest(ben.session);
        await back.join("Ben", { held });
        const fresh = await scene.guest();
        await fresh.join("Zoe");
        await back.settled();
        const others = (members: readonly Member[]) => members.filter(({ memberId }) => memberId !== fresh.welcome.memberId);
        expectEqual(others(back.shown(scene.board)), others(fresh.shown(scene.board)), "the roster");
        const since = ana.received.length;
        back.close();
        fresh.close(1000);
        await ana.heard("user_left", undefined, undefined, since);
      }
      for (const guest of [ana, cleo]) guest.close(1000);
    },
  },
  {
    name: "who leaves is gone at once, and gets nothing more of the board",
    says: "Leave a board for good: no grace, and no answer.",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      ben.say({ kind: "leave", board: scene.board });
      const { reason } = await ana.heard("user_left", (left) => left.actor === actor, 2000);
      expectEqual(reason, "left", "the reason");
      await ana.heard("presence_update", ({ members }) => members === 1);
      await ben.settled();
      const since = ben.received.length;
      ana.say({ kind: "broadcast", board: scene.board, name: "reaction", data: 1 });
      ana.say({ kind: "cursor", board: scene.board, at: { x: 1, y: 2 } });
      await ana.settled();
      await ben.settled();
      expectEqual(ben.told(since), [], "messages after leave");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "an actor's number is not given to the next one",
    says: "the number is not given to somebody else for 60 s after `user_left`",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      ben.close(1000);
      await ana.heard("user_left", (left) => left.actor === actor);
      const cleo = await scene.member("Cleo");
      const joined = await ana.heard("user_joined", ({ member }) => member.memberId === cleo.welcome.memberId);
      expect(joined.actor !== actor, `Cleo has Ben's number ${actor}`);
      for (const guest of [ana, cleo]) guest.close(1000);
    },
  },
  {
    name: "joining again replaces name, status and state",
    says: "On a board one is on already, it replaces name, status, state and area",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const since = ana.received.length;
      await ben.join("Benedict", { state: { tool: "pen" }, status: "idle" });
      const told = () => Object.assign({}, ...ana.all("user_updated", since).map(({ patch }) => patch)) as Record<string, unknown>;
      await ana.until(() => "state" in told() && "status" in told(), "Ben is updated");
      expectEqual([told()["status"], told()["state"]], ["idle", { tool: "pen" }], "the update");
      if (scene.host.token === undefined) expectEqual(told()["username"], "Benedict", "the name");
      expect(
        ana.all("user_updated", since).every((update) => update.actor === actor),
        "somebody else was updated",
      );
      expectEqual(ana.all("user_left", since).length + ana.all("user_joined", since).length, 0, "leaves and joins");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "cursors come narrow, wide and hidden",
    says: "Coordinates are integers from −(2³¹ − 1) to 2³¹ − 1, on every encoding",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      for (const at of [{ x: 0, y: 65_535 }, { x: -1, y: 70_000 }, { x: 2_147_483_647, y: -2_147_483_647 }, null]) {
        const since = ana.received.length;
        ben.say({ kind: "cursor", board: scene.board, at });
        const { moves } = await ana.heard("cursors", undefined, undefined, since);
        expectEqual(moves, [{ actor, at }], "the cursor");
      }
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "the roster has the last cursor of each, and none that is hidden",
    says: "the actor, and its last cursor; hidden: none is shown",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      ana.say({ kind: "cursor", board: scene.board, at: { x: 1, y: 1 } });
      ana.say({ kind: "cursor", board: scene.board, at: null });
      ben.say({ kind: "cursor", board: scene.board, at: { x: 500, y: 70_000 } });
      await ana.heard("cursors", ({ moves }) => moves.some((move) => move.actor === actor));
      for (const guest of [ana, ben]) await guest.settled();
      const cleo = await scene.guest();
      const { roster } = await cleo.join("Cleo");
      const placeOf = ({ welcome }: { readonly welcome: { readonly memberId: string } }) =>
        roster.find(({ member }) => member.memberId === welcome.memberId)?.at;
      expectEqual([placeOf(ben), placeOf(ana)], [{ x: 500, y: 70_000 }, undefined], "Ben's and Ana's cursor");
      for (const guest of [ana, ben, cleo]) guest.close(1000);
    },
  },
  {
    name: "cursors are told to those who are in their area, or look there",
    says: "A member is sent the `cursors` of its own area, an observer those of all.",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const { board } = scene;
      const places = (since: number) => ana.all("cursors", since).flatMap(({ moves }) => moves.map(({ at }) => at?.x));
      const point = async (x: number) => {
        const since = ana.received.length;
        ben.say({ kind: "cursor", board, at: { x, y: 0 } });
        await ben.settled();
        await ana.settled();
        return places(since);
      };
      ben.say({ kind: "update", board, area: "kit-1" });
      await ana.heard("user_updated", (updated) => updated.actor === actor);
      expectEqual(await point(1), [], "places in another area");
      const since = ana.received.length;
      ana.say({ kind: "look", board, areas: ["kit-1", ""] });
      await ana.heard("cursors", ({ moves }) => moves.some((move) => move.actor === actor && move.at?.x === 1), undefined, since);
      expectEqual(await point(2), [2], "places in an area that it looks at");
      ana.say({ kind: "look", board });
      // Nothing orders what two say.
      await ana.settled();
      expectEqual(await point(3), [], "places after a look back");
      ana.say({ kind: "look", board, all: true });
      await ana.heard("cursors", ({ moves }) => moves.some((move) => move.actor === actor && move.at?.x === 3));
      expectEqual(await point(4), [4], "places when it looks at all");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "who goes to another area is sent the last places there, and points nowhere before the next move",
    says: "A change of the area hides one's cursor for everybody, so it is said before the first move in the new area.",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const { board } = scene;
      ben.say({ kind: "update", board, area: "kit-1" });
      ben.say({ kind: "cursor", board, at: { x: 7, y: 0 } });
      await ben.settled();
      const since = ana.received.length;
      ana.say({ kind: "update", board, area: "kit-1" });
      await ana.heard("cursors", ({ moves }) => moves.some((move) => move.actor === actor && move.at?.x === 7), undefined, since);
      ben.say({ kind: "update", board, area: "kit-2" });
      await ana.heard("user_updated", (updated) => updated.actor === actor && updated.patch["area"] === "kit-2");
      const cleo = await scene.guest();
      const { roster } = await cleo.join("Cleo");
      expectEqual(roster.find(({ member }) => member.memberId === ben.welcome.memberId)?.at, undefined, "Ben's cursor in a roster");
      for (const guest of [ana, ben, cleo]) guest.close(1000);
    },
  },
  {
    name: "a path is passed on with its place, and a move without one has none",
    says: "The service passes paths on as they are, as many as a tick has room for",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const { board } = scene;
      const earlier = [
        { ms: 255, dx: -70_000, dy: 3 },
        { ms: 1, dx: 0, dy: -1 },
      ];
      for (const path of [{ stamp: 65_535, earlier }, { stamp: 7, earlier: [] }, undefined]) {
        const since = ana.received.length;
        ben.say({ kind: "cursor", board, at: { x: path?.stamp ?? 1, y: 2 }, ...(path && { path }) });
        const { paths } = await ana.heard("cursors", undefined, undefined, since);
        expectEqual(paths, path && [{ actor, ...path }], "the paths");
      }
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "fractions in JSON are rounded",
    says: "Fractions, which only JSON can write, are rounded.",
    skip: ({ encoding }) => (encoding === "presence.v2" ? "bytes have no fractions" : undefined),
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      ben.raw(`{"kind":"cursor","board":"${scene.board}","x":1.6,"y":-0.2}`);
      const { moves } = await ana.heard("cursors");
      expectEqual(moves, [{ actor, at: { x: 2, y: 0 } }], "the cursor");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "of many moves the latest counts",
    says: "Faster is not punished, only the latest place counts.",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      for (let x = 1; x <= 400; x++) ben.say({ kind: "cursor", board: scene.board, at: { x, y: x } });
      await ana.heard("cursors", ({ moves }) => moves.some((move) => move.actor === actor && move.at?.x === 400));
      expect(ana.all("cursors").length < 300, `${ana.all("cursors").length} messages for 400 moves in one go`);
      // All cases share one network address: if it cannot pay for all, a connection may be told that it is read later.
      const errors = ben.all("error").filter(({ code, ref }) => code !== "too_fast" || ref !== undefined);
      expectEqual(errors, [], "errors");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "a watcher is told how many are on boards, and nothing else of them",
    says: "each board once as soon as its numbers are known, and later those whose numbers have changed",
    async run(scene) {
      const watcher = await scene.guest();
      const empty = newBoard();
      const counts = (board: BoardId, members: number) =>
        watcher.heard("occupancy", ({ boards }) => boards.some((told) => told.board === board && told.members === members), 4000);
      watcher.say({ kind: "watch", boards: [scene.board, empty] });
      await counts(empty, 0);
      await counts(scene.board, 0);
      const ana = await scene.member("Ana");
      await counts(scene.board, 1);
      watcher.say({ kind: "watch", boards: [scene.board], off: true });
      await watcher.settled();
      const since = watcher.received.length;
      ana.say({ kind: "leave", board: scene.board });
      await pause(2500);
      expectEqual(watcher.all("occupancy", since).length, 0, "counts after the end of watching");
      expect(
        watcher.told().every(({ kind }) => kind === "welcome" || kind === "occupancy"),
        "something else was told of a board that is only watched",
      );
      for (const guest of [watcher, ana]) guest.close(1000);
    },
  },
  {
    name: "a thousand boards may be watched, and the first one too many is named",
    says: "`ref` is the first board that is one too many: neither it nor any later one of that `watch` is watched",
    async run(scene) {
      const watcher = await scene.guest();
      const boards = Array.from({ length: WATCHED_BOARDS_MAX }, newBoard);
      for (let at = 0; at < boards.length; at += 50) watcher.say({ kind: "watch", boards: boards.slice(at, at + 50) });
      const [first, one, two] = [boards[0] as BoardId, newBoard(), newBoard()];
      const told = (board: BoardId) => watcher.all("occupancy").some((message) => message.boards.some((item) => item.board === board));
      watcher.say({ kind: "watch", boards: [one, two] });
      const { ref } = await watcher.heard("error", ({ code }) => code === "too_many_watched", 10_000);
      expectEqual(ref, one, "the board that is refused");
      watcher.say({ kind: "watch", boards: [first], off: true });
      watcher.say({ kind: "watch", boards: [two] });
      await watcher.until(() => boards.slice(1).every(told) && told(two), "all others are told", 10_000);
      expectEqual(told(one), false, "whether the refused board is told");
      watcher.close(1000);
    },
  },
  {
    name: "an update is a merge patch, told to others and not to oneself",
    says: "merge patch ([RFC 7396](https://www.rfc-editor.org/rfc/rfc7396)): given keys are replaced, `null` removes one",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const since = ana.received.length;
      const bens = ben.received.length;
      ben.say({ kind: "update", board: scene.board, state: { tool: "pen", size: { w: 1, h: 2 } } });
      ben.say({ kind: "update", board: scene.board, status: "idle", state: { tool: null, size: { h: 3 } } });
      await ana.until(() => ana.all("user_updated", since).some(({ patch }) => patch["status"] === "idle"), "the status is told");
      await ana.settled();
      expect(
        ana.all("user_updated", since).every((update) => update.actor === actor),
        "somebody else was updated",
      );
      const cleo = await scene.guest();
      const { roster } = await cleo.join("Cleo");
      const member = roster.find((entry) => entry.member.memberId === ben.welcome.memberId)?.member;
      expectEqual([member?.status, member?.state], ["idle", { size: { w: 1, h: 3 } }], "status and state in a roster");
      await ben.settled();
      expectEqual(ben.all("user_updated", bens).length, 0, "updates told to their sender");
      for (const guest of [ana, ben, cleo]) guest.close(1000);
    },
  },
  {
    name: "a state that would be too large is refused and stays as it is",
    says: "With this patch applied the state would be larger than `stateBytesMax`, or nested too deeply. It is unchanged.",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      ben.say({ kind: "update", board: scene.board, state: { a: "x".repeat(2500) } });
      await ana.heard("user_updated");
      const since = ana.received.length;
      ben.say({ kind: "update", board: scene.board, state: { b: "x".repeat(2500) } });
      const { ref } = await ben.heard("error", ({ code }) => code === "bad_state");
      expectEqual(ref, scene.board, "ref");
      await ana.settled();
      expectEqual(ana.all("user_updated", since).length, 0, "updates after it");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "broadcasts reach everybody else, in order",
    says: "at most once, in order per sender, never stored",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const data = [null, { emoji: "🎉", deep: [[1]] }, "text", 1.5, false];
      for (const one of data) ben.say({ kind: "broadcast", board: scene.board, name: "reaction", data: one });
      await ana.until(() => ana.all("event").length === data.length, "all events come");
      expectEqual(
        ana.all("event").map((event) => [event.actor, event.name, event.data]),
        data.map((one) => [actor, "reaction", one]),
        "events",
      );
      await ben.settled();
      expectEqual(ben.all("event").length, 0, "events told to their sender");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "a broadcast may name the members whom it is for",
    says: "only the members named in either are sent the event",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const cleo = await scene.member("Cleo");
      await ben.heard("user_joined");
      const { board } = scene;
      ben.say({ kind: "broadcast", board, name: "for Cleo", data: 1, memberIds: [cleo.welcome.memberId] });
      ben.say({ kind: "broadcast", board, name: "for nobody", data: 2, memberIds: [] });
      ben.say({ kind: "broadcast", board, name: "for all", data: 3 });
      for (const guest of [ana, cleo]) await guest.heard("event", ({ name }) => name === "for all");
      const names = [ana, cleo].map((guest) => guest.all("event").map(({ name }) => name));
      expectEqual(names, [["for all"], ["for Cleo", "for all"]], "the events of Ana and of Cleo");
      expectEqual(ana.all("event")[0]?.actor, actor, "the sender");
      for (const guest of [ana, ben, cleo]) guest.close(1000);
    },
  },
  {
    name: "a connection is on several boards, each for itself",
    says: "A connection may be on up to [32](#limits) boards at once.",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      const second = newBoard();
      await ben.join("Ben", { board: second });
      const since = ana.received.length;
      ben.say({ kind: "broadcast", board: second, name: "there", data: 1 });
      ben.say({ kind: "broadcast", board: scene.board, name: "here", data: 2 });
      await ana.heard("event", ({ name }) => name === "here", undefined, since);
      expectEqual(ana.all("event", since).length, 1, "events");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "one board more than there may be is refused",
    says: "The connection is on [32](#limits) boards already, those counted whose `join` has no answer yet.",
    async run(scene) {
      const ana = await scene.guest();
      for (let nth = 1; nth <= 33; nth++) {
        const boardId = `${scene.board}-${nth}` as BoardId;
        ana.say({ kind: "join", boardId, attempt: nth, username: "Ana", status: "active", state: {} });
      }
      const { ref } = await ana.heard("error", ({ code }) => code === "too_many_boards");
      expectEqual(ref, `${scene.board}-33`, "ref");
      await ana.until(() => ana.all("joined").length === 32, "the others are joined");
      ana.close(1000);
    },
  },
];
