/** The tables of docs/guides/limits-and-costs.md: each number is that of the code, and each error that the SDK throws is thrown. After a change: `npm run docs`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AREA_BYTES_MAX,
  AVATAR_BYTES_MAX,
  BOARD_ID_BYTES_MAX,
  BOARDS_PER_CONNECTION_MAX,
  COORDINATE_MAX,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  JSON_DEPTH_MAX,
  LOOK_AREAS_MAX,
  PATH_POINTS_MAX,
  RECIPIENTS_MAX,
  ROSTER_MAX,
  STATE_BYTES_MAX,
  TOKEN_BYTES_MAX,
  USERNAME_BYTES_MAX,
  WATCHED_BOARDS_MAX,
} from "@presence-service/protocol";
import { BOUNDS } from "../../server/src/bounds.ts";
import { AGENTS_MAX } from "../../server/src/connection/agents.ts";
import { compareTable } from "../../server/test/harness/document.ts";
import { atDesk } from "./testing/service.ts";

type Limit = {
  readonly of: string;
  readonly max: number;
  readonly unit: string;
  readonly error: ErrorConstructor;
  /** Throws, or rejects with, that error for one more than `max`, and not for `max`. */
  readonly ask: (desk: Awaited<ReturnType<typeof atDesk>>, amount: number) => unknown;
};

const text = (length: number) => "x".repeat(length);
const nested = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);

/** Each is refused where it is given. */
const THROWN: readonly Limit[] = [
  {
    of: "the id of a board (`A–Z a–z 0–9 . _ ~ : @ / -`)",
    max: BOARD_ID_BYTES_MAX,
    unit: "characters",
    error: TypeError,
    ask: ({ presence }, length) => presence.board(text(length)),
  },
  {
    of: "a username",
    max: USERNAME_BYTES_MAX,
    unit: "bytes",
    error: RangeError,
    ask: ({ board }, length) => board.rename(text(length)),
  },
  {
    of: "the whole state of a member, as JSON",
    max: STATE_BYTES_MAX,
    unit: "bytes",
    error: RangeError,
    ask: ({ board }, length) => board.update({ a: text(length - '{"a":""}'.length) }),
  },
  {
    of: "the nesting of state and data",
    max: JSON_DEPTH_MAX,
    unit: "levels",
    error: TypeError,
    ask: ({ board }, depth) => board.broadcast("deep", nested(depth)),
  },
  { of: "an area", max: AREA_BYTES_MAX, unit: "bytes", error: RangeError, ask: ({ board }, length) => board.area(text(length)) },
  {
    of: 'areas that one looks at (`"all"` has no limit)',
    max: LOOK_AREAS_MAX,
    unit: "areas",
    error: RangeError,
    ask: ({ board }, count) => board.look(Array.from({ length: count }, (_, at) => `page-${at}`)),
  },
  {
    of: "the name of an event",
    max: EVENT_NAME_BYTES_MAX,
    unit: "bytes",
    error: RangeError,
    ask: ({ board }, length) => board.broadcast(text(length), 1),
  },
  {
    of: "the data of an event, as JSON",
    max: EVENT_DATA_BYTES_MAX,
    unit: "bytes",
    error: RangeError,
    ask: ({ board }, length) => board.broadcast("long", text(length - 2)),
  },
  {
    of: "members, and users, that one event is for",
    max: RECIPIENTS_MAX,
    unit: "of each",
    error: RangeError,
    ask: ({ board }, count) => board.to(Array.from({ length: count }, (_, at) => ({ userId: `u-${at}` }))),
  },
  {
    of: "members of one `page()`",
    max: ROSTER_MAX,
    unit: "members",
    error: RangeError,
    ask: ({ board }, count) => board.page({ count }),
  },
  {
    of: "boards that a client watches",
    max: WATCHED_BOARDS_MAX,
    unit: "boards",
    error: RangeError,
    ask: ({ presence }, count) => presence.watch(Array.from({ length: count }, (_, at) => `doc-${at}`)).stop(),
  },
];

const BROADCASTS = { perSecond: 50, atOnce: 100 };
const UPDATES_PER_SECOND = 20;

