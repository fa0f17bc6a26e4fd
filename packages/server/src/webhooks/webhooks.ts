/**
 * Webhooks of a cluster: every instance tells the others which members come to it and leave it; each derives the same events; for each event one of
 * them sends, and says what was taken; another one takes over when the sender dies. At least once, never none. docs/decisions/018 says why.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { Effect } from "../core/effects.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { post, StampedEvent, Target } from "./delivery.ts";
import { type Came, type Change, type HookEvent, Ledger } from "./ledger.ts";

export type WebhookOptions = Target & {
  readonly instanceId: InstanceId;
  readonly clock: Clock;
  readonly log: Logger;
  /** Tells all instances; it may be lost. */
  readonly say: (body: HookWords & Aged) => void;
  /** Resolves when the receiver has taken the events. */
  readonly post: typeof post;
  readonly metrics: { webhookEvents: Record<"delivered" | "dropped", number>; webhookFailures: number; webhookPending: number };
};

/** How long the sender has been deriving events. */
export type Aged = { readonly age: Millis };

/** Between instances. `n` counts the changes of one instance; `from`: that of the first one here. */
export type HookWords =
  | { readonly t: "log"; readonly from: number; readonly changes: readonly Change[] }
  /** All of the sender's members, in parts, as of its change `n`. */
  | { readonly t: "all"; readonly n: number; readonly part: number; readonly parts: number; readonly members: readonly Came[] }
  /** To one instance, or to all: tell what came after `n`; 0: everything. */
  | { readonly t: "ask"; readonly of?: string; readonly n: number }
  /** The receiver has taken these. */
  | { readonly t: "done"; readonly ids: readonly string[] };

type Peer = {
  state: "up" | "suspect" | "down" | "left";
  /** Since when it derives events. */
  readonly since: Millis;
  /** Its changes up to this one are in the ledger; undefined: it has not told its members yet. */
  n: number | undefined;
  parts: Came[];
  askedAt: Millis;
  /** When its people are gone, after a goodbye. */
  goneAt: Millis;
};

type Pending = StampedEvent & { readonly at: Millis };

/** Changes are remembered for those that missed some. */
const LOG_MAX = 2000;
const MEMBERS_PER_PART = 100;
const IDS_PER_MESSAGE = 500;
/** An event more is dropped with the oldest: a receiver that is away for a day must not fill the memory. */
const PENDING_MAX = 50_000;
const BATCH_MAX = 100;
/** Changes of this time go in one request. */
const BATCH_MS = 50;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 60_000;
const TICK_MS = 1000;
/** An instance says at which change it is, so that the loss of its last one shows. */
const POSITION_MS = 5000;
const ASK_AGAIN_MS = 2000;
/** An instance that came so shortly before an event may not have heard of it. */
const SETTLED_MS = 3000;
const LOST_MAX = 1000;
/** If the sender of an event is alive and does not send it, for whatever reason, the others do. */
const OVERDUE_MS = 120_000;
/** At the end of the last instance nobody takes over: so long it tries to be rid of its events. */
const FLUSH_MS_MAX = 5000;

