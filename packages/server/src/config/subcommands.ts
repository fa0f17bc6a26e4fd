/** The subcommands and their own flags, beside those of the settings. Values that are wrong are not shown, as they may be secrets. */

import { type BoardId, isBoardId } from "@presence-service/protocol";
import { MESSAGE_KINDS } from "../bus/envelope.ts";

/** Those that `tap` shows: also, instead of its kind, why a message cannot be read. */
const KINDS = [...MESSAGE_KINDS, "foreign", "version", "invalid"];

type Flag = { readonly unit?: string; readonly meaning: string };

export const SUBCOMMANDS = {
  doctor: {
    meaning: "says what is wrong with these settings, their Redis and the other instances there, and ends within 10 s",
    status: "0 all is well, 1 there are warnings, 2 something does not work (wrong settings included), 70 a defect of ours",
    flags: {
      json: { meaning: "one JSON object instead of lines" },
      board: { unit: "ids", meaning: "boards whose channels are looked at as well, separated by commas" },
    },
  },
  tap: {
    meaning: "shows what instances say to each other, a line for each message, until Ctrl-C",
    status: "0 stopped, 69 Redis does not let this user listen, 70 a defect of ours, 78 wrong settings",
    flags: {
      json: { meaning: "one JSON object per line" },
      content: { meaning: "shows names, users, states and data, which are left out otherwise" },
      board: { unit: "ids", meaning: "these boards only, separated by commas" },
      kind: { unit: "kinds", meaning: "these kinds of messages only, separated by commas: heartbeat, delta, cursors, …" },
      instance: { unit: "id", meaning: "one instance only, by the beginning of its id" },
    },
  },
} as const satisfies Record<string, { meaning: string; status: string; flags: Record<string, Flag> }>;

export type Subcommand = keyof typeof SUBCOMMANDS;

export function isSubcommand(text: string | undefined): text is Subcommand {
  return text !== undefined && Object.hasOwn(SUBCOMMANDS, text);
}

export function flagsOf(name: Subcommand | undefined): Readonly<Record<string, Flag>> {
  return name === undefined ? {} : SUBCOMMANDS[name].flags;
}

export type OwnFlags = {
  readonly isJson: boolean;
  readonly withContent: boolean;
  readonly boards: readonly BoardId[];
  readonly kinds: readonly string[];
  readonly instance: string;
};

/** Adds a sentence for each value that is wrong. */
export function readOwnFlags(flags: ReadonlyMap<string, string>, problems: string[]): OwnFlags {
  const list = (name: string) => (flags.get(name) ?? "").split(",").filter((entry) => entry !== "");
  const boards = list("board");
  const instance = (flags.get("instance") ?? "").toLowerCase();
  if (!boards.every(isBoardId)) problems.push("--board takes the ids of boards, separated by commas.");
  if (!list("kind").every((kind) => KINDS.includes(kind)))
    problems.push(`--kind takes some of these, separated by commas: ${KINDS.join(", ")}.`);
  if (!/^[0-9a-f-]{0,36}$/.test(instance)) problems.push("--instance takes the beginning of an instance's id, such as 3f2a9c51.");
  return { isJson: flags.has("json"), withContent: flags.has("content"), boards: boards as BoardId[], kinds: list("kind"), instance };
}

/** The help of a subcommand. */
export function subcommandHelp(name: Subcommand): string {
  const { meaning, status } = SUBCOMMANDS[name];
  const lines = Object.entries(flagsOf(name)).map(
    ([flag, { unit, meaning }]) => `  ${`--${flag}${unit === undefined ? "" : ` <${unit}>`}`.padEnd(18)} ${meaning}`,
  );
  return `presence-service ${name}: ${meaning}.

Usage: presence-service ${name} [flags]

${lines.join("\n")}

Settings are those of the service, from the same flags, environment and .env: presence-service --help lists them.

Exit status: ${status}.
`;
}
