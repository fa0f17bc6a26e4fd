/**
 * How each of the three encodings tells what happens on a board: in whole frames, made once for all its sockets. Pieces that one socket
 * is not to get (its own cursor, its own event) are marked in the draft and left out when that socket is written to.
 */

import {
  type BoardId,
  type BoardRef,
  CLASSIC_COUNT_MAX,
  COORDINATE_U16_MAX,
  type CursorMove,
  encodeBinary,
  encodeClassic,
  encodeCursors,
  encodeJson,
  HIDDEN,
  type Json,
  type Member,
  type Millis,
  type RosterEntry,
  type ServerMessage,
  Writer,
} from "@presence-service/protocol";
import type { RosterChange } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import { ClassicIds, type ClassicTable } from "./classic-ids.ts";
import { binaryFrame, binaryFrameStart, type ClientSocket, textFrame } from "./socket.ts";

/** The encodings, as the metric `presence_connections` names them. */
export type Encoding = "binary" | "json" | "classic";

/** The roster that an instance shows for a board. */
export type BoardRoster = {
  readonly settling: boolean;
  /** Other instances are not heard on this board. */
  readonly degraded: boolean;
  readonly members: number;
  readonly users: number;
  readonly entries: readonly RosterEntry[];
};

/** The belief of a socket that was told nothing for a while, or never. Empty where a fresh roster replaces everything. */
export type Told = ClassicTable;
export const TOLD_NOTHING: Told = [];

/** The frames of one tick for all sockets of one encoding: roster first, then cursors. */
export class Draft {
  readonly #chunks: Buffer[] = [];
  #holes: Map<number, number[]> | undefined;
  #roster: { readonly bytes: number; readonly frames: number } | undefined;
  bytes = 0;
  frames = 0;
  /** The number of cursors in it. */
  moves = 0;

  /** `count` frames, or 0 for a piece whose frame is completed by the next. */
  add(frames: Buffer, count = 1): void {
    this.#chunks.push(frames);
    this.bytes += frames.length;
    this.frames += count;
  }

  /** Adds one frame for all sockets but that of this actor. */
  addExcept(actor: number, frame: Buffer): void {
    const start = this.bytes;
    this.add(frame);
    this.leaveOut(actor, start, this.bytes);
  }

  /** Leaves one frame out for that actor's own socket: the bytes from `start` to `end`. To be called in ascending order. */
  leaveOut(actor: number, start: number, end: number): void {
    this.#holes ??= new Map();
    const known = this.#holes.get(actor);
    if (known === undefined) this.#holes.set(actor, [start, end]);
    else known.push(start, end);
  }

  /** Ends the roster part: everything added from now on is cursors. */
  endRoster(): void {
    this.#roster = { bytes: this.bytes, frames: this.frames };
  }

  get rosterBytes(): number {
    return this.#roster?.bytes ?? this.bytes;
  }

  get rosterFrames(): number {
    return this.#roster?.frames ?? this.frames;
  }

  /** Starts and ends of the pieces that this actor's socket does not get, in one flat list. */
  holesFor(actor: number): readonly number[] | undefined {
    return this.#holes?.get(actor);
  }

  /** The draft as one buffer, to be shared by many sockets. */
  joined(): Buffer {
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.bytes);
  }

  /** Writes the draft piece by piece, so that shared pieces are not copied for each socket. */
  writeTo(socket: ClientSocket): void {
    socket.cork();
    for (const chunk of this.#chunks) socket.write(chunk);
    socket.uncork();
  }
}

export interface Wire {
  change(change: RosterChange, draft: Draft): void;
  event(actor: number, name: string, data: Json, draft: Draft): void;
  counts(members: number, users: number, draft: Draft): void;
  pace(cursorMs: Millis, draft: Draft): void;
  degraded(on: boolean, draft: Draft): void;
  cursors(moves: Moves, draft: Draft): void;
  /** Prepares a roster for many sockets. The result writes what a socket that believes `told` needs; `self` is its own actor. */
  board(roster: BoardRoster): (self: number, told: Told, draft: Draft) => void;
  /** The belief of a socket that was told everything but this tick. */
  told(): Told;
  /** The tick is over. */
  settled(): void;
}

export function wireFor(
  encoding: Encoding,
  board: { readonly boardId: BoardId; readonly number: number },
  roster: () => BoardRoster,
): Wire {
  switch (encoding) {
    case "binary":
      return new BinaryWire(board.boardId, board.number);
    case "json":
      return new MessageWire(board.boardId, board.boardId, (message) => textFrame(encodeJson(message)));
    case "classic":
      return new ClassicWire(Number(board.boardId), roster().entries);
  }
}

/** `presence.v2.json`, and the part of `presence.v2` that is the same. */
class MessageWire implements Wire {
  protected readonly boardId: BoardId;
  protected readonly ref: BoardRef;
  readonly #frame: (message: ServerMessage) => Buffer;

  constructor(boardId: BoardId, ref: BoardRef, frame: (message: ServerMessage) => Buffer) {
    this.boardId = boardId;
    this.ref = ref;
    this.#frame = frame;
  }