export class Webhooks {
  readonly #options: WebhookOptions;
  readonly #ledger = new Ledger();
  readonly #peers = new Map<InstanceId, Peer>();
  readonly #pending = new Map<string, Pending>();
  readonly #done = new Map<string, Millis>();
  readonly #warn: ReturnType<typeof rateLimited>;
  readonly #stopping = new AbortController();
  readonly #startedAt: Millis;
  /** Peers whose people were told as gone. */
  readonly #lost = new Set<InstanceId>();
  #log: Change[] = [];
  #n = 0;
  #unsaid: Change[] = [];
  #positionAt: Millis = 0;
  #isSending = false;
  #failures = 0;
  #sendAt: Millis = 0;
  #wakeAt: Millis = Number.POSITIVE_INFINITY;
  #cancelWake: () => void = () => {};
  #cancelTick: () => void = () => {};
  #idle: (() => void) | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#startedAt = options.clock.now();
    this.#warn = rateLimited(options.log.warn.bind(options.log), 10_000);
  }

  /** The bus is there. */
  start(): void {
    this.#say({ t: "ask", n: 0 });
    this.#tick();
  }

  #say(words: HookWords): void {
    this.#options.say({ ...words, age: Math.round(this.#options.clock.now() - this.#startedAt) });
  }

  // This instance.

  /** A change of an own slice; the core may tell one twice. */
  own({ boardId: board, change }: Extract<Effect, { kind: "own" }>): void {
    const { instanceId, clock } = this.#options;
    const told: Change =
      change.op === "set"
        ? {
            board,
            member: change.member.memberId,
            attempt: change.attempt,
            user: change.member.userId,
            name: change.member.username,
            kind: change.member.kind,
          }
        : { board, member: change.memberId, attempt: change.attempt, reason: change.reason };
    if (!("reason" in told) && this.#ledger.has(instanceId, told)) return;
    this.#derived(this.#ledger.apply(instanceId, told, clock.now()));
    if (this.#unsaid.length === 0) queueMicrotask(() => this.#sayChanges());
    this.#unsaid.push(told);
  }

  #sayChanges(): void {
    const changes = this.#unsaid;
    this.#unsaid = [];
    this.#log.push(...changes);
    if (this.#log.length > LOG_MAX) this.#log = this.#log.slice(-LOG_MAX);
    const from = this.#n + 1;
    this.#n += changes.length;
    for (let at = 0; at < changes.length; at += MEMBERS_PER_PART)
      this.#say({ t: "log", from: from + at, changes: changes.slice(at, at + MEMBERS_PER_PART) });
    this.#positionAt = this.#options.clock.now() + POSITION_MS;
  }

  // The others.

  /** How another instance is judged. */
  judged(instanceId: InstanceId, state: Peer["state"]): void {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined) return;
    const now = this.#options.clock.now();
    peer.state = state;
    peer.goneAt = state === "left" ? now + CONSTANTS.goodbyeMs : Number.POSITIVE_INFINITY;
    if (state === "down") this.#gone(instanceId);
  }

  heard(from: InstanceId, words: HookWords & Aged): void {
    const { instanceId, clock } = this.#options;
    if (from === instanceId) return;
    const now = clock.now();
    const peer = this.#peerOf(from, now - words.age);
    switch (words.t) {
      case "ask":
        if (words.of === undefined || words.of === instanceId) this.#answer(words.n);
        return;
      case "done":
        for (const id of words.ids) this.#finished(id, now);
        return;
      case "all": {
        peer.parts = words.part === 0 ? [...words.members] : [...peer.parts, ...words.members];
        if (words.part + 1 < words.parts) return;
        // Those who were there before this instance came have been told of by others.
        const isOld = peer.n === undefined && peer.since < this.#startedAt && !this.#lost.delete(from);
        const events = this.#ledger.replace(from, peer.parts, now);
        peer.n = words.n;
        peer.parts = [];
        if (!isOld) this.#derived(events);
        return;
      }
      case "log": {
        const last = words.from + words.changes.length - 1;
        if (peer.n === undefined || words.from > peer.n + 1) return this.#ask(from, peer, now);
        const news = words.changes.slice(Math.max(0, peer.n + 1 - words.from));
        peer.n = Math.max(peer.n, last);
        for (const change of news) this.#derived(this.#ledger.apply(from, change, now));
        return;
      }
    }
  }

  #peerOf(instanceId: InstanceId, since: Millis): Peer {
    let peer = this.#peers.get(instanceId);
    if (peer === undefined || peer.state === "down") {
      peer = { state: "up", since, n: undefined, parts: [], askedAt: Number.NEGATIVE_INFINITY, goneAt: Number.POSITIVE_INFINITY };
      this.#peers.set(instanceId, peer);
    }
    return peer;
  }

  #ask(of: InstanceId, peer: Peer, now: Millis): void {
    if (now - peer.askedAt < ASK_AGAIN_MS) return;
    peer.askedAt = now;
    this.#say({ t: "ask", of, n: peer.n ?? 0 });
  }

  #answer(after: number): void {
    const { instanceId } = this.#options;
    const say = (words: HookWords) => this.#say(words);
    const missing = this.#n - after;
    if (after > 0 && missing >= 0 && missing <= this.#log.length) {
      const changes = missing === 0 ? [] : this.#log.slice(-missing);
      for (let at = 0; at < changes.length; at += MEMBERS_PER_PART)
        say({ t: "log", from: after + 1 + at, changes: changes.slice(at, at + MEMBERS_PER_PART) });
      return;
    }
    // Those not said yet are in the ledger, and follow.
    const members = this.#ledger.of(instanceId);
    const parts = Math.max(1, Math.ceil(members.length / MEMBERS_PER_PART));
    for (let part = 0; part < parts; part++)
      say({ t: "all", n: this.#n, part, parts, members: members.slice(part * MEMBERS_PER_PART, (part + 1) * MEMBERS_PER_PART) });
  }

  #gone(instanceId: InstanceId): void {
    this.#peers.delete(instanceId);
    if (this.#lost.size < LOST_MAX) this.#lost.add(instanceId);
    this.#derived(this.#ledger.gone(instanceId, this.#options.clock.now()));
    this.#wake(0);
  }

  // Events.

  #derived(events: readonly HookEvent[]): void {
    const { clock, metrics } = this.#options;
    const at = clock.now();
    const timestamp = new Date(clock.wallNow()).toISOString();
    for (const event of events) {
      if (this.#done.has(event.id) || this.#pending.has(event.id)) continue;
      this.#pending.set(event.id, { ...event, at, timestamp });
      if (this.#pending.size <= PENDING_MAX) continue;
      const [oldest = ""] = this.#pending.keys();
      this.#pending.delete(oldest);
      metrics.webhookEvents.dropped++;
      this.#warn({ pending: PENDING_MAX }, "the receiver of webhooks takes nothing for so long that the oldest events are dropped");
    }
    metrics.webhookPending = this.#pending.size;
    if (events.length > 0) this.#wake(BATCH_MS);
  }

  #finished(id: string, now: Millis): void {
    this.#pending.delete(id);
    this.#done.set(id, now);
    this.#options.metrics.webhookPending = this.#pending.size;
  }

  /** The first of those that know of the event, in an order that is another one for each board and the same for all instances. */
  #isMine({ board, at }: Pending, now: Millis): boolean {
    const { instanceId } = this.#options;
    if (now - at > OVERDUE_MS) return true;
    const own = rankOf(board, instanceId);
    for (const [peer, { state, since }] of this.#peers)
      if ((state === "up" || state === "suspect") && since < at - SETTLED_MS && rankOf(board, peer) < own) return false;
    return true;
  }

  async #send(): Promise<void> {
    const { clock, metrics } = this.#options;
    if (this.#isSending || clock.now() < this.#sendAt) return;
    const now = clock.now();
    const batch: Pending[] = [];
    for (const event of this.#pending.values()) if (batch.length < BATCH_MAX && this.#isMine(event, now)) batch.push(event);
    if (batch.length === 0) return this.#idle?.();
    this.#isSending = true;
    try {
      await this.#options.post(
        this.#options,
        batch.map(({ at: _, ...event }) => event),
        this.#stopping.signal,
      );
      this.#failures = 0;
      this.#sendAt = 0;
      metrics.webhookEvents.delivered += batch.length;
      for (let at = 0; at < batch.length; at += IDS_PER_MESSAGE)
        this.#say({ t: "done", ids: batch.slice(at, at + IDS_PER_MESSAGE).map(({ id }) => id) });
      for (const { id } of batch) this.#finished(id, clock.now());
    } catch (error) {
      metrics.webhookFailures++;
      const retryMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
      this.#sendAt = clock.now() + retryMs;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
      if (!this.#stopping.signal.aborted)
        this.#warn(
          { reason: cause ?? (error instanceof Error ? error.message : String(error)), events: batch.length, retryMs: Math.round(retryMs) },
          "the receiver of webhooks did not take a batch; it is sent again",
        );
    } finally {
      this.#isSending = false;
      this.#wake(Math.max(0, this.#sendAt - clock.now()));
    }
  }

  #wake(ms: Millis): void {
    const { clock } = this.#options;
    const at = clock.now() + ms;
    if (at >= this.#wakeAt || this.#stopping.signal.aborted) return;
    this.#cancelWake();
    this.#wakeAt = at;
    this.#cancelWake = clock.after(ms, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      void this.#send();
    });
  }

  #tick(): void {
    const { clock } = this.#options;
    const now = clock.now();
    this.#cancelTick = clock.after(TICK_MS, () => this.#tick());
    this.#derived(this.#ledger.tick(now));
    for (const [instanceId, { goneAt }] of [...this.#peers]) if (now >= goneAt) this.#gone(instanceId);
    for (const [id, at] of this.#done) {
      if (now - at < OVERDUE_MS) break;
      this.#done.delete(id);
    }
    if (now >= this.#positionAt) {
      this.#positionAt = now + POSITION_MS;
      this.#say({ t: "log", from: this.#n + 1, changes: [] });
    }
    if (this.#pending.size > 0) this.#wake(Math.max(0, this.#sendAt - now));
  }

  /** This instance ends. Where no other one is left, its people are gone with it, and what is pending is sent now or never. */
  async stop(): Promise<void> {
    const { instanceId, clock } = this.#options;
    const areOthers = [...this.#peers.values()].some(({ state }) => state === "up" || state === "suspect");
    if (!areOthers && !this.#stopping.signal.aborted) {
      this.#derived(this.#ledger.gone(instanceId, clock.now()));
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
        clock.after(FLUSH_MS_MAX, resolve);
        this.#sendAt = 0;
        this.#wake(0);
      });
    }
    this.#stopping.abort();
    this.#cancelWake();
    this.#cancelTick();
  }
}

