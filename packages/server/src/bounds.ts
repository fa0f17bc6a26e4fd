/**
 * The limits that an operator may change: how much one connection, address, user or board may use at each instance. A message above a limit
 * waits, is gathered with others, or is answered with an error that names the limit; nobody is ended for what others do. connection/budget.ts
 * has the prices that are paid out of them.
 */

import { BOARDS_PER_CONNECTION_MAX, WATCHED_BOARDS_MAX } from "@presence-service/protocol";
import { PresenceError } from "./errors.ts";

export type Bound = {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly meaning: string;
};

export const BOUNDS = {
  connectionsPerAddress: {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    unit: "connections",
    meaning:
      "WebSockets of one network address; further ones get 503 and come back. The default is a company behind one address, or all people behind a proxy that TRUSTED_PROXIES does not name. Where people are told apart, 500 is plenty.",
  },
  handshakesPerAddress: {
    default: 1000,
    min: 1,
    max: 100_000,
    unit: "a second",
    meaning:
      "Upgrades of one network address that are looked at in a second (twice as many at once); further ones wait. The default is above what WORK_PER_ADDRESS pays for. Where people are told apart, 50 is plenty.",
  },
  connectionsPerUser: {
    default: 200,
    min: 1,
    max: 1_000_000,
    unit: "connections",
    meaning:
      "WebSockets of one user (the sub of tokens, the userId of authenticate); further ones are told unavailable, closed with 4002, and come back. A person has some tabs and devices, and 25 to 50 s of broken connections. Without tokens nobody is known.",
  },
  connectionsWithoutHello: {
    default: 4096,
    min: 16,
    max: 1_000_000,
    unit: "connections",
    meaning:
      "WebSockets whose client has not said hello, or is a classic client and has never joined a board. For a further one the oldest that is older than 1 s is ended; when ten thousand people come back within 2 s, some hundred are in this state.",
  },
  helloMs: {
    default: 5000,
    min: 1000,
    max: 60_000,
    unit: "ms",
    meaning:
      "The time that a client has for its hello. Client and service send it in the same round trip; 5 s are enough for a train in a tunnel.",
  },
  boardsPerConnection: {
    default: BOARDS_PER_CONNECTION_MAX,
    min: 1,
    max: BOARDS_PER_CONNECTION_MAX,
    unit: "boards",
    meaning: "Boards that one connection is on; a further join is answered too_many_boards. More than any app shows at once.",
  },
  boardsPerAddress: {
    default: 20_000,
    min: 1,
    max: 10_000_000,
    unit: "boards",
    meaning:
      "Boards that are here because somebody at one network address was the first on them; a further join that would bring a new board is answered unavailable. A board takes 9 KB, so the default is 180 MB.",
  },
  watchedPerConnection: {
    default: WATCHED_BOARDS_MAX,
    min: 1,
    max: WATCHED_BOARDS_MAX,
    unit: "boards",
    meaning: "Boards that one connection watches for their counts; a further one is answered too_many_watched. A long list of documents.",
  },
  watchedPerAddress: {
    default: 100_000,
    min: 1,
    max: 10_000_000,
    unit: "boards",
    meaning:
      "Boards that all connections of one network address watch, each counted for each; a further one is answered unavailable. A hundred people with lists of a thousand.",
  },
  membersPerBoard: {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    unit: "members",
    meaning:
      "Members of a board, at all instances together. A join of somebody who is not on it yet is answered unavailable, and asked again by the client until there is room; instances that hear of each other's members a moment later let in a few more. The default is twice the largest board that was measured.",
  },
  workPerConnection: {
    default: 2000,
    min: 100,
    max: 1_000_000,
    unit: "work a second",
    meaning:
      "Messages and bytes of one connection, in work (ten times as much at once): 1 000 moves a second, where a hand makes 60. Its address lends it more; whatever is not paid for is read later.",
  },
  workPerAddress: {
    default: 250_000,
    min: 1000,
    max: 10_000_000,
    unit: "work a second",
    meaning:
      "Work that a network address lends to its connections, and pays for upgrades (twice as much at once): a quarter of the event loop.",
  },
  joinsPerConnection: {
    default: 50,
    min: 1,
    max: 10_000,
    unit: "a second",
    meaning:
      "Joins of one connection (four times as many at once); a further one is answered too_fast. 32 boards joined at once, several times over.",
  },
  updatesPerConnection: {
    default: 50,
    min: 1,
    max: 10_000,
    unit: "a second",
    meaning:
      "Updates of one connection (four times as many at once); a further one is answered too_fast. The SDK gathers updates to 20 a second on a board.",
  },
  eventsPerConnection: {
    default: 50,
    min: 1,
    max: 10_000,
    unit: "a second",
    meaning:
      "Events (broadcasts) of one connection (four times as many at once); a further one is answered too_fast. More than a hand can do.",
  },
  joinsPerBoard: {
    default: 200,
    min: 1,
    max: 100_000,
    unit: "a second",
    meaning:
      "Joins of one board at each instance (five times as many at once). Each further one costs its sender ten times as much work: people who all come at once do not notice, and who joins without end is read later.",
  },
  bytesPerBoard: {
    default: 32_000_000,
    min: 10_000,
    max: 10_000_000_000,
    unit: "bytes × members a second",
    meaning:
      "Updates and events of one board at each instance, in bytes times those who are told (twice as much at once); further ones are answered too_fast, but for a share that each client on the board keeps. Fifty people that draw together make 25 000 000.",
  },
} as const satisfies Record<string, Bound>;

export type Bounds = { readonly [of in keyof typeof BOUNDS]: number };
export type BoundName = keyof Bounds;

export const BOUND_NAMES = Object.keys(BOUNDS) as BoundName[];

/** All limits: those that are given, and the defaults. Throws `BAD_SETTINGS` for one that is out of its range. */
export function boundsOf(given: Partial<Bounds> = {}): Bounds {
  for (const [name, value] of Object.entries(given)) {
    const bound: Bound | undefined = BOUNDS[name as BoundName];
    if (bound === undefined) throw new PresenceError("BAD_SETTINGS", `limits has ${JSON.stringify(name)}, which is no limit`);
    const { min, max } = bound;
    if (value !== undefined && !(Number.isInteger(value) && value >= min && value <= max))
      throw new PresenceError("BAD_SETTINGS", `limits.${name} is ${value}; it must be a whole number from ${min} to ${max}`);
  }
  return Object.fromEntries(BOUND_NAMES.map((name) => [name, given[name] ?? BOUNDS[name].default])) as Bounds;
}
