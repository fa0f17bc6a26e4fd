/**
 * Our own side of one board: what the app wants said of us, what we have said to the service, and what it has accepted. Decides what is
 * sent next, and when: a join says all, an update what has changed since. Pure: the caller sends, and passes on the answers and the time.
 */

import { type JsonObject, type Millis, mergePatchBetween, STATE_BYTES_MAX, type Status, utf8Bytes } from "@presence-service/protocol";
import type { PresenceErrorCode } from "../types.ts";

/** Updates are gathered: the first is sent at the end of the current task, later ones no more often than this. */
const UPDATE_MS = 50;
/** The wait before a join again: after `too_fast`, `unavailable`, or a removal from the board without a kick. Doubled while it goes on. */
const REJOIN_MS = 1_000;
const REJOIN_MS_MAX = 30_000;
/** A refusal so long after the last join again starts with the short wait. */
const CALM_MS = 10_000;

/** After an objection, a join with another name or state may succeed. */
const OBJECTIONS: ReadonlySet<PresenceErrorCode> = new Set(["bad_message", "bad_username", "bad_state"]);

/** The part of us that an update can change. */
export type Own = { readonly status: Exclude<Status, "reconnecting">; readonly state: JsonObject; readonly area?: string };

/** All that a join says of us. */
export type Said = { readonly username: string; readonly own: Own };

type Join =
  /** None is under way, and none is due. */
  | { readonly phase: "none" }
  /** It waits for its answer. Only one does at a time: a change of the name meanwhile goes with the next. */
  | { readonly phase: "asked"; readonly said: Said }
  /** It is sent at this time. Until then no update is sent, as the join will say all. */
  | { readonly phase: "due"; readonly at: Millis }
  /** It was refused with `too_many_boards`. It is sent again when another board is left. */
  | { readonly phase: "crowded out" };

const NONE: Join = { phase: "none" };

/** How a refusal leaves us: as we were, off the board for the time being, off it for good, or unwanted, so that we have to leave it. */
export type Outcome = "as before" | "crowded out" | "removed" | "unwanted";

export class OwnSide {
  #wanted: Said;
  /** The status, state and area that were sent last. */
  #sent: Own;
  /** The last join that was answered with a roster: the service accepts its name and state. */
  #accepted: Said | undefined;
  #join: Join = NONE;
  #updatedAt: Millis = Number.NEGATIVE_INFINITY;
  #rejoinedAt: Millis = Number.NEGATIVE_INFINITY;
  #rejoinMs: Millis = REJOIN_MS;

  constructor(username: string, state: JsonObject) {
    this.#sent = { status: "active", state };
    this.#wanted = { username, own: this.#sent };
  }

  get own(): Own {
    return this.#wanted.own;
  }

  get username(): string {
    return this.#wanted.username;
  }

  /** The name that the service is still to show; undefined: it has answered to the one that is wanted. */
  get newName(): string | undefined {
    return this.#accepted && this.#accepted.username !== this.#wanted.username ? this.#wanted.username : undefined;
  }

  /** The area that we have said last. */
  get saidArea(): string {
    return this.#sent.area ?? "";
  }

  /** We are to be in another area than we have said. */
  get isAreaUnsaid(): boolean {
    return this.#wanted.own.area !== this.#sent.area;
  }

  /** A join was accepted once. */
  get wasJoined(): boolean {
    return this.#accepted !== undefined;
  }

  get isUnanswered(): boolean {
    return this.#join.phase === "asked";
  }

  get isCrowdedOut(): boolean {
    return this.#join.phase === "crowded out";
  }

  /** A join may be sent to say something new: none waits for its answer or for its time. */
  get isSettled(): boolean {
    return this.#join.phase === "none";
  }

  /** When the join is to be sent again. */
  get rejoinAt(): Millis {
    return this.#join.phase === "due" ? this.#join.at : Number.POSITIVE_INFINITY;
  }