/** FNV-1a with a last mix: the order of instances for a board, which has to be the same everywhere and cheap. */
function rankOf(board: string, instanceId: InstanceId): number {
  const text = `${board} ${instanceId}`;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

const CHANGE = z.union([
  z.object({ board: z.string(), member: z.string(), attempt: z.number(), user: z.string(), name: z.string(), kind: z.string() }),
  z.object({ board: z.string(), member: z.string(), attempt: z.number(), reason: z.string() }),
]);
const MEMBER = CHANGE.options[0];
const COUNT = z.int().min(0);
const WORDS = z.intersection(
  z.object({ age: z.number().min(0) }),
  z.discriminatedUnion("t", [
    z.object({ t: z.literal("log"), from: COUNT, changes: z.array(CHANGE) }),
    z.object({ t: z.literal("all"), n: COUNT, part: COUNT, parts: COUNT, members: z.array(MEMBER) }),
    z.object({ t: z.literal("ask"), of: z.string().optional(), n: COUNT }),
    z.object({ t: z.literal("done"), ids: z.array(z.string()) }),
  ]),
);

/** undefined: words of a later release, or of somebody else. */
export function readHookWords(words: unknown): (HookWords & Aged) | undefined {
  const read = WORDS.safeParse(words);
  return read.success ? (read.data as HookWords & Aged) : undefined;
}
