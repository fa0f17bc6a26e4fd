/**
 * One instance of the presence service without its sockets: a counter, the peers, the boards and their deadlines. It does no IO:
 * `handle` takes one fact and answers with the effects to carry out, in order. The server runs it on real sockets and Redis, tests and
 * the simulator on a virtual clock and a bus that misbehaves. The rules are those of docs/REPLICATION.md.
 */

import type {
  BoardId,
  CursorPath,
  CursorPathOf,
  ErrorCode,
  InstanceId,
  Member,
  MemberId,
  Millis,
  Point,
  Recipients,
} from "@presence-service/protocol";
import { assertNever } from "./assert-never.ts";
import { Beats } from "./beats.ts";
import { Board } from "./board.ts";
import { Census } from "./census.ts";
import { type Keep, keepEach } from "./checkpoint.ts";
import { assertConsistent, CONSTANTS, type Constants } from "./constants.ts";
import type { Context } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import type { ConnectionId, Counts, Effect, Input, Place, RosterView } from "./effects.ts";
import { Groups } from "./groups.ts";
import { Hearing } from "./hearing.ts";
import { type Inspection, inspectionOf, type Stats } from "./inspection.ts";
import type { BusMessage, Cursors, Kick, Moves, MovesTo } from "./messages.ts";
import { MovesChannel } from "./moves-channel.ts";
import { MuteBoards } from "./mute-boards.ts";
import type { Occupants } from "./occupancy.ts";
import { Peers } from "./peers.ts";
import { Pulse } from "./pulse.ts";
import { Random } from "./random.ts";
import { rosterView } from "./roster-view.ts";
import { Watches } from "./watches.ts";

export type CoreOptions = {
  readonly instanceId: InstanceId;
  /** Seed of all jitter. */
  readonly seed: number;
  readonly now: Millis;
  readonly constants?: Constants;
};

export class Core {
  readonly instanceId: InstanceId;
  /** For those who run the service. */
  readonly inspection: Inspection;
  readonly #constants: Constants;
  readonly #context: Context;
  readonly #beats: Beats;
  readonly #groups: Groups;
  readonly #peers: Peers;
  readonly #hearing: Hearing;
  readonly #pulse: Pulse;
  readonly #movesChannel: MovesChannel;
  readonly #watches: Watches;
  readonly #census: Census;
  readonly #boards = new Map<BoardId, Board>();
  /** The boards on which something of a peer is held, per peer. */
  #boardsHolding = new Map<InstanceId, Set<BoardId>>();
  readonly #deadlines = new Deadlines<BoardId>();
  #boardsOf = new Map<ConnectionId, Set<BoardId>>();
  /** Degraded boards: their local clients were told. */
  #degraded = new Set<BoardId>();
  readonly #mute = new MuteBoards();
  /** Peers that named such boards of theirs in their last heartbeat. */
  #mutePeers = new Set<InstanceId>();
  #seq = 0;
  #startedAt: Millis;
  #now: Millis;
  #wallNow: Millis = 0;
  /** When boards are told of peers that were silent for long, and when they were told last. */
  #tellMissedAt: Millis = Number.POSITIVE_INFINITY;
  #missedToldAt: Millis = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  #effects: Effect[] = [];

