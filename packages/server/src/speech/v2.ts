/** `presence.v2` and `presence.v2.json`: the same messages, as bytes and as JSON. */

import {
  ACTOR_MAX,
  type BoardId,
  type BoardRef,
  type CursorPathOf,
  decodeClientBinary,
  decodeClientJson,
  type Json,
  type Member,
  type Millis,
  mistakeInBinary,
  mistakeInJson,
  type RosterEntry,
  readCursor,
  SERVER_MESSAGE_BYTES_MAX,
} from "@presence-service/protocol";
import type { Counts, RosterChange, RosterView } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import type { Draft } from "./draft.ts";
import { Holdings, NAME_DIGITS } from "./held.ts";
import { Introduced } from "./introduced.ts";
import { type BoardSource, type Speech, type Teller, TOLD_NOTHING, type Told } from "./speech.ts";
import { StatusChanges } from "./status-changes.ts";
import { BINARY_WIRE, JSON_WIRE, type Listing, type Wire } from "./v2-wire.ts";

const HABITS = { saysHello: true, canResume: true, isTold: true, isPaidByByte: true };

export const BINARY: Speech = {
  ...HABITS,
  encoding: "binary",
  readCursor,
  read: (data, isBinary) => (isBinary ? decodeClientBinary(data) : undefined),
  mistakeIn: (data, isBinary) => (isBinary ? mistakeInBinary(data) : undefined),
  heartbeat: BINARY_WIRE.frame({ kind: "heartbeat" }),
  frame: BINARY_WIRE.frame,
  refOf: ({ number }) => number,
  teller: ({ boardId, number }, source, packs) => new V2Teller(boardId, number, BINARY_WIRE, source, packs),
};

export const JSON_TEXT: Speech = {
  ...HABITS,
  encoding: "json",
  readCursor: () => false,
  read: (data, isBinary) => (isBinary ? undefined : decodeClientJson(data.toString())),
  mistakeIn: (data, isBinary) => (isBinary ? undefined : mistakeInJson(data.toString())),
  heartbeat: JSON_WIRE.frame({ kind: "heartbeat" }),
  frame: JSON_WIRE.frame,
  refOf: ({ boardId }) => boardId,
  teller: ({ boardId }, source) => new V2Teller<BoardId>(boardId, boardId, JSON_WIRE, source),
};

/**
 * Bytes of entries in `joined`, without one's own: small enough that a client shows the board soon, and enough for most boards. One's own
 * entry and the fields around the entries have the rest of the message for themselves.
 */
const FIRST_PAGE_BYTES = 32 * 1024;
/** A roster of more bytes is packed, for clients that read that; the pages after the first ones are not, as packing one takes a millisecond. */
const PACK_FROM_BYTES = 1024;
const PACKED_PAGES_MAX = 4;
/** So many who are introduced at once are told as a `roster`. */
const CROWD_MIN = 8;
/** Bytes of entries in `roster`. */
const PAGE_BYTES = SERVER_MESSAGE_BYTES_MAX - 1024;
/** The same where the client holds members, and the bytes about these: together as many as above. A thousand members take 28 KB at most. */
const HELD_FIRST_PAGE_BYTES = 3 * 1024;
const HELD_BYTES_MAX = FIRST_PAGE_BYTES - HELD_FIRST_PAGE_BYTES;

type Joined = Extract<Listing, { kind: "joined" }>;

/** A roster as all clients that hold the same are told it, encoded. */
type Roster = {
  /** Without its entries. */
  readonly joined: Joined;
  readonly first: readonly Buffer[];
  /** The actors of those. */
  readonly inFirst: ReadonlySet<number>;
  /** The first entries, and what follows them in their message. */
  readonly rest: Buffer;
  /** So many bytes more the rest would be if it were not packed; 0: it is not. */
  readonly restAway: number;
  /** The messages after the first. */
  readonly more: readonly Buffer[];
  /** So many bytes more they would be if none were packed. */
  readonly packedAway: number;
  forObservers?: Buffer;
};

