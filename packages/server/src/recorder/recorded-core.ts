/**
 * A core that keeps what it is told on two reels in turn, each of which begins with a checkpoint where that costs little. It behaves as
 * any core does. It writes no file: recorder.ts does.
 */

import { deserialize, serialize } from "node:v8";
import type { BoardId, CursorPath, InstanceId, Millis } from "@presence-service/protocol";
import { written } from "../core/checkpoint.ts";
import { Core, type CoreOptions } from "../core/core.ts";
import type { Effect, Input } from "../core/effects.ts";
import { Digest } from "./digest.ts";
import { Placeholders } from "./placeholders.ts";
import { type Segment, Tape } from "./recording.ts";
import { Reel } from "./reel.ts";

export type Trouble = "divergence" | "false_leave";

export type RecordedOptions = {
  /** Of both reels. */
  readonly bytes: number;
  /** Whether what people wrote is kept as it is. */
  readonly keepsContent: boolean;
  /** Something has happened that should not; the calls before it are recorded. */
  readonly trouble: (why: Trouble) => void;
};

/** A checkpoint stops everything else, so a core of which one is expected to take longer is not written down. */
const CHECKPOINT_MS_MAX = 100;
/** The share of the time that checkpoints may take: those that come too soon are left out. */
const CHECKPOINT_SHARE_MAX = 0.01;
/** The share of a reel that a checkpoint may take. */
const CHECKPOINT_ROOM_MAX = 0.75;
/** A core without anybody counts as so many members. */
const SIZE_MIN = 100;
/** A tape with so much on it goes to the reel, which takes 1 ms at most. On a small reel it is an eighth of that. */
const TAPE_BYTES = 256 * 1024;
const TAPE_SHARE = 1 / 8;
/** The event loop waits so long while placeholders are made, and a few times as long for a board of thousands. */
const HIDE_MS_MAX = 5;
/** Peers that were judged down and may come back. */
const DOWN_PEERS_MAX = 1000;

export class RecordedCore extends Core {
  readonly #options: RecordedOptions;
  readonly #placeholders = new Placeholders();
  readonly #digest = new Digest();
  readonly #downPeers = new Set<InstanceId>();
  readonly #reelBytes: number;
  /** The last calls. It has room for a call as large as a reel, but memory that is never written takes no room. */
  readonly #tape: Tape;
  #reel: Reel;
  #former: Reel | undefined;
  /** The last checkpoint: its cost, and how large the core was. */
  #last = { ms: 0, size: 0, bytes: 0, at: Number.NEGATIVE_INFINITY };
  /** Of the last call that told it. */
  #now: Millis;

  constructor(options: CoreOptions, recorded: RecordedOptions) {
    super(options);
    this.#options = recorded;
    this.#now = options.now;
    this.#reelBytes = Math.floor(recorded.bytes / 2);
    this.#tape = new Tape(Buffer.allocUnsafeSlow(this.#reelBytes), Math.min(TAPE_BYTES, this.#reelBytes * TAPE_SHARE));
    this.#reel = new Reel(this.#checkpoint());
  }