  constructor({ instanceId, seed, now, constants = CONSTANTS }: CoreOptions) {
    assertConsistent(constants);
    this.instanceId = instanceId;
    this.#constants = constants;
    this.#now = now;
    this.#startedAt = now;
    const emit = (effect: Effect) => void this.#effects.push(effect);
    this.#beats = new Beats(constants, now);
    this.#groups = new Groups(instanceId, constants, emit);
    const random = new Random(seed);
    const parts = { instanceId, constants, beats: this.#beats, groups: this.#groups, random };
    this.#peers = new Peers(parts, {
      emit,
      judged: (peer) => this.#eachHolding(peer, (board) => board.judge(peer, this.#now)),
      gone: (peer, silentMs) => this.#gone(peer, silentMs),
      missed: (peer, where) => this.#missed(peer, where),
      accused: () => this.#pulse.accused(),
    });
    this.#hearing = new Hearing(parts, this.#peers);
    const boards = this.#boards;
    const wallNow = () => this.#wallNow;
    const at = () => Math.floor(this.#now - this.#startedAt);
    const takesMoves = () => this.#movesChannel.isOpen;
    const host = {
      get boards() {
        return boards.size;
      },
      get at() {
        return at();
      },
      emit,
      recover: () => this.#recover(),
      takeMute: () => this.#mute.take(),
      takeWanting: () => this.#census.takeWanting(),
      get takesMoves() {
        return takesMoves();
      },
    };
    this.#pulse = new Pulse(parts, this.#peers, this.#hearing, host, now);
    this.#movesChannel = new MovesChannel({ instanceId, constants, bus: this.#pulse, emit });
    this.#context = {
      instanceId,
      constants,
      random,
      peers: this.#peers,
      bus: this.#pulse,
      takesMoves: (owner) => !this.#movesChannel.isMute && this.#peers.takesMoves(owner),
      emit,
      hold: (owner, boardId) => this.#hold(owner, boardId),
      letGo: (owner, boardId) => this.#letGo(owner, boardId),
      countChanges: (changes) => (this.#seq += changes),
      get wallNow() {
        return wallNow();
      },
      get at() {
        return at();
      },
    };
    this.#watches = new Watches(this.#context);
    this.#census = new Census(this.#context);
    const inspected = { ...parts, boards, peers: this.#peers, hearing: this.#hearing, pulse: this.#pulse, watches: this.#watches };
    this.inspection = inspectionOf({ ...inspected, degradedBoards: () => this.#degraded.size });
  }

  /** For `written` and `restore`: a core that is restored does from then on what this one would have done. */
  checkpoint(keep: Keep): void {
    this.#beats.checkpoint(keep);
    this.#groups.checkpoint(keep);
    this.#peers.checkpoint(keep);
    this.#hearing.checkpoint(keep);
    this.#pulse.checkpoint(keep);
    this.#movesChannel.checkpoint(keep);
    this.#watches.checkpoint(keep);
    this.#census.checkpoint(keep);
    keepEach(keep, this.#boards, (boardId) => new Board(this.#context, boardId, this.#now));
    this.#boardsHolding = keep(this.#boardsHolding);
    this.#deadlines.checkpoint(keep);
    this.#boardsOf = keep(this.#boardsOf);
    this.#degraded = keep(this.#degraded);
    this.#mute.checkpoint(keep);
    this.#mutePeers = keep(this.#mutePeers);
    this.#seq = keep(this.#seq);
    this.#startedAt = keep(this.#startedAt);
    this.#now = keep(this.#now);
    this.#wallNow = keep(this.#wallNow);
    this.#tellMissedAt = keep(this.#tellMissedAt);
    this.#missedToldAt = keep(this.#missedToldAt);
    this.#isStopped = keep(this.#isStopped);
    this.#effects = keep(this.#effects);
    // The last: new boards have drawn from it.
    this.#context.random.checkpoint(keep);
  }

  /** One fact in, effects out. Never throws on anything a peer sent. `now` never goes back; `wallNow` may (0: not known). */
  handle(input: Input, now: Millis, wallNow: Millis = 0): Effect[] {
    this.#now = now;
    this.#wallNow = wallNow;
    if (!this.#isStopped) this.#dispatch(input, now);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The time at which `handle` must be called with a `tick`; Infinity: never. It may change with every call of any method. */
  nextDeadline(): Millis {
    if (this.#isStopped) return Number.POSITIVE_INFINITY;
    const occupancy = Math.min(this.#watches.deadline(), this.#census.deadline());
    const others = Math.min(this.#peers.deadline(), this.#movesChannel.deadline());
    return Math.min(this.#pulse.deadline(), others, this.#tellMissedAt, this.#deadlines.next(), occupancy);
  }

  // Cursors do not pass through `handle`, and nothing is allocated per move without a path.

  /** Notes where a local member points, by its actor; x = HIDDEN: nowhere. False: it overwrites a place that no client was told of. */
  markCursor(boardId: BoardId, actor: number, x: number, y: number, now: Millis, path?: CursorPath): boolean {
    return this.#boards.get(boardId)?.roster.cursors.mark(actor, x, y, now, path) ?? true;
  }

  /** Places on that board that changed since the last call, by actor: for the local clients. */
  takeCursors(boardId: BoardId): Moves {
    return this.#boards.get(boardId)?.roster.cursors.take() ?? [];
  }

  /** The paths to the places that `takeCursors` gave last. */
  pathsTaken(boardId: BoardId): readonly CursorPathOf[] {
    return this.#boards.get(boardId)?.roster.cursors.paths ?? [];
  }

  /** Moves of local members since the last call, for the bus; undefined: there are none, or no other instance has members there (F6). */
  takeOwnCursors(boardId: BoardId, now: Millis): Cursors | undefined {
    const board = this.#boards.get(boardId);
    const cursors = board?.takeOwnCursors(now);
    if (board !== undefined) this.#deadlines.set(boardId, board.deadline());
    return cursors;
  }

  /** Where the moves go that `takeOwnCursors` gave last for that board. */
  movesTo(boardId: BoardId): MovesTo {
    return this.#boards.get(boardId)?.movesTo ?? "board";
  }

  /** Places, by actor, of all members that moved or hid at or after that time: for a client that was skipped (F4). */
  cursorsSince(boardId: BoardId, since: Millis): Moves {
    return this.#boards.get(boardId)?.roster.cursors.movedSince(since) ?? [];
  }

  // Rosters and cursors, as they are shown.

  roster(boardId: BoardId): RosterView {
    const board = this.#boards.get(boardId);
    const settling = this.#pulse.isSettling(this.#now) || board?.isSettling(this.#now) === true;
    return rosterView(board, settling, this.counts(boardId));
  }

  /** undefined: that actor shows no cursor there. */
  cursorOf(boardId: BoardId, actor: number): Point | undefined {
    return this.#boards.get(boardId)?.roster.cursors.at(actor);
  }

  /** Up to `count` members of that board, in the order of their ids: those after that id, or the first ones. */
  page(boardId: BoardId, after: MemberId | undefined, count: number): Member[] {
    return this.#boards.get(boardId)?.roster.page(after, count) ?? [];
  }

  counts(boardId: BoardId): Counts {
    const board = this.#boards.get(boardId);
    const { members = 0, users = 0 } = board?.roster ?? {};
    return { members, users, observed: board?.isObserved === true };
  }

  /**
   * Whether somebody else looks at that board: an observer, or a member that is active. While others are not heard, somebody may look
   * whom nobody here knows of. `self` undefined: anybody.
   */
  isLookedAt(boardId: BoardId, self: MemberId | undefined): boolean {
    const board = this.#boards.get(boardId);
    if (board === undefined) return false;
    return this.isDegraded || board.isDegraded || board.isObserved || board.roster.isAnybodyActiveBut(self);
  }

  /** How many are on a board that is watched here; undefined: not known yet. */
  occupancy(boardId: BoardId): Occupants | undefined {
    return this.#watches.countsOf(boardId);
  }

  /** The number of clients for whom an event on that board is: members wherever they are connected, and observers here. */
  audience(boardId: BoardId, recipients: Recipients): number {
    const board = this.#boards.get(boardId);
    if (board === undefined) return 0;
    return board.roster.actorsNamed(recipients)?.length ?? board.roster.members + board.observers;
  }

  /** Other instances are not heard, or do not hear this one. */
  get isDegraded(): boolean {
    return this.#pulse.degradedWhy !== undefined;
  }

  /** Clients that are sent away now would find nobody, and in a moment they will (R12). */
  get isToBeRelieved(): boolean {
    return this.#peers.areRestarting && !this.isDegraded;
  }

  /** This instance is subscribed to that board, or wants to be. */
  isOn(boardId: BoardId): boolean {
    return this.#boards.has(boardId);
  }

  /** The same number as in `stats`, without looking at every board. */
  get degradedBoards(): number {
    return this.#degraded.size;
  }

  stats(now: Millis): Stats {
    return this.inspection.stats(now);
  }

  #dispatch(input: Input, now: Millis): void {
    switch (input.kind) {
      case "join":
        return this.#enter(input, now, (board) => board.join(input.connection, input.attempt, input.member, now));
      case "observe":
        return this.#enter(input, now, (board) => board.observe(input.connection, input, now));
      case "leave":
        if (this.#placeOf(input) === "absent") return this.#refuse(input, "not_joined");
        this.#boardsOf.get(input.connection)?.delete(input.boardId);
        return this.#on(input.boardId, (board) => board.leave(input.connection, 0, now));
      case "update":
        return this.#ofMember(input, (board) => {
          if (!board.update(input, now)) this.#refuse(input, "bad_state");
        });
      case "broadcast":
        return this.#ofMember(input, (board) => {
          const { kind: _, connection, boardId: __, ...said } = input;
          board.broadcast(connection, said, now);
        });
      case "quiet":
        for (const boardId of this.#boardsOf.get(input.connection) ?? [])
          this.#on(boardId, (board) => board.quiet(input.connection, input.on, now));
        return;
      case "disconnected": {
        const boards = this.#boardsOf.get(input.connection) ?? [];
        this.#boardsOf.delete(input.connection);
        for (const boardId of boards) this.#on(boardId, (board) => board.leave(input.connection, input.graceMs, now));
        return;
      }
      case "watch":
        this.#watches.watch(input.boardId, now);
        return this.#tellOccupancy(input.boardId);
      case "unwatch":
        return this.#watches.unwatch(input.boardId);
      case "kick":
        this.#effects.push({ kind: "publish", boardId: undefined, message: input });
        return this.#kick(input, now);
      case "announcement":
        return void this.#effects.push({ kind: "publish", boardId: undefined, message: input }, input);
      case "revocations":
        this.#effects.push({ kind: "publish", boardId: undefined, message: input });
        return;
      case "resync":
        return this.#eachHolding(input.owner, (board) => board.distrust(input.owner, now), input.boardId);
      case "heard":
        // On the own channel for moves nothing else is believed, and moves of boards nowhere else.
        if ((input.isDirect === true) !== (input.message.kind === "moves")) return;
        return input.from === this.instanceId ? this.#echoed(input.boardId, input.message, now) : this.#heard(input, now);
      case "subscribed":
        if (input.boardId === undefined) return this.#pulse.taken("subscriber");
        return this.#on(input.boardId, (board) => board.subscribed(this.#pulse.isSubscriberUp ? "anew" : "restored", now));
      case "shard_subscribed":
        return this.#watches.subscribed(input.shard, now);
      case "shard_refused":
        return this.#watches.refused(input.shard);
      case "group_subscribed":
        return this.#groups.subscribed(input.group) ? this.#peers.subscribed(input.group) : undefined;
      case "group_refused":
        return this.#groups.refused(input.group, input.link);
      case "moves_subscribed":
        return this.#movesChannel.subscribed(now);
      case "moves_refused":
        return this.#movesChannel.refused(input.link);
      case "moves_unheard":
        return this.#peers.unheard(input.peer);
      case "subscribe_refused":
        if (input.boardId === undefined) return this.#pulse.refused("subscriber");
        return this.#on(input.boardId, (board) => board.refused("subscriber", now));
      case "published":
        if (input.boardId === undefined) return this.#pulse.taken("publisher");
        return this.#on(input.boardId, (board) => board.published(input.receivers, now));
      case "publish_refused":
        if (input.boardId === undefined) return this.#pulse.refused("publisher");
        return this.#on(input.boardId, (board) => board.refused("publisher", now));
      case "link_up":
        this.#movesChannel.linkUp(input.link, now);
        return this.#pulse.linkUp(input.link, now);
      case "link_down":
        this.#movesChannel.linkDown(input.link);
        return this.#pulse.linkDown(input.link, now);
      case "tick":
        return this.#tick(input.oldestUnansweredMs, now);
      case "stop":
        this.#isStopped = true;
        this.#effects.push({ kind: "publish", boardId: undefined, message: { kind: "goodbye" } });
        return;
      default:
        return assertNever(input);
    }
  }

  #enter({ connection, boardId }: Extract<Input, { kind: "join" | "observe" }>, now: Millis, act: (board: Board) => void): void {
    if (!this.#boards.has(boardId)) {
      this.#boards.set(boardId, new Board(this.#context, boardId, now));
      this.#effects.push({ kind: "subscribe", boardId });
      this.#census.entered(boardId, now);
    }
    const boards = this.#boardsOf.get(connection) ?? new Set();
    this.#boardsOf.set(connection, boards.add(boardId));
    this.#on(boardId, act);
  }

  /** Removes only entries that this instance owns (R1); every instance hears of the kick and does the same. */
  #kick(kick: Kick, now: Millis): void {
    const { whom, boardId } = kick;
    // The kick is handed out before the boards act on it: a client that is closed need not be told of each of its boards.
    this.#effects.push(kick);
    if (boardId === undefined) this.#each((board) => board.kick(whom, now));
    else this.#on(boardId, (board) => board.kick(whom, now));
  }

  #heard({ boardId, from, link, message }: Extract<Input, { kind: "heard" }>, now: Millis): void {
    // Kicks, announcements and revocations say nothing of slices or liveness: they hold however their sender is judged, and however late they come.
    if (message.kind === "kick") return this.#kick(message, now);
    if (message.kind === "announcement" || message.kind === "revocations") return void this.#effects.push(message);
    // While own messages do not come back, a peer can be neither judged nor asked. It is met anew afterwards (R9).
    if (this.#pulse.isCleared || !this.#peers.accepts(from, link, message, now)) return;
    switch (message.kind) {
      case "heartbeat":
        this.#peers.heard(from, message, now);
        this.#hearing.heard(from, message.acks);
        if (message.wanting === true) this.#watches.asked(now);
        return this.#mutePeer(from, message.mute, now);
      case "verdict":
        return this.#peers.accuses(from, message, now);
      case "goodbye":
        return this.#peers.goodbye(from, now);
      case "want":
        for (const wanted of this.#census.heard(message, now)) this.#tellOccupancy(wanted);
        return;
      case "occupancy":
        return this.#watches.heard(from, message, now);
      case "hook":
        return;
      case "moves":
        this.#movesChannel.heard(now);
        for (const cursors of message.boards) {
          const board = this.#boards.get(cursors.boardId);
          if (board === undefined) continue;
          board.heard(from, cursors, now);
          this.#acted(cursors.boardId, board);
        }
        return;
      default:
        if (message.kind === "cursors") this.#movesChannel.passedBy(now);
        // Redis may deliver after an unsubscribe: a message for a board that is not here is ignored.
        if (boardId !== undefined) this.#on(boardId, (board) => board.heard(from, message, now));
    }
  }

  /** Some of its boards in turn; undefined: it can speak on all of them. */
  #mutePeer(peer: InstanceId, boards: readonly BoardId[] | undefined, now: Millis): void {
    if (boards !== undefined) {
      this.#mutePeers.add(peer);
      for (const boardId of boards) this.#on(boardId, (board) => board.mute(peer, now));
    } else if (this.#mutePeers.delete(peer)) this.#eachHolding(peer, (board) => board.unmute(peer, now));
  }

  #echoed(boardId: BoardId | undefined, message: BusMessage, now: Millis): void {
    if (message.kind === "heartbeat") {
      this.#pulse.echoed(message.beat, now);
      if (this.#pulse.isReady) this.#movesChannel.open();
      return;
    }
    this.#effects.push({ kind: "echo" });
    switch (message.kind) {
      case "verdict":
      case "goodbye":
      case "kick":
      case "announcement":
      case "revocations":
      case "hook":
      case "want":
        return;
      case "moves":
        return this.#movesChannel.heard(now);
      case "occupancy":
        return this.#watches.heard(undefined, message, now);
      default:
        if (boardId !== undefined) this.#on(boardId, (board) => board.echoed(message, now));
    }
  }

  #tick(oldestUnansweredMs: Millis, now: Millis): void {
    this.#pulse.tick(oldestUnansweredMs, now);
    this.#peers.tick(now);
    this.#movesChannel.tick(now);
    this.#watches.tick(now);
    this.#census.tick(now);
    if (now >= this.#tellMissedAt) this.#tellMissed(now);
    // Take all due boards first, then act: a board that is due again at once waits for the next tick, and cannot keep this one running.
    const due: BoardId[] = [];
    for (let boardId = this.#deadlines.takeDue(now); boardId !== undefined; boardId = this.#deadlines.takeDue(now)) due.push(boardId);
    for (const boardId of due) {
      this.#on(boardId, (board) => board.tick(now));
      if (this.#boards.get(boardId)?.isOver(now)) this.#giveUp(boardId);
    }
  }

  #giveUp(boardId: BoardId): void {
    this.#boards.get(boardId)?.close();
    this.#boards.delete(boardId);
    this.#degraded.delete(boardId);
    this.#mute.note(boardId, false);
    this.#deadlines.set(boardId, Number.POSITIVE_INFINITY);
    this.#census.gaveUp(boardId);
    this.#effects.push({ kind: "unsubscribe", boardId });
  }

  #gone(peer: InstanceId, silentMs: Millis | undefined): void {
    this.#mutePeers.delete(peer);
    this.#eachHolding(peer, (board) => board.drop(peer, this.#now, silentMs));
    this.#watches.gone(peer, this.#now);
  }

  #missed(peer: InstanceId, where: "where_held" | "everywhere"): void {
    // Boards are told at once, and then not again for `askMsMax`: peers that were silent together come back shortly one after another.
    if (where === "everywhere") {
      this.#tellMissedAt = Math.max(this.#now, this.#missedToldAt + this.#constants.askMsMax);
      this.#watches.missed(this.#now);
      this.#census.missed();
    }
    const { spreadMs } = this.#pulse;
    this.#eachHolding(peer, (board) => board.doubt(peer, this.#now, spreadMs));
  }

  #recover(): void {
    const { spreadMs } = this.#pulse;
    this.#each((board) => board.recover(this.#context.random.between(0, spreadMs), this.#now));
    this.#watches.missed(this.#now);
    this.#census.recover(this.#now);
  }

  #tellMissed(now: Millis): void {
    this.#tellMissedAt = Number.POSITIVE_INFINITY;
    this.#missedToldAt = now;
    const { spreadMs } = this.#context.bus;
    this.#each((board) => board.missed(now, spreadMs));
  }

  #ofMember(input: Extract<Input, { kind: "update" | "broadcast" }>, act: (board: Board) => void): void {
    const place = this.#placeOf(input);
    if (place !== "member") return this.#refuse(input, place === "observer" ? "observing" : "not_joined");
    this.#on(input.boardId, act);
  }

  #placeOf({ connection, boardId }: { connection: ConnectionId; boardId: BoardId }): Place {
    return this.#boards.get(boardId)?.placeOf(connection) ?? "absent";
  }

  #refuse(input: { connection: ConnectionId; boardId: BoardId }, code: ErrorCode): void {
    this.#effects.push({ kind: "refused", connection: input.connection, boardId: input.boardId, code, as: this.#placeOf(input) });
  }