  change(change: RosterChange, draft: Draft): void {
    const { actor } = change;
    switch (change.change) {
      case "joined":
        return draft.add(this.#frame({ kind: "user_joined", board: this.ref, actor, member: change.member }));
      case "updated":
        // The member's own client made the change, or gets a fresh roster.
        return draft.addExcept(actor, this.#frame({ kind: "user_updated", board: this.ref, actor, patch: change.patch }));
      case "left":
        return draft.add(this.#frame({ kind: "user_left", board: this.ref, actor, reason: change.reason }));
    }
  }

  event(actor: number, name: string, data: Json, draft: Draft): void {
    draft.addExcept(actor, this.#frame({ kind: "event", board: this.ref, actor, name, data }));
  }

  counts(members: number, users: number, draft: Draft): void {
    draft.add(this.#frame({ kind: "presence_update", board: this.ref, members, users }));
  }

  pace(cursorMs: Millis, draft: Draft): void {
    draft.add(this.#frame({ kind: "pace", cursorMs }));
  }

  degraded(on: boolean, draft: Draft): void {
    draft.add(this.#frame({ kind: "degraded", on, board: this.ref }));
  }

  cursors(moves: Moves, draft: Draft): void {
    const list: CursorMove[] = [];
    for (let at = 0; at < moves.length; at += 3) {
      const [actor = 0, x = 0, y = 0] = moves.slice(at, at + 3);
      list.push({ actor, at: x === HIDDEN ? null : { x, y } });
    }
    this.addCursors(moves, this.#frame({ kind: "cursors", board: this.ref, moves: list }), draft);
  }

  /** Adds one frame for all sockets. If only one member moved, its own socket does not get it. */
  protected addCursors(moves: Moves, frame: Buffer, draft: Draft): void {
    draft.moves = moves.length / 3;
    if (moves.length === 3) draft.addExcept(moves[0] ?? 0, frame);
    else draft.add(frame);
  }

  board(roster: BoardRoster): ReturnType<Wire["board"]> {
    return (self, _told, draft) => draft.add(this.#frame(this.joined(self, roster)));
  }

  protected joined(self: number, { entries, degraded: _, ...counts }: BoardRoster): ServerMessage {
    return { kind: "joined", boardId: this.boardId, board: this.ref, self, ...counts, roster: entries };
  }

  told(): Told {
    return TOLD_NOTHING;
  }

  settled(): void {}
}

class BinaryWire extends MessageWire {
  readonly #number: number;

  constructor(boardId: BoardId, number: number) {
    super(boardId, number, (message) => binaryFrame(encodeBinary(message)));
    this.#number = number;
  }

  override cursors(moves: Moves, draft: Draft): void {
    this.addCursors(moves, binaryFrame(encodeCursors(this.#number, moves)), draft);
  }

  /** A thousand clients that join in one tick share one encoded roster: only the few bytes up to `self` differ. */
  override board(roster: BoardRoster): ReturnType<Wire["board"]> {
    const whole = encodeBinary(this.joined(0, roster));
    const writer = new Writer(160);
    const headFor = (self: number) =>
      writer
        .reset()
        .u8(whole[0] ?? 0)
        .string(this.boardId)
        .varint(this.#number)
        .varint(self)
        .finish();
    const tail = Buffer.from(whole.buffer, headFor(0).length);
    return (self, _told, draft) => {
      const head = headFor(self);
      draft.add(binaryFrameStart(head, tail.length), 0);
      draft.add(tail);
    };
  }
}

class ClassicWire implements Wire {
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

  counts(members: number, _users: number, draft: Draft): void {
    draft.add(this.#counts(members));
  }

  pace(): void {}

  degraded(): void {}

  cursors(moves: Moves, draft: Draft): void {
    const records = Buffer.allocUnsafe((moves.length / 3) * CURSOR_BYTES);
    const start = draft.bytes;
    let length = 0;
    for (let at = 0; at < moves.length; at += 3) {
      const actor = moves[at] ?? 0;
      const x = moves[at + 1] ?? 0;
      const id = this.#ids.idOf(actor);
      if (id === undefined || x === HIDDEN) continue;
      draft.leaveOut(actor, start + length, start + length + CURSOR_BYTES);
      length = this.#writeCursor(records, length, id, x, moves[at + 2] ?? 0);
    }
    draft.moves = length / CURSOR_BYTES;
    if (length > 0) draft.add(records.subarray(0, length), draft.moves);
  }

  board({ members, entries }: BoardRoster): ReturnType<Wire["board"]> {
    const byActor = new Map(entries.map((entry) => [entry.actor, entry]));
    return (self, told, draft) => {
      for (let id = 0; id < Math.max(told.length, this.#ids.table.length); id++) {
        const [before, now] = [told[id], this.#ids.table[id]];
        if (before !== now && before !== undefined && before !== self) draft.add(this.#userLeft(id));
        const entry = now === undefined || now === self ? undefined : byActor.get(now);
        if (entry === undefined) continue;
        if (before !== now) draft.add(this.#userJoined(id, entry.member));
        // A new classic client sees a cursor once it moves. A client that was skipped for a while is told where it is now.
        if (told === TOLD_NOTHING || entry.at === undefined) continue;
        const cursor = Buffer.allocUnsafe(CURSOR_BYTES);
        this.#writeCursor(cursor, 0, id, entry.at.x, entry.at.y);
        draft.add(cursor);
      }
      draft.add(this.#counts(members));
    };
  }

  told(): Told {
    return this.#before ?? [...this.#ids.table];
  }

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

  /** Writes a cursor and answers where the next one begins. Nothing is allocated per cursor. */
  #writeCursor(into: Buffer, at: number, id: number, x: number, y: number): number {
    into[at] = 0x82;
    into[at + 1] = CURSOR_BYTES - 2;
    into[at + 2] = 0x02;
    into.writeUInt16BE(this.#board, at + 3);
    into[at + 5] = id;
    into.writeUInt16BE(clampU16(x), at + 6);
    return into.writeUInt16BE(clampU16(y), at + 8);
  }
}

/** A framed CursorBroadcast. */
const CURSOR_BYTES = 10;

function clampU16(value: number): number {
  return Math.min(Math.max(value, 0), COORDINATE_U16_MAX);
}
