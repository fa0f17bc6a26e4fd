/**
 * The eight messages of a classic client. Its own become messages of `presence.v2`: a board's number becomes its id, and no session is
 * resumed. It knows the people of a board by one-byte ids (classic-ids.ts).
 */

import {
  type BoardId,
  CLASSIC_COUNT_MAX,
  CLASSIC_CURSOR_BYTES,
  type ClientMessage,
  cleanName,
  decodeClassic,
  encodeClassic,
  HIDDEN,
  type Member,
  type RosterEntry,
  readClassicCursor,
  writeClassicCursor,
} from "@presence-service/protocol";
import type { Counts, RosterChange, RosterView } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import { ClassicIds } from "./classic-ids.ts";
import type { Draft } from "./draft.ts";
import { binaryFrame, frameBytes, writeBinaryHeader } from "./socket.ts";
import { type Speech, type Teller, TOLD_NOTHING, type Told } from "./speech.ts";

export const CLASSIC: Speech = {
  encoding: "classic",
  saysHello: false,
  canResume: false,
  isTold: false,
  isPaidByByte: false,
  readCursor: readClassicCursor,
  read: (data, isBinary) => (isBinary ? read(data) : undefined),
  mistakeIn: () => undefined,
  heartbeat: undefined,
  frame: ({ kind }) => (kind === "heartbeat" ? HEARTBEAT : undefined),
  refOf: ({ boardId }) => Number(boardId),
  teller: ({ boardId }, source) => new ClassicTeller(Number(boardId), source.roster().entries),
};

const HEARTBEAT = binaryFrame(encodeClassic({ kind: "heartbeat" }));
/** A framed `cursor_broadcast`. */
const CURSOR_FRAME_BYTES = frameBytes(CLASSIC_CURSOR_BYTES);

/** The connection counts the attempt of a join (R11). */
function read(data: Buffer): ClientMessage | undefined {
  const message = decodeClassic(data);
  switch (message?.kind) {
    case "join":
      return {
        kind: "join",
        boardId: String(message.board) as BoardId,
        attempt: 0,
        username: cleanName(message.username),
        status: "active",
        state: {},
      };
    case "leave":
      return { kind: "leave", board: String(message.board) as BoardId };
    case "cursor_update":
      return { kind: "cursor", board: String(message.board) as BoardId, at: { x: message.x, y: message.y } };
    case "heartbeat":
      return { kind: "heartbeat" };
    default:
      return undefined;
  }
}

class ClassicTeller implements Teller {
  readonly #board: number;
  readonly #ids = new ClassicIds();
  /** The table of ids before this tick's changes; undefined: nothing has changed in this tick. */
  #before: Told | undefined;

  constructor(board: number, entries: readonly RosterEntry[]) {
    this.#board = board;
    for (const { actor, member } of entries) this.#ids.add(actor, member);
  }

  change(change: RosterChange, draft: Draft): void {
    const { actor } = change;
    if (change.change === "updated") return this.#ids.update(actor, change.member);
    this.#before ??= [...this.#ids.table];
    if (change.change === "joined") {
      const id = this.#ids.add(actor, change.member);
      if (id !== undefined) draft.addExcept(actor, this.#userJoined(id, change.member));
      return;
    }
    const freed = this.#ids.remove(actor);
    if (freed === undefined) return;
    draft.addExcept(actor, this.#userLeft(freed.id));
    if (freed.next !== undefined) draft.addExcept(freed.next.actor, this.#userJoined(freed.id, freed.next.member));
  }

  event(): void {}

  counts({ members }: Counts, draft: Draft): void {
    draft.add(this.#counts(members));
  }

  observed(): void {}

  pace(): void {}

  degraded(): void {}

  cursors(moves: Moves, _stamp: number, draft: Draft): void {
    const records = Buffer.allocUnsafe((moves.length / 3) * CURSOR_FRAME_BYTES);
    const start = draft.bytes;
    let length = 0;
    for (let at = 0; at < moves.length; at += 3) {
      const actor = moves[at] ?? 0;
      const x = moves[at + 1] ?? 0;
      const id = this.#ids.idOf(actor);
      if (id === undefined || x === HIDDEN) continue;
      draft.leaveOut(actor, start + length, start + length + CURSOR_FRAME_BYTES);
      length = this.#writeCursor(records, length, id, x, moves[at + 2] ?? 0);
    }
    draft.moves = length / CURSOR_FRAME_BYTES;
    if (length > 0) draft.add(records.subarray(0, length), draft.moves);
  }

  board({ members, entries }: RosterView): ReturnType<Teller["board"]> {
    const byActor = new Map(entries.map((entry) => [entry.actor, entry]));
    return (self, told, draft) => {
      for (let id = 0; id < Math.max(told.length, this.#ids.table.length); id++) {
        const [before, now] = [told[id], this.#ids.table[id]];
        if (before !== now && before !== undefined && before !== self) draft.add(this.#userLeft(id));
        const entry = now === undefined || now === self ? undefined : byActor.get(now);
        if (entry === undefined) continue;
        if (before !== now) draft.add(this.#userJoined(id, entry.member));
        // A new classic client sees a cursor once it moves. A client that was skipped for a while is told where it is now.
        if (told === TOLD_NOTHING || entry.at === undefined || entry.member.area !== undefined) continue;
        const cursor = Buffer.allocUnsafe(CURSOR_FRAME_BYTES);
        this.#writeCursor(cursor, 0, id, entry.at.x, entry.at.y);
        draft.add(cursor);
      }
      draft.add(this.#counts(members));
    };
  }

  told(): Told {
    return this.#before ?? [...this.#ids.table];
  }

  news(): void {}

  settled(): void {
    this.#before = undefined;
  }

  #userJoined(user: number, { username, color }: Member): Buffer {
    return binaryFrame(encodeClassic({ kind: "user_joined", board: this.#board, user, username, color }));
  }

  #userLeft(user: number): Buffer {
    return binaryFrame(encodeClassic({ kind: "user_left", board: this.#board, user }));
  }

  #counts(members: number): Buffer {
    return binaryFrame(encodeClassic({ kind: "presence_update", board: this.#board, count: Math.min(members, CLASSIC_COUNT_MAX) }));
  }

  /** Writes a framed cursor and answers where the next one begins. Nothing is allocated. */
  #writeCursor(to: Buffer, at: number, id: number, x: number, y: number): number {
    return writeClassicCursor(to, writeBinaryHeader(to, at, CLASSIC_CURSOR_BYTES), this.#board, id, x, y);
  }
}
