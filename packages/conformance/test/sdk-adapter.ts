/** The SDK behind the lines of docs/CLIENTS.md: commands in, sights out. Started as `node … sdk-adapter.ts ws://…`. */

import { createInterface } from "node:readline";
import { type Board, createPresence, type Member, type Watch } from "../../client/src/index.ts";

type Command = {
  readonly do: string;
  readonly board: string;
  readonly boards?: readonly string[];
  readonly username?: string;
  readonly status?: "active" | "idle";
  readonly state?: { readonly [key: string]: never };
  readonly x?: number;
  readonly y?: number;
  readonly name?: string;
  readonly data?: never;
};

const tokens = (process.env["PRESENCE_TOKENS"] ?? "").split(",").filter(Boolean);
const nextToken = () => (tokens.length > 1 ? tokens.shift() : tokens[0]) ?? "";
const presence = createPresence({ url: process.argv[2] ?? "", ...(tokens.length > 0 && { token: nextToken }) });
const boards = new Map<string, Board>();
const watches = new Map<string, Watch>();

createInterface({ input: process.stdin })
  .on("line", (line) => obey(JSON.parse(line) as Command))
  .on("close", () => presence.close());

function obey({ do: what, board: id, username, state, status, x = 0, y = 0, name = "", data, boards: ids = [] }: Command): void {
  const board = boards.get(id);
  if (what === "join") enter(id, username ?? "", state);
  else if (what === "watch") for (const one of ids) watch(one);
  else if (what === "unwatch") for (const one of ids) watches.get(one)?.stop();
  else if (what === "leave") {
    board?.leave();
    boards.delete(id);
  } else if (what === "move") board?.moveCursor(x, y, { units: "integer" });
  else if (what === "hide") board?.hideCursor();
  else if (what === "broadcast") board?.broadcast(name, data as never);
  else if (what === "update") {
    if (state !== undefined) board?.update(state);
    if (status !== undefined) board?.setStatus(status);
  }
}

function watch(id: string): void {
  const one = presence.watch([id]);
  watches.set(id, one);
  one.subscribe(() => console.log(JSON.stringify({ see: "occupancy", board: id, ...one.counts.get(id) })));
}

function enter(id: string, username: string, state: Command["state"]): void {
  const board = presence.board(id, { username, ...(state && { state }) });
  boards.set(id, board);
  const see = (sight: object) => console.log(JSON.stringify({ board: id, ...sight }));
  let status = "";
  const look = () => {
    const { self, others, memberCount, userCount } = board.snapshot();
    if (board.status !== status) see({ see: "status", status: board.status });
    status = board.status;
    if (self !== null) see({ see: "roster", members: [self, ...others], count: memberCount, users: userCount });
  };
  board.subscribe(look);
  look();
  board.cursors.subscribe((moved) => {
    for (const { member, point, hidden } of moved) see({ see: "cursor", memberId: member.memberId, ...(hidden ? { hidden } : point) });
  });
  board.on("user_left", ({ member, reason }) => see({ see: "left", memberId: member.memberId, reason }));
  board.on("announcement", ({ text }) => see({ see: "announcement", text }));
  board.on("error", ({ code, message }) => see({ see: "error", code, message }));
  for (const name of ["reaction", "still"]) {
    board.on(name, (event) => {
      const { member, data } = event as unknown as { readonly member: Member; readonly data: unknown };
      see({ see: "event", memberId: member.memberId, name, data });
    });
  }
}
