/**
 * One board as the app sees it: the service's messages about it, without flicker across reconnects (C2, C6). Pure: tell it each message
 * and the time; it answers with the events for the app, in order.
 *
 * Two rules: the object of another member changes exactly when an event says so; our own member shows what we asked for, even before
 * the service has it.
 */

import {
  applyMergePatch,
  type CursorPath,
  type CursorPathOf,
  inOrder,
  isArea,
  isObject,
  isSame,
  isTime,
  type Json,
  type JsonObject,
  type LeaveReason,
  MEMBER_KINDS,
  type MemberId,
  type Millis,
  type Point,
  type RosterEntry,
  type ServerMessage,
  STATUSES,
  type Member as WireMember,
} from "@presence-service/protocol";
import type { CursorMove, Member, RosterEvents, User } from "../types.ts";
import { groupUsers } from "./group-users.ts";
import type { Own } from "./own-side.ts";

export type AnyMember = Member<object>;
export type AnyCursorMove = CursorMove<object>;

type RosterEvent = {
  [N in keyof RosterEvents<object>]: { readonly name: N; readonly detail: RosterEvents<object>[N] };
}[keyof RosterEvents<object>];

/** Events for the app: roster first, then cursors, since a cursor names a member. */
export type Changes = {
  readonly events: RosterEvent[];
  readonly moved: AnyCursorMove[];
  readonly paths?: ReadonlyMap<MemberId, CursorPath>;
};

type Entry = {
  /** The service's number for this member in this connection; undefined: it has not named the member since we reconnected. */
  actor: number | undefined;
  wire: WireMember;
  /** `wire` as the app reads it. */
  base: AnyMember;
  /** `base`, or the same marked as reconnecting. */
  shown: AnyMember;
  /** Missing from the roster of a settling service: removed when the grace ends. */
  isMissing: boolean;
  /** When the first such roster came, with none since that had the member. */
  missingSince?: Millis | undefined;
  /** Last known place, kept while the cursor is hidden. */
  point: Point;
  isHidden: boolean;
};

/** The SDK's fraction 1 on the wire. */
const WHOLE = 0xffff;
/** The share of the grace that each further settling service has to find a member which an earlier one lacked. An instance that starts knows all others after 2 s. */
const FIND_SHARE = 1 / 5;
/** In all a missing member is kept for so many graces, however often the connection is lost. */
const GRACES_MAX = 2;

export class BoardView {
  /** Raised with every change of self, others, users or counts: values derived from them are stale then. */
  version = 0;
  #own: Own;
  /** The name that we have asked for, until the service has answered. */
  #wantedName: string | undefined;
  readonly #parse: (state: JsonObject) => object;
  #self: { actor: number; wire: WireMember; shown: WireMember } | undefined;
  /** In order of appearance. */
  readonly #entries = new Map<MemberId, Entry>();
  readonly #byActor = new Map<number, Entry>();
  /** How many entries are not missing, and how many of these are of each user. */
  #present = 0;
  readonly #presentOf = new Map<string, number>();
  /** Somebody observes the board, without being shown. */
  isObserved = false;
  #isLost = false;
  /** The areas at which we look; undefined: all. */
  #areas: ReadonlySet<string> | undefined;
  /** The words of `joined` beside its roster, and how many entries of the roster are still to come. */
  #joined = { self: -1, settling: false, members: 0, users: 0, observed: false };
  #following = 0;
  /** When the last `joined` came, and the grace then. */
  #arrived = { at: 0, graceMs: 0 };
  /** When the first of the missing members is removed. */
  #graceEndsAt: Millis = Number.POSITIVE_INFINITY;
  /** Counts of those on the board who are not in the roster that we got. */
  #beyond = { members: 0, users: 0 };
  #others: readonly AnyMember[] | undefined = [];
  #users: readonly User<object>[] = [];
  #usersVersion = 0;

  constructor(own: Own, parse: (state: JsonObject) => object = (state) => state) {
    this.#own = own;
    this.#parse = parse;
  }

