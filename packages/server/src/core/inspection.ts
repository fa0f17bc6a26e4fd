/**
 * The beliefs of a core, for those who run the service: how many are where, who is shown by whose word, and what is held of whom. It reads
 * and changes nothing, and it is asked by people, so it may take its time.
 */

import type { BoardId, InstanceId, MemberId, Millis } from "@presence-service/protocol";
import type { Beats } from "./beats.ts";
import type { Board } from "./board.ts";
import type { DegradedWhy } from "./effects.ts";
import type { Hearing, PeerStats } from "./hearing.ts";
import type { Peers } from "./peers.ts";
import type { Pulse } from "./pulse.ts";
import type { Reasons, SliceHeld } from "./reasons.ts";
import type { Watches } from "./watches.ts";

export type Stats = {
  /** `starting`: no own heartbeat has come back yet. */
  readonly status: "starting" | "ready" | "degraded";
  readonly degradedWhy: DegradedWhy | undefined;
  /** Boards that have local members, or that linger. */
  readonly boards: number;
  /** The number of these boards whose members are all connected here: nothing of them crosses the bus but signs of life. */
  readonly boardsWhole: number;
  /** The number of these boards on which other instances are not heard, or do not hear this one (R9). */
  readonly degradedBoards: number;
  /** Members, summed over boards: connected here, and shown wherever they are connected. */
  readonly own: number;
  readonly shown: number;
  /** Clients of this instance that observe, summed over boards. */
  readonly observers: number;
  /** Boards of which clients of this instance want the counts (R15). */
  readonly watched: number;
  /** Round trip of the last own heartbeat through pub/sub. */
  readonly echoMs: Millis | null;
  /** Peers that have proved themselves (R8). */
  readonly peers: readonly PeerStats[];
};

export type BoardStats = {
  readonly boardId: BoardId;
  /** Connected here; shown, wherever they are connected; people among them; observing here. */
  readonly own: number;
  readonly members: number;
  readonly users: number;
  readonly observers: number;
  readonly degraded: boolean;
};

type Parts = {
  readonly instanceId: InstanceId;
  readonly boards: ReadonlyMap<BoardId, Board>;
  readonly beats: Beats;
  readonly peers: Peers;
  readonly hearing: Hearing;
  readonly pulse: Pulse;
  readonly watches: Watches;
  readonly degradedBoards: () => number;
};

/** It holds nothing of its own, so a checkpoint of the core does without it. */
export function inspectionOf(parts: Parts): Inspection {
  return new Inspection(parts);
}

export class Inspection {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  stats(now: Millis): Stats {
    const { boards, pulse, watches, beats, hearing, degradedBoards } = this.#parts;
    let own = 0;
    let shown = 0;
    let observers = 0;
    let boardsWhole = 0;
    for (const board of boards.values()) {
      own += board.own;
      shown += board.roster.members;
      observers += board.observers;
      if (board.own > 0 && board.own === board.roster.members) boardsWhole++;
    }
    const { isReady, degradedWhy } = pulse;
    return {
      status: !isReady ? "starting" : degradedWhy === undefined ? "ready" : "degraded",
      degradedWhy,
      boards: boards.size,
      boardsWhole,
      degradedBoards: degradedBoards(),
      own,
      shown,
      observers,
      watched: watches.size,
      echoMs: beats.echoMs,
      peers: [...hearing.list(now)],
    };
  }

  /** Up to `count` boards whose ids hold that text, in the order of their ids: those after that id, or the first ones. */
  boards(after: string | undefined, count: number, held = ""): BoardStats[] {
    const ids = [...this.#parts.boards.keys()]
      .filter((boardId) => boardId.includes(held) && (after === undefined || boardId > after))
      .sort();
    return ids.slice(0, count).flatMap((boardId) => this.board(boardId) ?? []);
  }

  /** Up to `count` of them, those with most members first. */
  largest(count: number, held = ""): BoardStats[] {
    const { boards } = this.#parts;
    const found = [...boards].filter(([boardId]) => boardId.includes(held)).sort(([, a], [, b]) => b.roster.members - a.roster.members);
    return found.slice(0, count).flatMap(([boardId]) => this.board(boardId) ?? []);
  }

  /** undefined: this instance is not on that board. */
  board(boardId: BoardId): BoardStats | undefined {
    const board = this.#parts.boards.get(boardId);
    if (board === undefined) return undefined;
    const { own, observers, roster, isDegraded: degraded } = board;
    return { boardId, own, members: roster.members, users: roster.users, observers, degraded };
  }

  slices(boardId: BoardId, now: Millis): SliceHeld[] {
    return this.#parts.boards.get(boardId)?.slices(now) ?? [];
  }

  why(boardId: BoardId, memberId: MemberId, now: Millis): Reasons | undefined {
    const reasons = this.#parts.boards.get(boardId)?.why(memberId, now);
    if (reasons === undefined) return undefined;
    const heartbeatOf = (owner: InstanceId) => {
      const heardAt = this.#parts.peers.get(owner)?.heardAt;
      return heardAt === undefined ? null : now - heardAt;
    };
    return { ...reasons, claims: reasons.claims.map((claim) => ({ ...claim, heartbeatMs: heartbeatOf(claim.owner) })) };
  }
}
