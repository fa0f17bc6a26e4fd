/** Cases about a server: observers, rosters in several messages, pages, and the stamps of cursors. */

import type { Member } from "@presence-service/protocol";
import { type Case, expect, expectEqual } from "../cases.ts";
import { pause } from "../waiting.ts";
import type { Guest, Scene } from "./scene.ts";

/** Two clocks that are read in milliseconds, and drift apart. */
const STAMPS_OFF_MS = 10;

export const ROSTER_CASES: readonly Case<Scene>[] = [
  {
    name: "an observer sees the board and is shown to nobody",
    says: "it gets the roster, every change, cursors and events, is in no roster and no count",
    async run(scene) {
      const [ana, ben] = await scene.pair();
      const since = ana.received.length;
      const olga = await scene.guest();
      const joined = await olga.join("Olga", { observe: true });
      expectEqual([joined.observe, joined.members, joined.roster.length], [true, 2, 2], "observe, members, and entries of the roster");
      await ana.heard("presence_update", ({ observed, members }) => observed === true && members === 2, undefined, since);
      const { board } = scene;
      ben.say({ kind: "cursor", board, at: { x: 1, y: 2 } });
      ben.say({ kind: "broadcast", board, name: "reaction", data: 1 });
      ben.say({ kind: "update", board, state: { tool: "pen" } });
      for (const kind of ["cursors", "event", "user_updated"] as const) await olga.heard(kind);
      olga.close(1000);
      await ana.until(() => ana.all("presence_update", since).at(-1)?.observed !== true, "nobody observes any more");
      expectEqual(ana.all("user_joined", since).length + ana.all("user_left", since).length, 0, "members that came or left");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "an observer may look up members, and may not move, update or broadcast",
    says: "It may not move, update or broadcast",
    async run(scene) {
      const ana = await scene.member("Ana");
      const olga = await scene.guest();
      await olga.join("Olga", { observe: true });
      const { board } = scene;
      for (const message of [
        { kind: "cursor", board, at: { x: 1, y: 1 } },
        { kind: "update", board, status: "idle" },
        { kind: "broadcast", board, name: "reaction", data: 1 },
      ] as const) {
        const since = olga.received.length;
        olga.say(message);
        const { code } = await olga.heard("error", undefined, undefined, since);
        expectEqual(code, "observing", `the error after ${message.kind}`);
      }
      olga.say({ kind: "page", board, count: 10 });
      const { members, more } = await olga.heard("paged");
      expectEqual([members.map(({ memberId }) => memberId), more], [[ana.welcome.memberId], false], "the page");
      await ana.settled();
      expectEqual([ana.all("cursors").length, ana.all("event").length], [0, 0], "cursors and events");
      for (const guest of [ana, olga]) guest.close(1000);
    },
  },
  {
    name: "pages are all members, each once, in the order of their ids",
    says: "A member that stays on the board is on exactly one page, whoever comes and\nleaves meanwhile.",
    async run(scene) {
      const guests: Guest[] = [];
      for (const name of ["Ana", "Ben", "Cleo", "Dan", "Eva"]) guests.push(await scene.member(name));
      const [ana] = guests;
      if (ana === undefined) return;
      const ids: string[] = [];
      for (let more = true; more; ) {
        const after = ids.at(-1) as Member["memberId"] | undefined;
        const since = ana.received.length;
        ana.say({ kind: "page", board: scene.board, count: 2, ...(after !== undefined && { after }) });
        const paged = await ana.heard("paged", undefined, undefined, since);
        expect(paged.members.length === 2 || !paged.more, `a page of ${paged.members.length}, and more`);
        ids.push(...paged.members.map(({ memberId }) => memberId));
        more = paged.more;
        expect(ids.length <= guests.length, `more members than there are: ${ids}`);
      }
      expectEqual(ids, guests.map(({ welcome }) => welcome.memberId).sort(), "the ids");
      for (const guest of guests) guest.close(1000);
    },
  },
  {
    name: "a long roster comes in several messages, before anything else of the board",
    says: "a long roster begins in `joined` and goes on in `roster` messages",
    async run(scene) {
      const guests: Guest[] = [];
      for (let nth = 0; nth < 20; nth++) guests.push(await scene.member(`P${nth}`, { state: { text: "x".repeat(4000) } }));
      const [first] = guests;
      const zoe = await scene.guest();
      const since = zoe.received.length;
      const { roster, following = 0, self } = await zoe.join("Zoe");
      first?.say({ kind: "broadcast", board: scene.board, name: "reaction", data: 1 });
      await zoe.heard("event");
      const more = zoe.all("roster", since).flatMap((one) => one.roster);
      expect(following > 0, "80 KB of states came in one message");
      expectEqual(more.length, following, "entries that follow");
      const ids = new Set([...roster, ...more].map(({ member }) => member.memberId));
      expectEqual(ids.size, 21, "members in all");
      expect(
        roster.some(({ actor }) => actor === self),
        "one's own entry is not in joined",
      );
      const kinds = zoe.told(since).map(({ kind }) => kind);
      const others = kinds.filter((kind) => kind !== "joined");
      expect(others.lastIndexOf("roster") < others.findIndex((kind) => kind !== "roster"), `the order is ${kinds}`);
      for (const guest of [...guests, zoe]) guest.close(1000);
    },
  },
  {
    name: "stamps tell when places were gathered, alike to all",
    says: "the service's clock in milliseconds, modulo 65536, when these places were gathered: the same for all receivers",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const cleo = await scene.member("Cleo");
      await ben.heard("user_joined");
      const stamps: number[] = [];
      const sentAt: number[] = [];
      const heardAt: number[] = [];
      for (const x of [1, 2]) {
        sentAt.push(performance.now());
        ben.say({ kind: "cursor", board: scene.board, at: { x, y: x } });
        const isIt = ({ moves }: { readonly moves: readonly { readonly actor: number; readonly at: { readonly x: number } | null }[] }) =>
          moves.some((move) => move.actor === actor && move.at?.x === x);
        const [one, two] = [await ana.heard("cursors", isIt), await cleo.heard("cursors", isIt)];
        expectEqual(one.stamp, two.stamp, "the stamps of the same places");
        heardAt.push(performance.now());
        stamps.push(one.stamp);
        await pause(400);
      }
      const [before = 0, after = 0] = stamps;
      const told = (after - before + 65_536) % 65_536;
      // Places are gathered after they were said, and before they are heard.
      const [least = 0, most = 0] = [(sentAt[1] ?? 0) - (heardAt[0] ?? 0), (heardAt[1] ?? 0) - (sentAt[0] ?? 0)];
      const isBetween = told > least - STAMPS_OFF_MS && told < most + STAMPS_OFF_MS;
      expect(
        isBetween,
        `the stamps are ${told} ms apart, and the places were gathered ${Math.round(least)} to ${Math.round(most)} ms apart`,
      );
      for (const guest of [ana, ben, cleo]) guest.close(1000);
    },
  },
];