  /**
   * All that is recorded now, oldest first. A checkpoint in memory holds what people wrote. Only here it has placeholders in its place. To make
   * them takes long, so the event loop has its turn meanwhile.
   */
  async recorded(): Promise<Segment[]> {
    const held = [...(this.#former?.segments() ?? []), ...this.#reel.segments(this.#tape)];
    if (this.#options.keepsContent) return held;
    const segments: Segment[] = [];
    for (const { checkpoint, ...calls } of held) segments.push({ checkpoint: checkpoint && (await this.#hidden(checkpoint)), ...calls });
    return segments;
  }

  async #hidden(checkpoint: Uint8Array): Promise<Uint8Array> {
    const hidden: unknown[] = [];
    const seen = new Map<object, unknown>();
    let turnAt = performance.now();
    for (const value of deserialize(checkpoint) as unknown[]) {
      hidden.push(this.#placeholders.hide(value, seen));
      if (performance.now() - turnAt < HIDE_MS_MAX) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turnAt = performance.now();
    }
    return serialize(hidden);
  }

  override handle(input: Input, now: Millis, wallNow: Millis = 0): Effect[] {
    if (this.#tape.isLong) this.#pack();
    this.#now = now;
    const kept = this.#options.keepsContent || !mayHoldContent(input) ? input : this.#placeholders.hide(input);
    const isKept = this.#tape.handle(kept, now, wallNow) || this.#write(() => this.#tape.handle(kept, now, wallNow));
    const effects = super.handle(input, now, wallNow);
    this.#digest.effects(effects);
    if (isKept) this.#tape.digested(this.#digest.value);
    for (const effect of effects) this.#judge(effect);
    return effects;
  }

  override markCursor(boardId: BoardId, actor: number, x: number, y: number, now: Millis, path?: CursorPath): boolean {
    if (this.#tape.isLong) this.#pack();
    if (!this.#tape.mark(boardId, actor, x, y, now, path)) this.#write(() => this.#tape.mark(boardId, actor, x, y, now, path));
    const isNew = super.markCursor(boardId, actor, x, y, now, path);
    this.#digest.marked(isNew);
    return isNew;
  }

  override takeCursors(boardId: BoardId): ReturnType<Core["takeCursors"]> {
    if (this.#tape.isLong) this.#pack();
    if (!this.#tape.take(boardId)) this.#write(() => this.#tape.take(boardId));
    const moves = super.takeCursors(boardId);
    this.#digest.numbers(moves);
    return moves;
  }

  override takeOwnCursors(boardId: BoardId, now: Millis): ReturnType<Core["takeOwnCursors"]> {
    if (this.#tape.isLong) this.#pack();
    if (!this.#tape.takeOwn(boardId, now)) this.#write(() => this.#tape.takeOwn(boardId, now));
    const cursors = super.takeOwnCursors(boardId, now);
    this.#digest.own(cursors);
    return cursors;
  }

  /** Writes a call that is about to be made, for which the tape has no room. False: it is larger than a reel, and is missing. */
  #write(write: () => boolean): boolean {
    this.#pack();
    if (write()) return true;
    // Nothing after it can be repeated, up to the next checkpoint.
    this.#turn(undefined);
    this.#former = undefined;
    return false;
  }

  /** The tape's calls go to the reel. A reel that is full makes room for the next one. */
  #pack(): void {
    this.#reel.add(this.#tape);
    this.#tape.clear();
    this.#digest.value = 0;
    if (this.#reel.bytes + this.#tape.longBytes > this.#reelBytes) this.#turn(this.#checkpoint());
  }

  #turn(checkpoint: Uint8Array | undefined): void {
    this.#former = this.#reel;
    this.#reel = new Reel(checkpoint);
  }

  /** undefined: it would take too long, or too much room. */
  #checkpoint(): Uint8Array | undefined {
    const now = this.#now;
    const { own, shown, boards } = this.stats(now);
    const size = own + shown + boards + SIZE_MIN;
    const { ms, size: before, bytes, at } = this.#last;
    const growth = before === 0 ? 0 : size / before;
    const room = CHECKPOINT_ROOM_MAX * this.#reelBytes;
    if (ms * growth > CHECKPOINT_MS_MAX || bytes * growth > room || now - at < ms / CHECKPOINT_SHARE_MAX) return undefined;
    const began = performance.now();
    const checkpoint = serialize(written(this));
    this.#last = { ms: performance.now() - began, size, bytes: checkpoint.length, at: now };
    return checkpoint.length > room ? undefined : checkpoint;
  }

  #judge(effect: Effect): void {
    if (effect.kind === "counted" && effect.what === "divergence") this.#options.trouble("divergence");
    if (effect.kind !== "peer" || !effect.isProven) return;
    // While this instance is cut off itself, it shows nobody, and that is no mistake.
    if (effect.state === "down" && !this.isDegraded && this.#downPeers.size < DOWN_PEERS_MAX) this.#downPeers.add(effect.instanceId);
    // An instance never starts again under its id: it lived, and its members did not leave.
    if (effect.state === "up" && this.#downPeers.delete(effect.instanceId)) this.#options.trouble("false_leave");
  }
}

const CONTENT_KINDS = new Set(["delta", "replay", "snapshot", "event", "kick", "announcement"]);

function mayHoldContent(input: Input): boolean {
  switch (input.kind) {
    case "join":
    case "update":
    case "broadcast":
    case "kick":
    case "announcement":
      return true;
    case "heard":
      return CONTENT_KINDS.has(input.message.kind);
    default:
      return false;
  }
}