/** Limit, number, and what happens beyond it. */
const OTHERS: readonly (readonly [of: string, limit: string, beyond: string])[] = [
  [
    "moves of the cursor",
    "one in 16 to 100 ms, as the service sets the pace",
    "the latest place counts; with `path` the way counts as well",
  ],
  ["places on the way, with `path`", `${PATH_POINTS_MAX} in each`, "some are left out, evenly"],
  ["a place in integers", `±${grouped(COORDINATE_MAX)}`, "the nearest that is allowed"],
  ["updates of the own state", `${UPDATES_PER_SECOND} a second on a board`, "they are gathered; the last state counts"],
  [
    "broadcasts of a client",
    `${BROADCASTS.perSecond} a second, ${BROADCASTS.atOnce} at once`,
    "`broadcast` returns `false`, and nothing is sent",
  ],
  [
    "boards that a client is on",
    `${BOARDS_PER_CONNECTION_MAX}`,
    "the error event `too_many_boards`; the board is entered when another one is left",
  ],
  ["a token", `${grouped(TOKEN_BYTES_MAX)} bytes`, "the error event `token_failed`, and another try with a backoff"],
  ["the URL of an avatar", `${AVATAR_BYTES_MAX} bytes`, "it is left out, and the service logs a warning"],
  [
    "members of a board that are listed",
    grouped(ROSTER_MAX),
    "further ones are counted, reached by `page()`, and heard when they broadcast; their cursors and states are not told",
  ],
];

/** Of the service: an operator may change these. */
const OF_OPERATOR: readonly (readonly [name: keyof typeof BOUNDS, of: string, beyond: string])[] = [
  ["membersPerBoard", "members of a board, at all instances", "`unavailable`; the SDK asks again until there is room"],
  [
    "bytesPerBoard",
    "states and events told on a board, in bytes times members a second, at each instance",
    "`too_fast`; states are said again, events are lost. Each client keeps a share",
  ],
  ["connectionsPerUser", "connections of a user at an instance", "`unavailable`, and closed; it comes back with a backoff"],
  [
    "connectionsPerAddress",
    "connections of a network address at an instance",
    "refused (503); the SDK comes back. Behind a proxy: `TRUSTED_PROXIES`",
  ],
  [
    "watchedPerAddress",
    "boards watched from a network address at an instance, each counted for each client",
    "`unavailable`; the SDK asks again",
  ],
];

test("the table of errors in docs/guides/limits-and-costs.md is that of the code", async () => {
  const rows = THROWN.map(({ of, max, unit, error }) => `| ${of} | ${grouped(max)} ${unit} | ${error.name} |`);
  compareTable("guides/limits-and-costs.md", "thrown", ["| of | limit | above it is thrown |", "|---|---|---|", ...rows].join("\n"));
});

for (const { of, max, error, ask } of THROWN)
  test(`the SDK takes ${max} and throws ${error.name} above: ${of}`, async () => {
    const desk = await atDesk(["ana"]);
    await Promise.race([ask(desk, max), undefined]);
    await assert.rejects(
      async () => ask(desk, max + 1),
      (thrown) => thrown instanceof error && thrown.constructor === error,
    );
  });

test("the table of other limits in docs/guides/limits-and-costs.md is that of the code", async () => {
  const rows = OTHERS.map((row) => `| ${row.join(" | ")} |`);
  compareTable("guides/limits-and-costs.md", "gathered", ["| of | limit | above it |", "|---|---|---|", ...rows].join("\n"));
  const { board, driver, socket } = await atDesk(["ana"]);
  const said = () => Array.from({ length: 1000 }, () => board.broadcast("x", 1)).filter(Boolean).length;
  assert.equal(said(), BROADCASTS.atOnce);
  await driver.advance(1000);
  assert.equal(said(), BROADCASTS.perSecond);
  for (let at = 0; at < 400; at++) {
    board.update({ at });
    await driver.advance(5);
  }
  const updates = socket.sent("update").length;
  assert(updates >= 2 * UPDATES_PER_SECOND - 1 && updates <= 2 * UPDATES_PER_SECOND + 1, `${updates} in two seconds`);
});

test("the table of settings in docs/guides/limits-and-costs.md is that of the code", () => {
  const settings = OF_OPERATOR.map(([name, of, beyond]) => {
    const setting = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    return `| ${of} | ${grouped(BOUNDS[name].default)} | \`${setting}\` | ${beyond} |`;
  });
  const agents = `| agents by the admin API at an instance | ${grouped(AGENTS_MAX)} | | 503; ask another instance |`;
  const rows = ["| of | default | setting | above it |", "|---|---|---|---|", ...settings, agents];
  compareTable("guides/limits-and-costs.md", "settings", rows.join("\n"));
});

function grouped(number: number): string {
  return number < 10_000 ? String(number) : String(number).replace(/\B(?=(\d{3})+$)/g, " ");
}
