/** A case about a client has a stage and the client's program; this starts and ends both, and has the usual beginnings. */

import type { BoardId, ServerMessage } from "@presence-service/protocol";
import type { Case } from "../cases.ts";
import { Program } from "./program.ts";
import { type joined, joined as joinedOf, type Line, Stage } from "./stage.ts";

/** `also`: what this client does of that which a client may leave out. */
export type Client = { readonly command: string; readonly also: readonly Also[] };
export const ALSO = ["watch"] as const;
export type Also = (typeof ALSO)[number];
export type Play = { readonly stage: Stage; readonly program: Program };
export type ClientCase = Case<Client>;

export const BOARD = "doc-42" as BoardId;

/** The run of a case: the program is started on a stage of its own, and both are ended. `tokens`: what the client is given to say. */
export function play(script: (play: Play) => Promise<void>, tokens: readonly string[] = []): ClientCase["run"] {
  return async ({ command }) => {
    const stage = await Stage.open();
    const program = new Program(command, stage.url, tokens);
    try {
      await script({ stage, program });
    } finally {
      await program.end();
      stage.close();
    }
  };
}

type Start = Parameters<typeof joined>[1] & {
  readonly welcome?: Partial<Extract<ServerMessage, { kind: "welcome" }>>;
  readonly state?: { readonly [key: string]: string | number };
  readonly name?: string;
};

/** The client connects and joins as Me; the board is told and shown. */
export async function start({ stage, program }: Play, { welcome = {}, state = {}, ...options }: Start = {}): Promise<Line> {
  program.do({ do: "join", board: BOARD, username: "Me", state });
  const line = await stage.welcomed(1, welcome);
  line.say(joinedOf(await line.heard("join"), options));
  await program.shows(BOARD, ["Me", ...(options.others ?? []).map(([, { username }]) => username)]);
  return line;
}

/** The client comes back, says hello and joins, and is answered. */
export async function resume({ stage }: Play, nth: number, options: Start = {}): Promise<Line> {
  const line = await stage.welcomed(nth, options.welcome);
  line.say(joinedOf(await line.heard("join"), options));
  return line;
}