  #hold(owner: InstanceId, boardId: BoardId): void {
    const boards = this.#boardsHolding.get(owner) ?? new Set();
    this.#boardsHolding.set(owner, boards.add(boardId));
  }

  #letGo(owner: InstanceId, boardId: BoardId): void {
    const boards = this.#boardsHolding.get(owner);
    if (boards?.delete(boardId) && boards.size === 0) this.#boardsHolding.delete(owner);
  }

  /** Calls `act` for each board on which something of that peer is held. Strangers may come by the thousand, so no other board is looked at; `only`: and of these that one alone. */
  #eachHolding(peer: InstanceId, act: (board: Board) => void, only?: BoardId): void {
    for (const boardId of [...(this.#boardsHolding.get(peer) ?? [])]) if (only === undefined || boardId === only) this.#on(boardId, act);
  }

  #each(act: (board: Board) => void): void {
    for (const boardId of this.#boards.keys()) this.#on(boardId, act);
  }

  #on(boardId: BoardId, act: (board: Board) => void): void {
    const board = this.#boards.get(boardId);
    if (board === undefined) return;
    act(board);
    this.#acted(boardId, board);
  }

  /** To be called after every act on a board. */
  #acted(boardId: BoardId, board: Board): void {
    board.tellObserved();
    this.#mute.note(boardId, board.isMute);
    if (board.isDegraded) this.#degraded.add(boardId);
    else this.#degraded.delete(boardId);
    this.#deadlines.set(boardId, board.deadline());
    this.#tellOccupancy(boardId);
  }

  /** For clients here that watch that board, and for other instances that want to know. */
  #tellOccupancy(boardId: BoardId): void {
    const board = this.#census.has(boardId) || this.#watches.has(boardId) ? this.#boards.get(boardId) : undefined;
    if (board === undefined) return;
    const { teller, roster, isSeen, isOpening } = board;
    this.#census.look(boardId, teller, roster, this.#now);
    // The members of others are about to be heard of: until then the counts are as before.
    if (!isOpening) this.#watches.look(boardId, roster, isSeen || teller === "first", this.#now);
  }
}
