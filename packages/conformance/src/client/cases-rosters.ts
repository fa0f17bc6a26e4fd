/** Cases about a client: rosters in several messages, senders who were not introduced, observers, and the stamps of cursors. */

import { expectEqual } from "../cases.ts";
import { BOARD, type ClientCase, play, start } from "./play.ts";
import { joined, member } from "./stage.ts";

const board = 7;
const BEN = member("Ben");
const [CLEO, DAN, ZOE] = [member("Cleo"), member("Dan"), member("Zoe")];

export const CLIENT_ROSTER_CASES: readonly ClientCase[] = [
  {
    name: "a roster that comes in several messages is shown whole, and changes after it hold",
    says: "More of the roster that `joined` began.",
    run: play(async (own) => {
      const { program, stage } = own;
      program.do({ do: "join", board: BOARD, username: "Me", state: {} });
      const line = await stage.welcomed(1);
      line.say({ ...joined(await line.heard("join"), { others: [[0, BEN]] }), members: 4, users: 4, following: 2 });
      line.say({ kind: "roster", board, roster: [{ actor: 200, member: CLEO, at: { x: 9, y: 8 } }] });
      line.say({ kind: "roster", board, roster: [{ actor: 201, member: DAN }] });
      await program.shows(BOARD, ["Me", "Ben", "Cleo", "Dan"]);
      await program.sees("cursor", ({ memberId, x }) => memberId === CLEO.memberId && x === 9);
      line.say({ kind: "user_left", board, actor: 201, reason: "left" });
      await program.shows(BOARD, ["Me", "Ben", "Cleo"]);
    }),
  },
  {
    name: "a crowd that comes in one message is shown, also where it names members who are known, and counts are as they were told last",
    says: "Once the roster is whole",
    run: play(async (own) => {
      const { program } = own;
      const line = await start(own, { others: [[0, BEN]] });
      line.say({ kind: "presence_update", board, members: 9, users: 9 });
      await program.until(() => program.last("roster", BOARD)?.["count"] === 9, "the counts are shown");
      const crowd = [BEN, CLEO, DAN].map((one, actor) => ({ actor, member: { ...one, state: { tool: "pen" } } }));
      line.say({ kind: "roster", board, roster: crowd });
      await program.shows(BOARD, ["Me", "Ben", "Cleo", "Dan"]);
      await program.until(() => "tool" in Object(program.named(BOARD, "Ben")?.["state"]), "Ben has a pen");
      line.say({ kind: "user_left", board, actor: 2, reason: "left" });
      await program.shows(BOARD, ["Me", "Ben", "Cleo"]);
    }),
  },
  {
    name: "after a return, the members that a further message brings were never gone",
    says: "More of the roster that `joined` began.",
    run: play(async (own) => {
      const { program, stage } = own;
      const line = await start(own, {
        others: [
          [0, BEN],
          [1, CLEO],
        ],
      });
      line.cut();
      const second = await stage.welcomed(2);
      second.say({ ...joined(await second.heard("join"), { others: [[5, BEN]] }), members: 3, users: 3, following: 1 });
      second.say({ kind: "roster", board, roster: [{ actor: 6, member: CLEO }] });
      second.say({ kind: "user_updated", board, actor: 6, patch: { state: { tool: "pen" } } });
      await program.until(() => "tool" in Object(program.named(BOARD, "Cleo")?.["state"]), "Cleo has a pen");
      await program.shows(BOARD, ["Me", "Ben", "Cleo"]);
      expectEqual(program.all("left").length, 0, "members that left");
    }),
  },
  {
    name: "an event of somebody who was not introduced brings its sender along, who is not shown",
    says: "an `event` may bring its sender along",
    run: play(async (own) => {
      const line = await start(own, { others: [[0, BEN]] });
      line.say({ kind: "event", board, actor: 9000, name: "reaction", data: 1, member: ZOE });
      const event = await own.program.sees("event");
      expectEqual(event["memberId"], ZOE.memberId, "the sender");
      await own.program.shows(BOARD, ["Me", "Ben"]);
    }),
  },
  {
    name: "somebody who observes counts as another, for whom the cursor is sent",
    says: "Whoever observes counts as another here: `observed` says that there is somebody.",
    run: play(async (own) => {
      const line = await start(own);
      own.program.do({ do: "move", board: BOARD, x: 5, y: 6 });
      line.say({ kind: "presence_update", board, members: 1, users: 1, observed: true });
      await line.heard("cursor", ({ at }) => at?.x === 5 && at.y === 6);
    }),
  },
  {
    name: "whatever the stamps are, the last place of each is shown",
    says: "of use only beside another stamp of this connection",
    run: play(async (own) => {
      const line = await start(own, { others: [[0, BEN]] });
      // In steps, around the end of the 16 bits, standing still, and back: a clock of the service may be set.
      for (const [nth, stamp] of [65_500, 65_533, 30, 63, 63, 40, 33_000].entries())
        line.say({ kind: "cursors", board, stamp, moves: [{ actor: 0, at: { x: 100 * nth, y: 10 } }] });
      await own.program.sees("cursor", ({ memberId, x }) => memberId === BEN.memberId && x === 600);
    }),
  },
];