  /** All members that we know, ourselves included, in the order of rosters. */
  get members(): readonly WireMember[] {
    const members = Array.from(this.#entries.values(), ({ wire }) => wire);
    return (this.#self ? [...members, this.#self.shown] : members).sort(inOrder);
  }

  /** The whole board, after a join. A member that is missing from it leaves: at once, or after the grace if the service is settling. */
  joined(message: Extract<ServerMessage, { kind: "joined" }>, graceMs: Millis, now: Millis): Changes {
    const changes: Changes = { events: [], moved: [] };
    this.#isLost = false;
    this.#graceEndsAt = Number.POSITIVE_INFINITY;
    this.#arrived = { at: now, graceMs };
    if (message.observe) this.#dropSelf();
    else if (this.#self) this.#self.actor = message.self;
    this.#byActor.clear();
    for (const entry of this.#entries.values()) entry.actor = undefined;
    const { self, settling, members, users, observed = false } = message;
    this.#joined = { self, settling, members, users, observed };
    this.#following = message.following ?? 0;
    this.#list(message.roster, changes);
    return changes;
  }

  /** More of the roster; or, once that is whole, members who have come. */
  listed(roster: readonly RosterEntry[]): Changes {
    const changes: Changes = { events: [], moved: [] };
    if (this.#following > 0) {
      this.#following -= roster.length;
      this.#list(roster, changes);
    } else
      for (const listed of roster) {
        if (listed.member.memberId === this.#self?.wire.memberId) this.#placeSelf(listed);
        else this.#place(listed, changes);
      }
    return changes;
  }

  #list(roster: readonly RosterEntry[], changes: Changes): void {
    const { self, settling, members, users, observed } = this.#joined;
    for (const listed of roster) {
      if (listed.actor === self) this.#placeSelf(listed);
      else this.#place(listed, changes);
    }
    if (this.#following <= 0) this.#missMembers(settling, changes);
    this.counted(members, users, observed);
  }

  /** The roster is whole. */
  #missMembers(settling: boolean, changes: Changes): void {
    for (const entry of this.#entries.values()) {
      if (entry.actor !== undefined) continue;
      if (!settling || entry.wire.memberId === this.#self?.wire.memberId) {
        this.#remove(entry, "left", changes);
      } else {
        this.#setMissing(entry, true);
        entry.missingSince ??= this.#arrived.at;
        this.#graceEndsAt = Math.min(this.#graceEndsAt, this.#missingUntil(entry.missingSince));
        this.#moveTo(entry, null, changes);
        this.#show(entry, changes);
      }
    }
  }

  #missingUntil(since: Millis): Millis {
    const { at, graceMs } = this.#arrived;
    return Math.max(since + graceMs, Math.min(at + FIND_SHARE * graceMs, since + GRACES_MAX * graceMs));
  }

  userUpdated(actor: number, patch: JsonObject): Changes {
    const changes: Changes = { events: [], moved: [] };
    if (this.#self?.actor === actor) {
      this.#placeSelf({ actor, member: patched(this.#self.wire, patch) });
    } else {
      const entry = this.#byActor.get(actor);
      if (entry) this.#describe(entry, patched(entry.wire, patch), changes);
    }
    return changes;
  }

  /** Our own status is among them, and we know better. */
  statuses({ status, actors, activeAt, afterMs = [] }: Extract<ServerMessage, { kind: "statuses" }>): Changes {
    const changes: Changes = { events: [], moved: [] };
    actors.forEach((actor, nth) => {
      const entry = this.#byActor.get(actor);
      const time = activeAt === undefined ? null : activeAt + (afterMs[nth] ?? 0);
      if (entry) this.#describe(entry, patched(entry.wire, { status, activeAt: time }), changes);
    });
    return changes;
  }

  userLeft(actor: number, reason: LeaveReason): Changes {
    const changes: Changes = { events: [], moved: [] };
    const entry = this.#byActor.get(actor);
    if (entry) this.#remove(entry, reason, changes);
    return changes;
  }

  cursors(moves: readonly { readonly actor: number; readonly at: Point | null }[], paths: readonly CursorPathOf[] = []): Changes {
    const changes: Changes = { events: [], moved: [] };
    const pathOf = new Map(paths.map((path) => [path.actor, path]));
    const told = new Map<MemberId, CursorPath>();
    for (const { actor, at } of moves) {
      const entry = this.#byActor.get(actor);
      const path = pathOf.get(actor);
      if (entry && path) told.set(entry.wire.memberId, path);
      if (entry) this.#moveTo(entry, at, changes, path);
    }
    return paths.length > 0 ? { ...changes, paths: told } : changes;
  }

  /** Shows the cursors of these areas only; undefined: of all. */
  look(areas: ReadonlySet<string> | undefined): Changes {
    const changes: Changes = { events: [], moved: [] };
    this.#areas = areas;
    for (const entry of this.#entries.values()) if (!this.#looksAt(entry)) this.#moveTo(entry, null, changes);
    return changes;
  }

  #looksAt({ wire: { area = "" } }: Entry): boolean {
    return this.#areas === undefined || this.#areas.has(area);
  }

  /** The service's counts, ourselves included. Until its next count we add joins and subtract leaves ourselves. */
  counted(members: number, users: number, observed = false): void {
    this.isObserved = observed;
    const { memberCount, userCount } = this;
    this.#beyond = { members: 0, users: 0 };
    this.#beyond = { members: Math.max(0, members - this.memberCount), users: Math.max(0, users - this.userCount) };
    if (memberCount === this.memberCount && userCount === this.userCount) return;
    // A large board is told its counts many times a second: the same members are the same people.
    if (this.#usersVersion === this.version) this.#usersVersion++;
    this.version++;
  }

  /** The connection is gone: all others are shown as reconnecting, for as long as it takes. */
  lost(): Changes {
    const changes: Changes = { events: [], moved: [] };
    this.#isLost = true;
    this.#graceEndsAt = Number.POSITIVE_INFINITY;
    this.#byActor.clear();
    for (const entry of this.#entries.values()) {
      entry.actor = undefined;
      this.#setMissing(entry, false);
      this.#show(entry, changes);
    }
    return changes;
  }

  /** Removes the members that a settling service has not found within the grace. */
  expire(now: Millis): Changes {
    const changes: Changes = { events: [], moved: [] };
    if (now < this.#graceEndsAt) return changes;
    this.#graceEndsAt = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (!entry.isMissing) continue;
      const until = this.#missingUntil(entry.missingSince ?? now);
      if (now >= until) this.#remove(entry, "timeout", changes);
      else this.#graceEndsAt = Math.min(this.#graceEndsAt, until);
    }
    return changes;
  }

  get deadline(): Millis {
    return this.#graceEndsAt;
  }

  setOwn(own: Own): void {
    this.#own = own;
    if (this.#self) this.#placeSelf({ actor: this.#self.actor, member: this.#self.wire });
  }

  /** undefined: take the name that the service gives. */
  rename(username: string | undefined): void {
    this.#wantedName = username;
    if (this.#self) this.#placeSelf({ actor: this.#self.actor, member: this.#self.wire });
  }

  get selfActor(): number | undefined {
    return this.#isLost ? undefined : this.#self?.actor;
  }

  get self(): AnyMember | null {
    return this.#self?.shown ?? null;
  }

  get others(): readonly AnyMember[] {
    this.#others ??= Array.from(this.#entries.values(), (entry) => entry.shown).sort(inOrder);
    return this.#others;
  }

  get users(): readonly User<object>[] {
    if (this.#usersVersion !== this.version) this.#users = groupUsers(this.self, this.others, this.#users);
    this.#usersVersion = this.version;
    return this.#users;
  }

  /** Without making the list of them. */
  get hasOthers(): boolean {
    return this.#entries.size > 0;
  }

  get memberCount(): number {
    return this.#present + (this.#self ? 1 : 0) + this.#beyond.members;
  }

  get userCount(): number {
    const isAlone = this.#self !== undefined && !this.#presentOf.has(this.#self.wire.userId);
    return this.#presentOf.size + (isAlone ? 1 : 0) + this.#beyond.users;
  }

  #setMissing(entry: Entry, isMissing: boolean): void {
    this.#count(entry, -1);
    entry.isMissing = isMissing;
    this.#count(entry, 1);
  }

  #count({ isMissing, wire: { userId } }: Entry, more: 1 | -1): void {
    if (isMissing) return;
    this.#present += more;
    const members = (this.#presentOf.get(userId) ?? 0) + more;
    if (members > 0) this.#presentOf.set(userId, members);
    else this.#presentOf.delete(userId);
  }

  /** Another member by its id, as it is shown. */
  other(memberId: MemberId): AnyMember | undefined {
    return this.#entries.get(memberId)?.shown;
  }

  memberOf(actor: number): AnyMember | undefined {
    return this.#byActor.get(actor)?.shown;
  }

  /** That member's cursor, as if it were there. */
  moveAt(memberId: MemberId, at: Point | undefined, path?: readonly Point[]): AnyCursorMove | undefined {
    const entry = this.#entries.get(memberId);
    if (!entry || !at) return undefined;
    const point = { x: Math.round(at.x), y: Math.round(at.y) };
    return { member: entry.shown, ...fractions(at), hidden: false, point, ...(path && { path: path.map(fractions) }) };
  }

  visibleCursors(): AnyCursorMove[] {
    const visible: AnyCursorMove[] = [];
    for (const entry of this.#entries.values()) if (!entry.isHidden) visible.push(moveOf(entry));
    return visible;
  }

  #dropSelf(): void {
    if (this.#self) this.version++;
    this.#self = undefined;
  }

  #placeSelf({ actor, member }: { readonly actor: number; readonly member: WireMember }): void {
    // Our own updates come back late: taking them would undo newer ones.
    const { area: _, activeAt, ...rest } = member;
    const said = {
      ...rest,
      ...(activeAt !== undefined && this.#own.status !== "active" && { activeAt }),
      ...this.#own,
      ...(this.#wantedName !== undefined && { username: this.#wantedName }),
    };
    const old = this.#self?.shown;
    const shown = old && isSame(old, said) ? old : said;
    this.#self = { actor, wire: member, shown };
    if (shown !== old) this.version++;
  }

  #place({ actor, member, at }: RosterEntry, changes: Changes): void {
    const holder = this.#byActor.get(actor);
    if (holder && holder.wire.memberId !== member.memberId) this.#remove(holder, "left", changes);
    let entry = this.#entries.get(member.memberId);
    if (entry) {
      if (entry.actor !== undefined) this.#byActor.delete(entry.actor);
      entry.actor = actor;
      this.#setMissing(entry, false);
      entry.missingSince = undefined;
      this.#describe(entry, member, changes);
    } else {
      const base = this.read(member);
      entry = { actor, wire: member, base, shown: base, isMissing: false, point: { x: 0, y: 0 }, isHidden: true };
      this.#entries.set(member.memberId, entry);
      this.#count(entry, 1);
      this.#changed();
      changes.events.push({ name: "user_joined", detail: { member: base } });
    }
    this.#byActor.set(actor, entry);
    this.#moveTo(entry, at ?? null, changes);
  }

  #describe(entry: Entry, wire: WireMember, changes: Changes): void {
    const hasMoved = entry.wire.area !== wire.area;
    if (!isSame(entry.wire, wire)) {
      this.#count(entry, -1);
      entry.wire = wire;
      this.#count(entry, 1);
      entry.base = this.read(wire);
    }
    this.#show(entry, changes);
    // It pointed into the area that it has left.
    if (hasMoved) this.#moveTo(entry, null, changes);
  }

  /** Updates the shown member from the known one. A member that is back from `reconnecting` unchanged is the same object as before. */
  #show(entry: Entry, changes: Changes): void {
    const isAway = this.#isLost || entry.isMissing;
    const previous = entry.shown;
    if (!isAway || entry.base.status === "reconnecting") entry.shown = entry.base;
    else if (previous.status !== "reconnecting") entry.shown = { ...entry.base, status: "reconnecting" };
    if (entry.shown === previous) return;
    this.#changed();
    changes.events.push({ name: "user_updated", detail: { member: entry.shown, previous } });
  }

  #moveTo(entry: Entry, place: Point | null, changes: Changes, path?: CursorPath): void {
    const at = this.#looksAt(entry) ? place : null;
    if (at ? !entry.isHidden && at.x === entry.point.x && at.y === entry.point.y : entry.isHidden) return;
    entry.isHidden = at === null;
    if (at) entry.point = at;
    const way = at && path?.earlier.map(({ dx, dy }) => fractions({ x: at.x + dx, y: at.y + dy }));
    changes.moved.push({ ...moveOf(entry), ...(way && { path: way }) });
  }

  #remove(entry: Entry, reason: LeaveReason, changes: Changes): void {
    this.#moveTo(entry, null, changes);
    this.#entries.delete(entry.wire.memberId);
    this.#count(entry, -1);
    if (entry.actor !== undefined) this.#byActor.delete(entry.actor);
    this.#changed();
    changes.events.push({ name: "user_left", detail: { member: entry.shown, reason } });
  }

  #changed(): void {
    this.#others = undefined;
    this.version++;
  }

  /** The member as the app reads it. */
  read(member: WireMember): AnyMember {
    const state = this.#parse(member.state);
    return state === member.state ? member : { ...member, state };
  }
}

function moveOf({ shown, point, isHidden }: Entry): AnyCursorMove {
  return { member: shown, ...fractions(point), hidden: isHidden, point };
}

function fractions({ x, y }: Point): Point {
  return { x: x / WHOLE, y: y / WHOLE };
}

/** Merge patch on a member: fields of the wrong type keep their value, fields we do not know are dropped, memberId never changes. */
function patched(member: WireMember, patch: JsonObject): WireMember {
  const { userId, username, color, avatar, status, kind, joinedAt, activeAt, area, state } = applyMergePatch(member, patch) as {
    readonly [K in keyof WireMember]?: Json;
  };
  return {
    memberId: member.memberId,
    userId: typeof userId === "string" ? userId : member.userId,
    username: typeof username === "string" ? username : member.username,
    color: typeof color === "string" ? color : member.color,
    ...(typeof avatar === "string" && { avatar }),
    // A status of a later release means `active`.
    status: typeof status !== "string" ? member.status : (STATUSES.find((known) => known === status) ?? "active"),
    kind: typeof kind !== "string" ? member.kind : (MEMBER_KINDS.find((known) => known === kind) ?? "person"),
    joinedAt: isTime(joinedAt) ? joinedAt : member.joinedAt,
    ...(isTime(activeAt) && { activeAt }),
    ...(isArea(area) && { area }),
    state: isObject(state) ? state : member.state,
  };
}