class V2Teller<Ref extends BoardRef> implements Teller {
  readonly #boardId: BoardId;
  readonly #ref: Ref;
  readonly #wire: Wire<Ref>;
  readonly #source: BoardSource;
  readonly #introduced: Introduced;
  /** They wait for a tick that tells them, as long as nothing else is said of the same members. */
  readonly #statuses = new StatusChanges();
  /** The actors of members who are introduced, and of whom those who were here before are not told yet. They wait for the same tick as statuses. */
  #newcomers: Set<number> | undefined;
  /** Somebody who came since was told of them, with the whole board. */
  #areKnown = false;
  readonly #packs: boolean;

  constructor(boardId: BoardId, ref: Ref, wire: Wire<Ref>, source: BoardSource, packs = false) {
    this.#packs = packs;
    this.#boardId = boardId;
    this.#ref = ref;
    this.#wire = wire;
    this.#source = source;
    this.#introduced = new Introduced(source.roster().entries);
  }

  change(change: RosterChange, draft: Draft): void {
    const { actor } = change;
    switch (change.change) {
      case "joined":
        if (this.#introduced.add(actor, change.member)) this.#came(actor, change.member, draft);
        return;
      case "updated":
        return this.#updated(change, draft);
      case "left": {
        if (this.#newcomers?.has(actor)) this.#introduce(draft);
        const left = this.#introduced.remove(actor);
        if (left === undefined) return;
        this.#statuses.delete(actor);
        draft.add(this.#wire.frame({ kind: "user_left", board: this.#ref, actor, reason: change.reason }));
        if (left.next !== undefined) this.#came(left.next.actor, left.next.member, draft);
      }
    }
  }

  /** A member's own client makes all changes of it, or gets a fresh roster; only its colour may change without its doing (R18). */
  #updated(change: Extract<RosterChange, { change: "updated" }>, draft: Draft): void {
    const { actor, member, patch } = change;
    const isForItself = "color" in patch;
    if (!this.#introduced.update(actor, member)) {
      if (isForItself) draft.addFor([actor], this.#updateOf(change));
      return;
    }
    if (this.#newcomers?.has(actor)) {
      // Others will be told of it as it is then.
      if (isForItself) draft.addFor([actor], this.#updateOf(change));
      return;
    }
    if (this.#statuses.has(actor)) this.news(draft);
    if (this.#statuses.add(change)) return;
    if (isForItself) draft.add(this.#updateOf(change));
    else draft.addExcept(actor, this.#updateOf(change));
  }

  #updateOf({ actor, patch }: Extract<RosterChange, { change: "updated" }>): Buffer {
    return this.#wire.frame({ kind: "user_updated", board: this.#ref, actor, patch });
  }

  news(draft: Draft): void {
    this.#introduce(draft);
    const { crowds, alone } = this.#statuses.take(this.#introduced.count);
    for (const crowd of crowds) draft.add(this.#wire.frame({ kind: "statuses", board: this.#ref, ...crowd }));
    for (const change of alone) draft.addExcept(change.actor, this.#updateOf(change));
  }

  /** A client that does not read packed messages is told each newcomer at once, and by no `roster`. */
  #came(actor: number, member: Member, draft: Draft): void {
    if (!this.#packs) return this.#tellJoined(this.#entryOf(actor, member), draft);
    this.#newcomers ??= new Set();
    this.#newcomers.add(actor);
  }

  /** The newcomer's own client knows it already, and a `roster` may tell what is known. */
  #introduce(draft: Draft): void {
    if (this.#newcomers === undefined) return;
    const entries = Array.from(this.#newcomers).flatMap((actor) => {
      const member = this.#introduced.memberOf(actor);
      return member ? this.#entryOf(actor, member) : [];
    });
    this.#newcomers = undefined;
    const isCrowd = this.#areKnown || entries.length >= CROWD_MIN;
    this.#areKnown = false;
    if (!isCrowd) for (const entry of entries) this.#tellJoined(entry, draft);
    else {
      const encoded = entries.map((entry) => this.#wire.entry(this.#ref, entry));
      for (const page of this.#pages(pagesOf(encoded, PAGE_BYTES), this.#isPacked(encoded, this.#packs)).more) draft.add(page);
    }
  }

  #tellJoined(entry: RosterEntry, draft: Draft): void {
    draft.addExcept(entry.actor, this.#wire.frame({ kind: "user_joined", board: this.#ref, ...entry }));
  }

  #isPacked(entries: readonly Buffer[], packs: boolean): boolean {
    return packs && this.#wire.packed !== undefined && bytesOf(entries) > PACK_FROM_BYTES;
  }

  event(actor: number, name: string, data: Json, draft: Draft, to?: readonly number[]): void {
    if (this.#statuses.has(actor) || this.#newcomers?.has(actor)) this.news(draft);
    const stranger = this.#introduced.beyond(actor);
    const member = stranger && { ...stranger, state: {} };
    const frame = this.#wire.frame({ kind: "event", board: this.#ref, actor, name, data, ...(member && { member }) });
    if (to === undefined) draft.addExcept(actor, frame);
    else draft.addFor(to, frame);
  }

  counts({ members, users, observed }: Counts, draft: Draft): void {
    draft.add(this.#wire.frame({ kind: "presence_update", board: this.#ref, members, users, ...(observed && { observed }) }));
  }

  observed(counts: Counts, draft: Draft): void {
    this.counts(counts, draft);
  }

  pace(cursorMs: Millis, draft: Draft): void {
    draft.add(this.#wire.frame({ kind: "pace", cursorMs }));
  }

  degraded(on: boolean, draft: Draft): void {
    draft.add(this.#wire.frame({ kind: "degraded", on, board: this.#ref }));
  }

  /** One frame for all sockets. If only one member moved, its own socket does not get it. */
  cursors(moves: Moves, stamp: number, draft: Draft, paths: readonly CursorPathOf[] = []): void {
    const told = this.#introduced.isEverybody && this.#newcomers === undefined ? moves : this.#ofIntroduced(moves);
    if (told.length === 0) return;
    const frame = this.#wire.cursors(this.#ref, stamp, told, paths.length > 0 ? pathsTo(told, paths) : paths);
    draft.moves = told.length / 3;
    if (told.length === 3) draft.addExcept(told[0] ?? 0, frame);
    else draft.add(frame);
  }

  #ofIntroduced(moves: Moves): Moves {
    const told: number[] = [];
    for (let at = 0; at < moves.length; at += 3) {
      const actor = moves[at] ?? 0;
      if (this.#introduced.has(actor) && !this.#newcomers?.has(actor)) told.push(actor, moves[at + 1] ?? 0, moves[at + 2] ?? 0);
    }
    return told;
  }

  /**
   * A thousand clients that join in one tick share one encoded roster: only the bytes before the first entry differ, and one's own entry.
   * Clients that hold the same members share what they are answered.
   */
  board({ settling, members, users, observed }: RosterView): ReturnType<Teller["board"]> {
    const joined: Joined = {
      kind: "joined",
      boardId: this.#boardId,
      board: this.#ref,
      self: 0,
      settling,
      members,
      users,
      roster: [],
      ...(observed && { observed }),
    };
    this.#areKnown ||= this.#newcomers !== undefined;
    const listed = this.#introduced.inOrder().map(([actor, member]) => this.#entryOf(actor, member));
    const encoded = new Map<RosterEntry, Buffer>();
    const encode = (entry: RosterEntry) => {
      const known = encoded.get(entry) ?? this.#wire.entry(this.#ref, entry);
      encoded.set(entry, known);
      return known;
    };
    const rosters = new Map<string, Roster>();
    const packed = new Map<string, Roster>();
    let holdings: Holdings | undefined;
    return (self, _told, draft, held = "", packs = false) => {
      if (held !== "") holdings ??= new Holdings(listed);
      const known = packs ? packed : rosters;
      const roster = known.get(held) ?? this.#roster(joined, listed, encode, { packs, ...(holdings && { holdings, list: held }) });
      known.set(held, roster);
      const { first, inFirst, more } = roster;
      if (self === undefined) {
        roster.forObservers ??= this.#whole({ ...roster.joined, self: ACTOR_MAX, observe: true }, first);
        draft.add(roster.forObservers);
      } else {
        const member = inFirst.has(self) ? undefined : this.#introduced.memberOf(self);
        const own = member && this.#wire.entry(this.#ref, this.#entryOf(self, member));
        const start = (roster.restAway > 0 && this.#wire.packedStart) || this.#wire.start;
        draft.packedAway += roster.restAway;
        draft.add(start({ ...roster.joined, self }, first.length + (own ? 1 : 0), own, roster.rest), 0);
        draft.add(roster.rest);
      }
      for (const page of more) draft.add(page);
      draft.packedAway += roster.packedAway;
    };
  }

  #entryOf(actor: number, member: Member): RosterEntry {
    const at = this.#source.cursorOf(actor);
    return { actor, member, ...(at && { at }) };
  }

  /**
   * The whole roster, or the part of it that is new to a client which holds that list. For clients that read packed messages `joined` has no entries but
   * one's own, as these differ: all of them share the pages.
   */
  #roster(
    joined: Joined,
    listed: readonly RosterEntry[],
    encode: (entry: RosterEntry) => Buffer,
    reader: { readonly packs: boolean; readonly holdings?: Holdings; readonly list?: string },
  ): Roster {
    let { list = "" } = reader;
    const { holdings } = reader;
    let held = holdings?.find(list) ?? [];
    // In JSON the answer to a long list may be too long. The members that it then leaves out are told in full.
    while (this.#wire.frame({ ...joined, held }).length > HELD_BYTES_MAX) {
      list = list.slice(0, NAME_DIGITS * Math.floor(held.length / 2));
      held = holdings?.find(list) ?? [];
    }
    const known = new Set(held.map((entry) => entry?.actor));
    const told = listed.filter(({ actor }) => !known.has(actor));
    const message = { ...joined, ...(held.length > 0 && { held }) };
    const entries = told.map(encode);
    const isPacked = this.#isPacked(entries, reader.packs);
    const firstBytes = held.length > 0 ? HELD_FIRST_PAGE_BYTES : FIRST_PAGE_BYTES;
    const [first = [], ...others] = isPacked ? [[], ...pagesOf(entries, PAGE_BYTES)] : pagesOf(entries, firstBytes);
    const following = told.length - first.length;
    const whole: Joined = { ...message, ...(following > 0 && { following }) };
    const rest = this.#wire.rest(whole, first);
    // The answer to a list of a thousand members has a byte or more for each, and most of these are alike.
    const packedRest = reader.packs && rest.length > PACK_FROM_BYTES ? this.#wire.packedRest?.(rest) : undefined;
    return {
      joined: whole,
      first,
      inFirst: new Set(told.slice(0, first.length).map(({ actor }) => actor)),
      rest: packedRest ?? rest,
      restAway: rest.length - (packedRest ?? rest).length,
      ...this.#pages(others, isPacked),
    };
  }

  #pages(pages: readonly Buffer[][], isPacked: boolean): { readonly more: Buffer[]; readonly packedAway: number } {
    let packedAway = 0;
    const more = pages.map((entries, nth) => {
      const page = { kind: "roster", board: this.#ref, roster: [] } as const;
      const packed = isPacked && nth < PACKED_PAGES_MAX ? this.#wire.packed?.(page, entries) : undefined;
      if (packed === undefined) return this.#whole(page, entries);
      packedAway += packed.length - packed.frame.length;
      return packed.frame;
    });
    return { more, packedAway };
  }

  #whole(message: Listing, entries: readonly Buffer[]): Buffer {
    const rest = this.#wire.rest(message, entries);
    return Buffer.concat([this.#wire.start(message, entries.length, undefined, rest), rest]);
  }

  told(): Told {
    return TOLD_NOTHING;
  }

  settled(): void {}
}

function pathsTo(moves: Moves, paths: readonly CursorPathOf[]): readonly CursorPathOf[] {
  const moved = new Set(moves.filter((_, at) => at % 3 === 0));
  return paths.filter(({ actor }) => moved.has(actor));
}

function bytesOf(entries: readonly Buffer[]): number {
  return entries.reduce((sum, { length }) => sum + length, 0);
}

/** Encoded entries in order, as many in each page as fit. */
function pagesOf(entries: readonly Buffer[], firstBytes: number): Buffer[][] {
  const pages: Buffer[][] = [[]];
  let left = firstBytes;
  for (const entry of entries) {
    // JSON has a comma after it.
    left -= entry.length + 1;
    if (left < 0) {
      pages.push([]);
      left = PAGE_BYTES - entry.length - 1;
    }
    pages.at(-1)?.push(entry);
  }
  return pages;
}
