/** The measured floods. Each is described by the messages of one of its sockets. */

import { type BoardId, type ClientMessage, encodeClassic } from "@presence-service/protocol";

export type Flood = {
  /** undefined: a classic client. */
  readonly protocol?: "presence.v2" | "presence.v2.json";
  /** Sent once at the beginning. */
  readonly first?: readonly ClientMessage[];
  /** Sent without end; made from the number of the message and that of its socket. */
  readonly message?: (nth: number, socket: number) => ClientMessage | string | Uint8Array;
  /** A raw frame, instead of a message. */
  readonly raw?: Buffer;
  /** False: each message is different. */
  readonly isFixed?: boolean;
  readonly chunkBytes?: number;
  /** The socket is cut after `first`, and opened again. */
  readonly once?: boolean;
  /** The socket is not read after `first`. */
  readonly isFrozen?: boolean;
  /** The socket is cut as soon as it is open. */
  readonly isOver?: boolean;
};

export const FLOOD_BOARD = "flooded" as BoardId;
/** The board on which the measured people are. */
export const THEIR_BOARD = "1" as BoardId;
/** Of the boards that one message of a scan watches, so many; the next message gives them back. */
const SCANNED = 200;
const FULL_STATE = { filler: "x".repeat(4000) };
const HELLO: ClientMessage = { kind: "hello" };

function join(attempt: number, boardId: string = FLOOD_BOARD, username = "flooder", state = {}): ClientMessage {
  return { kind: "join", boardId: boardId as BoardId, attempt, username, status: "active", state };
}

const json = { protocol: "presence.v2.json", first: [HELLO] } as const;
const binary = { protocol: "presence.v2", first: [HELLO] } as const;
const joinedJson = { protocol: "presence.v2.json", first: [HELLO, join(1)] } as const;

export const FLOODS = {
  heartbeats: { ...json, message: () => ({ kind: "heartbeat" }) },
  "bad usernames": { ...json, message: () => join(1, "b", "a\u202eb") },
  "too fast": { ...joinedJson, message: () => ({ kind: "broadcast", board: FLOOD_BOARD, name: "n", data: 1 }) },
  auth: { ...binary, message: () => ({ kind: "auth", token: "" }) },
  "leave, not joined": { ...json, message: () => ({ kind: "leave", board: FLOOD_BOARD }) },
  "update, not joined": { ...json, message: () => ({ kind: "update", board: FLOOD_BOARD, state: { a: 1 } }) },
  "hello again": { ...json, message: () => HELLO },
  pongs: { ...json, raw: Buffer.from([0x8a, 0x80, 0, 0, 0, 0]) },
  pings: { ...json, raw: Buffer.from([0x89, 0x80, 0, 0, 0, 0]) },
  "empty messages": { raw: Buffer.from([0x82, 0x80, 0, 0, 0, 0]) },
  fragments: {
    raw: Buffer.concat([
      Buffer.from([0x02, 0x81, 0, 0, 0, 0, 1]),
      Buffer.from(Array(60).fill([0x00, 0x81, 0, 0, 0, 0, 1]).flat()),
      Buffer.from([0x80, 0x81, 0, 0, 0, 0, 1]),
    ]),
  },
  "classic junk": { message: () => Uint8Array.of(0xff) },
  "v2 junk": { ...binary, message: () => Uint8Array.of(0xff) },
  "JSON cursors": {
    ...joinedJson,
    isFixed: false,
    message: (nth) => ({ kind: "cursor", board: FLOOD_BOARD, at: { x: nth & 0xffff, y: 1 } }),
  },
  "cursors on 32 boards": {
    protocol: "presence.v2.json",
    first: [HELLO, ...Array.from({ length: 32 }, (_, nth) => join(1, `board-${nth}`))],
    isFixed: false,
    message: (nth) => ({ kind: "cursor", board: `board-${nth % 32}` as BoardId, at: { x: nth & 0xffff, y: 1 } }),
  },
  "binary cursors": { protocol: "presence.v2", first: [HELLO, join(1)], message: () => ({ kind: "cursor", board: 0, at: { x: 1, y: 1 } }) },
  "classic cursors": {
    first: [],
    message: (nth) =>
      nth === 0
        ? encodeClassic({ kind: "join", board: 7, username: "eve" })
        : encodeClassic({ kind: "cursor_update", board: 7, x: 1, y: 1 }),
  },
  "joins of a large board": {
    protocol: "presence.v2",
    first: [HELLO],
    isFixed: false,
    chunkBytes: 400,
    message: (nth) => join(nth + 1, "large", "flooder"),
  },
  "the same in JSON": {
    protocol: "presence.v2.json",
    first: [HELLO],
    isFixed: false,
    chunkBytes: 400,
    message: (nth) => join(nth + 1, "large", "flooder"),
  },
  sessions: { protocol: "presence.v2", first: [HELLO, join(1, FLOOD_BOARD, "ghost", FULL_STATE)], once: true },
  "new boards": {
    ...json,
    isFixed: false,
    message: (nth, socket) =>
      nth % 2 === 0 ? join(1, `new-${socket}-${nth}`) : { kind: "leave", board: `new-${socket}-${nth - 1}` as BoardId },
  },
  "joins of their board": {
    ...json,
    isFixed: false,
    chunkBytes: 4000,
    message: (nth) => join(nth + 1, THEIR_BOARD, `flooder ${nth % 7}`),
  },
  "comings and goings on their board": {
    ...json,
    isFixed: false,
    chunkBytes: 4000,
    message: (nth) => (nth % 2 === 0 ? join(nth + 1, THEIR_BOARD) : { kind: "leave", board: THEIR_BOARD }),
  },
  "events on their board": {
    protocol: "presence.v2.json",
    first: [HELLO, join(1, THEIR_BOARD)],
    message: () => ({ kind: "broadcast", board: THEIR_BOARD, name: "n", data: "x".repeat(1000) }),
  },
  "a scan of boards": {
    ...json,
    isFixed: false,
    chunkBytes: 4000,
    message: (nth, socket) => {
      const boards = Array.from({ length: SCANNED }, (_, at) => `scan-${socket}-${(nth >> 1) * SCANNED + at}` as BoardId);
      return { kind: "watch", boards, ...(nth % 2 === 1 && { off: true }) };
    },
  },
  "frozen readers": { protocol: "presence.v2", first: [HELLO, join(1, FLOOD_BOARD, "frozen")], isFrozen: true },
  "frozen readers on their board": { protocol: "presence.v2", first: [HELLO, join(1, THEIR_BOARD, "frozen")], isFrozen: true },
  handshakes: { isOver: true },
} as const satisfies Record<string, Flood>;