  /** When an update is to be sent, if we are on the board then. */
  get updateAt(): Millis {
    return this.#wanted.own !== this.#sent && this.#join.phase !== "due" ? this.#updatedAt + UPDATE_MS : Number.POSITIVE_INFINITY;
  }

  /** `false`: nothing is new. */
  want({ username = this.#wanted.username, own = this.#wanted.own }: Partial<Said>): boolean {
    const old = this.#wanted;
    const isSameOwn = own.state === old.own.state && own.status === old.own.status && own.area === old.own.area;
    if (username === old.username && isSameOwn) return false;
    this.#wanted = { username, own };
    return true;
  }

  /** The join that is sent now. */
  ask(): Said {
    this.#join = { phase: "asked", said: this.#wanted };
    this.#sent = this.#wanted.own;
    return this.#wanted;
  }

  /** Our place on the board is lost, or there is no connection to ask for one: no join is under way any more, and none is due. */
  forget(): void {
    this.#join = NONE;
  }

  /** The service has answered with a roster. `true`: to a join with another name than the one that is wanted by now. */
  joined(): boolean {
    if (this.#join.phase !== "asked") return false;
    this.#accepted = this.#join.said;
    this.#join = NONE;
    return this.newName !== undefined;
  }

  /** The service has refused something. It does not tell which part, so all of it is said again, or what it has accepted before. */
  refused(code: PresenceErrorCode, now: Millis): Outcome {
    const asked = this.#join.phase === "asked" ? this.#join.said : undefined;
    if (code === "too_fast" || code === "unavailable" || (code === "bad_state" && !asked)) {
      this.joinAgain(now);
    } else if (code === "bad_board") {
      this.#join = NONE;
      return "removed";
    } else if (asked && code === "too_many_boards") {
      this.#join = { phase: "crowded out" };
      return "crowded out";
    } else if (asked && (code === "unauthorized" || (OBJECTIONS.has(code) && !this.#fallBack(code, asked, now)))) return "unwanted";
    return "as before";
  }

  joinAgain(now: Millis): void {
    if (this.#join.phase === "due") return;
    this.#rejoinMs = now - this.#rejoinedAt < CALM_MS ? Math.min(2 * this.#rejoinMs, REJOIN_MS_MAX) : REJOIN_MS;
    this.#join = { phase: "due", at: now + this.#rejoinMs };
  }

  /** Whether the join is to be sent again now. */
  takeRejoin(now: Millis): boolean {
    if (now < this.rejoinAt) return false;
    this.#rejoinedAt = now;
    return true;
  }

  /** The update that is sent now. `"join"`: it is too large, and a join is sent instead. */
  takeUpdate(now: Millis): Partial<Own> | "join" | undefined {
    if (this.updateAt === Number.POSITIVE_INFINITY) return undefined;
    const { own } = this.#wanted;
    const status = own.status === this.#sent.status ? undefined : own.status;
    const state = mergePatchBetween(this.#sent.state, own.state);
    if (state && utf8Bytes(JSON.stringify(state)) > STATE_BYTES_MAX) {
      // A patch names removed keys too, so it can be larger than both states and over the limit.
      this.#updatedAt = now;
      return this.isSettled ? "join" : undefined;
    }
    const area = own.area === this.#sent.area ? undefined : (own.area ?? "");
    this.#sent = own;
    if (!state && !status && area === undefined) return undefined;
    this.#updatedAt = now;
    return { ...(status && { status }), ...(state && { state }), ...(area !== undefined && { area }) };
  }

  /** Goes back to the last accepted name and state. `false`: there are none that differ from the refused ones. */
  #fallBack(code: PresenceErrorCode, asked: Said, now: Millis): boolean {
    const fine = this.#accepted;
    const isNameNew = code !== "bad_state" && fine?.username !== asked.username;
    const isOwnNew = code !== "bad_username" && fine?.own !== asked.own;
    if (!fine || !(isNameNew || isOwnNew)) return false;
    this.joinAgain(now);
    this.want({ ...(isNameNew && { username: fine.username }), ...(isOwnNew && { own: fine.own }) });
    return true;
  }
}
