/** Cases about a client that watches boards without being on them, which a client may leave out. */

import { type BoardId, CLOSE } from "@presence-service/protocol";
import { expectEqual } from "../cases.ts";
import { type ClientCase, play } from "./play.ts";
import type { Line } from "./stage.ts";

const [A, B] = ["doc-1", "doc-2"] as [BoardId, BoardId];

export const CLIENT_WATCH_CASES: readonly ClientCase[] = (
  [
    {
      name: "it shows the counts of boards that it watches, and what changes of them",
      says: "each board once as soon as its numbers are known, and later those whose numbers have changed",
      run: play(async ({ stage, program }) => {
        program.do({ do: "watch", boards: [A, B] });
        const line = await stage.welcomed(1);
        await asked(line, [A, B]);
        line.say({ kind: "occupancy", boards: [{ board: A, members: 300, users: 2 }] });
        const [members, users] = [300, 2];
        await program.sees("occupancy", (seen) => seen.board === A && seen["members"] === members && seen["users"] === users);
        line.say({
          kind: "occupancy",
          boards: [
            { board: B, members: 0, users: 0 },
            { board: A, members: 1, users: 1 },
          ],
        });
        await program.sees("occupancy", (seen) => seen.board === B && seen["members"] === 0);
        await program.sees("occupancy", (seen) => seen.board === A && seen["members"] === 1);
        expectEqual(line.all("join").length, 0, "joins of a board that is only watched");
      }),
    },
    {
      name: "it says which boards it watches no longer",
      says: "or with `off` not to be told any longer",
      run: play(async ({ stage, program }) => {
        program.do({ do: "watch", boards: [A, B] });
        const line = await stage.welcomed(1);
        await asked(line, [A, B]);
        program.do({ do: "unwatch", boards: [A] });
        const { boards } = await line.heard("watch", ({ off }) => off === true);
        expectEqual(boards, [A], "the boards that it watches no longer");
      }),
    },
    {
      name: "it watches the boards anew in a new connection",
      says: "A client that needs the numbers after a reconnect watches the boards anew.",
      run: play(async ({ stage, program }) => {
        program.do({ do: "watch", boards: [A, B] });
        const line = await stage.welcomed(1);
        await asked(line, [A, B]);
        line.close(CLOSE.draining.code);
        const second = await stage.welcomed(2);
        await asked(second, [A, B]);
        second.say({ kind: "occupancy", boards: [{ board: A, members: 4, users: 4 }] });
        await program.sees("occupancy", (seen) => seen.board === A && seen["members"] === 4);
      }),
    },
  ] satisfies ClientCase[]
).map((one) => ({
  ...one,
  skip: ({ also }) => (also.includes("watch") ? undefined : "it is for clients that watch boards: say --also watch"),
}));

/** The client asks for exactly these boards, in one message or several. */
async function asked(line: Line, boards: readonly BoardId[]): Promise<void> {
  const all = () => line.all("watch").flatMap((watch) => (watch.off === true ? [] : watch.boards));
  await line.until(() => all().length >= boards.length, "the client watches the boards");
  expectEqual([...all()].sort(), [...boards].sort(), "the boards that it watches");
}
