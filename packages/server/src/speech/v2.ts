/** `presence.v2` and `presence.v2.json`: the same messages, as bytes and as JSON. */

import {
  ACTOR_MAX,
  type BoardId,
  type BoardRef,
  type CursorMove,
  decodeClientBinary,
  decodeClientJson,
  encodeBinary,
  encodeCursors,
  encodeJson,
  HIDDEN,
  type Json,
  type JsonObject,
  type Millis,
  mistakeInBinary,
  mistakeInJson,
  readCursor,
  type ServerMessage,
  Writer,
} from "@presence-service/protocol";
import type { RosterChange } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import type { Draft } from "./draft.ts";
import { binaryFrame, binaryFrameStart, textFrame } from "./socket.ts";
import { type BoardRoster, type Counts, type Speech, type Teller, TOLD_NOTHING, type Told } from "./speech.ts";

const HABITS = { saysHello: true, canResume: true, isTold: true, isPaidByByte: true };

export const BINARY: Speech = {
  ...HABITS,
  encoding: "binary",
  readCursor,
  read: (data, isBinary) => (isBinary ? decodeClientBinary(data) : undefined),
  mistakeIn: (data, isBinary) => (isBinary ? mistakeInBinary(data) : undefined),
  frame: binaryMessage,
  refOf: ({ number }) => number,
  teller: ({ boardId, number }) => new BinaryTeller(boardId, number),
};

export const JSON_TEXT: Speech = {
  ...HABITS,
  encoding: "json",
  readCursor: () => false,
  read: (data, isBinary) => (isBinary ? undefined : decodeClientJson(data.toString())),
  mistakeIn: (data, isBinary) => (isBinary ? undefined : mistakeInJson(data.toString())),
  frame: textMessage,
  refOf: ({ boardId }) => boardId,
  teller: ({ boardId }) => new MessageTeller(boardId, boardId, textMessage),
};

function binaryMessage(message: ServerMessage): Buffer {
  return binaryFrame(encodeBinary(message));
}

function textMessage(message: ServerMessage): Buffer {
  return textFrame(encodeJson(message));
}

/** Tells `presence.v2.json`, and the part of `presence.v2` that is the same. */
class MessageTeller implements Teller {
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
        return this.#updated(actor, change.patch, draft);
      case "left":
        return draft.add(this.#frame({ kind: "user_left", board: this.ref, actor, reason: change.reason }));
    }
  }

  /** A member's own client makes all changes of it, or gets a fresh roster; only its colour may change without its doing (R18). */
  #updated(actor: number, patch: JsonObject, draft: Draft): void {
    const frame = this.#frame({ kind: "user_updated", board: this.ref, actor, patch });
    if ("color" in patch) draft.add(frame);
    else draft.addExcept(actor, frame);
  }

  event(actor: number, name: string, data: Json, draft: Draft, to?: readonly number[]): void {
    const frame = this.#frame({ kind: "event", board: this.ref, actor, name, data });
    if (to === undefined) draft.addExcept(actor, frame);
    else draft.addFor(to, frame);
  }

  counts({ members, users, observed }: Counts, draft: Draft): void {
    draft.add(this.#frame({ kind: "presence_update", board: this.ref, members, users, ...(observed && { observed }) }));
  }

  observed(counts: Counts, draft: Draft): void {
    this.counts(counts, draft);
  }

  pace(cursorMs: Millis, draft: Draft): void {
    draft.add(this.#frame({ kind: "pace", cursorMs }));
  }

  degraded(on: boolean, draft: Draft): void {
    draft.add(this.#frame({ kind: "degraded", on, board: this.ref }));
  }

  cursors(moves: Moves, stamp: number, draft: Draft): void {
    const list: CursorMove[] = [];
    for (let at = 0; at < moves.length; at += 3) {
      const [actor = 0, x = 0, y = 0] = moves.slice(at, at + 3);
      list.push({ actor, at: x === HIDDEN ? null : { x, y } });
    }
    this.addCursors(moves, this.#frame({ kind: "cursors", board: this.ref, stamp, moves: list }), draft);
  }

  /** Adds one frame for all sockets. If only one member moved, its own socket does not get it. */
  protected addCursors(moves: Moves, frame: Buffer, draft: Draft): void {
    draft.moves = moves.length / 3;
    if (moves.length === 3) draft.addExcept(moves[0] ?? 0, frame);
    else draft.add(frame);
  }

  board(roster: BoardRoster): ReturnType<Teller["board"]> {
    return (self, _told, draft) => draft.add(this.#frame(this.joined(self, roster)));
  }

  /** `self` undefined: for an observer. */
  protected joined(self: number | undefined, { entries, degraded: _, observed, ...counts }: BoardRoster): ServerMessage {
    const { boardId, ref: board } = this;
    const more = { ...(self === undefined && { observe: true }), ...(observed && { observed }) };
    return { kind: "joined", boardId, board, self: self ?? ACTOR_MAX, ...counts, roster: entries, ...more };
  }

  told(): Told {
    return TOLD_NOTHING;
  }

  settled(): void {}
}

class BinaryTeller extends MessageTeller {
  readonly #number: number;

  constructor(boardId: BoardId, number: number) {
    super(boardId, number, binaryMessage);
    this.#number = number;
  }

  override cursors(moves: Moves, stamp: number, draft: Draft): void {
    this.addCursors(moves, binaryFrame(encodeCursors(this.#number, stamp, moves)), draft);
  }

  /** A thousand clients that join in one tick share one encoded roster: only the few bytes up to `self` differ. */
  override board(roster: BoardRoster): ReturnType<Teller["board"]> {
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
    let forObservers: Buffer | undefined;
    return (self, _told, draft) => {
      if (self === undefined) {
        forObservers ??= binaryMessage(this.joined(undefined, roster));
        return draft.add(forObservers);
      }
      const head = headFor(self);
      draft.add(binaryFrameStart(head, tail.length), 0);
      draft.add(tail);
    };
  }
}
