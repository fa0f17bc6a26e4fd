/**
 * Judges a fault run by its event log alone. It rebuilds who was there from what the clients did, and compares each roster with that at
 * every moment. It imports nothing of the service, and knows none of its rules.
 *
 * A pair is one client and one person. It is wrong while the client is connected and shows the person who is not there (ghost), does not
 * show the person who is there and connected (blind), or shows an old state or place, or `reconnecting` (stale). Whatever is right again
 * within `LATENCY_MS`, and the time for which the clients' own process stood still, is the way of a message and not a fault.
 */

import type { Bounds, Entry, Shown } from "./log.ts";

/**
 * A client that comes back to an instance which has just started or recovered keeps those whom it knew, as `reconnecting`, for the grace
 * (C6): they may be there, and not known yet. So somebody who left while the client was away may be kept for so long, and by
 * one who comes back again meanwhile for two graces in all, after those 5 s for which an instance itself showed somebody of another one that was gone.
 */
const KEPT_MS_MAX = 15_500;
const KEPT_IN_ALL_MS_MAX = 36_000;

/** The reason of a leave that a client shows because it went on to another instance. */
const ELSEWHERE = "not in the roster of the next instance";

/** More than any message takes on a machine with other work. */
export const LATENCY_MS = 500;

export type Wrong = {
  readonly kind: "ghost" | "blind" | "stale";
  readonly viewer: string;
  readonly whom: string;
  readonly since: number;
  /** Absent: it is still wrong. */
  readonly until?: number;
};

export type FalseLeave = { readonly at: number; readonly viewer: string; readonly whom: string; readonly reason: string };

/** The outcome of one fault. */
export type Verdict = {
  readonly topology: string;
  readonly fault: string;
  readonly bounds: Bounds;
  readonly evidence: readonly string[];
  readonly falseLeaves: readonly FalseLeave[];
  /**
   * People who came during the fault, and whom a client no longer shows because it went on to another instance, which has not heard of
   * them. It is told, and breaks no promise.
   */
  readonly unheard: number;
  readonly ghostMs: number;
  readonly blindMs: number;
  /** The longest time beyond `LATENCY_MS` for which an old state or place was shown. */
  readonly staleMs: number;
  /** From `mended` to the end of the last wrong; absent: something is still wrong. */
  readonly equalMs?: number;
  readonly load: {
    readonly joins: number;
    readonly leaves: number;
    readonly changes: number;
    readonly moves: number;
    readonly resumes: number;
  };
  readonly lagMs: number;
  /** Sentences: the promises that were broken. */
  readonly broken: readonly string[];
};

type Value = { readonly at: number; readonly number: number };

type Person = {
  /** The board has been asked for. */
  isWanted: boolean;
  board: string | undefined;
  wantedAt: number;
  isHere: boolean;
  isExcused: boolean;
  /** The instance that the client connects to. */
  via: number | undefined;
  /** Of `isHere`. */
  changedAt: number;
  /** The end of the last fault that excused the person. */
  excusedUntil: number;
  goneAt: number | undefined;
  readonly states: Value[];
  readonly places: Value[];
  readonly view: Map<string, Seen>;
  readonly unshownAt: Map<string, number>;
};

type Seen = {
  readonly shown: Shown;
  readonly since: number;
  readonly greySince: number | undefined;
  /** The client may keep somebody by itself, whom it showed as reconnecting with its first roster then. 0: it may not. */
  readonly keptSince: number;
  /** When its last roster came. */
  readonly keptAt: number;
};

type Window = {
  readonly topology: string;
  readonly fault: string;
  readonly bounds: Bounds;
  readonly excuses: number | undefined;
  /** Everybody who was excused at any time. */
  readonly excused: Set<string>;
  mendedAt: number | undefined;
  evidence: readonly string[];
  readonly broken: string[];
  readonly wrongs: Wrong[];
  readonly falseLeaves: FalseLeave[];
  unheard: number;
  /** When clients of each instance were told anything. */
  readonly told: Map<number, number[]>;
  readonly beganAt: number;
  readonly load: { joins: number; leaves: number; changes: number; moves: number; resumes: number };
};

export class Judge {
  readonly verdicts: Verdict[] = [];
  readonly #people = new Map<string, Person>();
  readonly #open = new Map<string, Wrong>();
  #window: Window | undefined;

  /** Entries in the order of their times. */
  add(entry: Entry): void {
    switch (entry.kind) {
      case "fault":
        return this.#begin(entry);
      case "mended":
        return this.#mend(entry.at);
      case "evidence":
        if (this.#window !== undefined) this.#window.evidence = entry.what;
        return;
      case "failed":
        this.#window?.broken.push(entry.what);
        return;
      case "watched":
        return this.#finish(entry.at, entry.lagMs);
      case "nonsense":
        this.#window?.broken.push(`${entry.who} was told what makes no sense: ${entry.text}`);
        return;
      case "degraded":
        return;
      case "sees":
        this.#noteTold(entry.who, entry.at);
        this.#look(entry.who, entry.whom, entry.at);
        this.#see(entry);
        return this.#look(entry.who, entry.whom, entry.at);
      default:
        this.#lookAround(entry.who, entry.at);
        this.#act(entry);
        this.#lookAround(entry.who, entry.at);
    }
  }

  /** All that is wrong at this moment, and has been for longer than a message takes. */
  wrongAt(at: number): Wrong[] {
    for (const who of this.#people.keys()) this.#lookAround(who, at);
    return [...this.#open.values()].filter(({ since }) => at - since > LATENCY_MS);
  }

  #act(entry: Extract<Entry, { kind: "wants" | "here" | "away" | "gone" | "says" | "moves" }>): void {
    const person = this.#person(entry.who);
    const load = this.#window?.load;
    switch (entry.kind) {
      case "wants":
        person.isWanted = true;
        person.board = entry.board;
        person.wantedAt = entry.at;
        this.#place(entry.who, person, entry.via);
        if (load) load.joins++;
        return;
      case "here":
        if (load && person.changedAt > 0) load.resumes++;
        person.isHere = true;
        person.changedAt = entry.at;
        this.#replaceView(entry, person);
        this.#place(entry.who, person, entry.via);
        return;
      case "away":
        person.isHere = false;
        person.changedAt = entry.at;
        return;
      case "gone":
        person.isHere = false;
        person.changedAt = entry.at;
        person.goneAt = entry.at;
        this.#pardon(entry.who, entry.at);
        if (load) load.leaves++;
        return;
      case "says":
        person.states.push({ at: entry.at, number: entry.state });
        if (load) load.changes++;
        return;
      case "moves":
        person.places.push({ at: entry.at, number: entry.place });
        if (load) load.moves++;
        return;
    }
  }

  /** A connection that an instance ends is over for the others a moment before its client has read so. */
  #pardon(who: string, at: number): void {
    const window = this.#window;
    if (window === undefined) return;
    window.falseLeaves.splice(0, Infinity, ...window.falseLeaves.filter((leave) => leave.whom !== who || at - leave.at > LATENCY_MS));
  }

  #noteTold(who: string, at: number): void {
    const { via } = this.#person(who);
    if (via === undefined || this.#window === undefined) return;
    const times = this.#window.told.get(via);
    if (times === undefined) this.#window.told.set(via, [at]);
    else times.push(at);
  }

  #place(who: string, person: Person, via: number): void {
    person.via = via;
    const window = this.#window;
    if (window === undefined || window.mendedAt !== undefined) return;
    person.isExcused = via === window.excuses;
    if (person.isExcused) window.excused.add(who);
  }

  #replaceView({ at, who, via, shows }: Extract<Entry, { kind: "here" }>, person: Person): void {
    const reason = via === person.via ? "not in the new roster" : ELSEWHERE;
    for (const whom of person.view.keys()) if (shows[whom] === undefined) this.#unshow(who, person, whom, at, reason);
    for (const [whom, shown] of Object.entries(shows)) this.#show(person, whom, shown, at, true);
  }

  #see({ at, who, whom, shown, reason = "no reason" }: Extract<Entry, { kind: "sees" }>): void {
    const person = this.#person(who);
    this.#person(whom);
    if (shown === null) this.#unshow(who, person, whom, at, reason);
    else this.#show(person, whom, shown, at);
  }

  #show(person: Person, whom: string, shown: Shown, at: number, isOfRoster = false): void {
    this.#person(whom);
    const before = person.view.get(whom);
    const greySince = shown.status === "reconnecting" ? (before?.greySince ?? at) : undefined;
    const seen = {
      shown,
      since: before?.since ?? at,
      greySince,
      keptSince: greySince === undefined ? 0 : before?.keptSince || (isOfRoster ? at : 0),
      keptAt: isOfRoster ? at : (before?.keptAt ?? 0),
    };
    person.view.set(whom, seen);
  }

  #unshow(viewer: string, person: Person, whom: string, at: number, reason: string): void {
    if (!person.view.delete(whom)) return;
    person.unshownAt.set(whom, at);
    const left = this.#person(whom);
    if (!left.isWanted || left.goneAt !== undefined) return;
    const window = this.#window;
    if (window === undefined) return;
    if (!left.isHere && at - left.changedAt >= window.bounds.graceMs) return;
    const isOver = window.mendedAt !== undefined && at > window.mendedAt + window.bounds.equalMsMax;
    if (window.excused.has(whom) && !isOver) return;
    if (reason === ELSEWHERE && left.wantedAt > window.beganAt && !isOver) window.unheard++;
    else window.falseLeaves.push({ at, viewer, whom, reason });
  }

  #begin({ at, topology, fault, bounds, excuses }: Extract<Entry, { kind: "fault" }>): void {
    this.#forget();
    const excused = new Set<string>();
    for (const [who, person] of this.#people) {
      if (excuses === undefined || person.via !== excuses) continue;
      this.#lookAround(who, at);
      person.isExcused = true;
      excused.add(who);
      this.#lookAround(who, at);
    }
    this.#window = {
      ...{ topology, fault, bounds, excuses, excused, beganAt: at, mendedAt: undefined, evidence: [] },
      ...{
        broken: [],
        wrongs: [],
        falseLeaves: [],
        unheard: 0,
        told: new Map(),
        load: { joins: 0, leaves: 0, changes: 0, moves: 0, resumes: 0 },
      },
    };
  }

  #mend(at: number): void {
    const window = this.#window;
    if (window === undefined) return;
    window.mendedAt = at;
    for (const who of window.excused) {
      const person = this.#person(who);
      if (!person.isExcused) continue;
      person.isExcused = false;
      person.excusedUntil = at;
      this.#lookAround(who, at);
    }
  }

  #finish(at: number, lagMs: number): void {
    const window = this.#window;
    if (window === undefined) return;
    for (const who of this.#people.keys()) this.#lookAround(who, at);
    const { topology, fault, bounds, evidence, falseLeaves, unheard, load, mendedAt = at } = window;
    const wrongs = [...window.wrongs, ...this.#open.values()];
    const lengthOf = ({ since, until = at }: Wrong) => until - since;
    const longest = (kind: Wrong["kind"]) => Math.max(0, ...wrongs.filter((wrong) => wrong.kind === kind).map(lengthOf));
    const latencyMs = LATENCY_MS + lagMs;
    const real = wrongs.filter((wrong) => lengthOf(wrong) > latencyMs);
    const last = real.find(({ until }) => until === undefined) ?? real.toSorted((a, b) => (b.until ?? 0) - (a.until ?? 0))[0];
    const equalMs = last === undefined ? 0 : last.until === undefined ? undefined : Math.max(0, last.until - mendedAt);
    const [ghostMs, blindMs, staleMs] = [longest("ghost"), longest("blind"), longest("stale")];
    const inWords = (wrong: Wrong | undefined) => this.#inWords(wrong, window, at);
    const worst = (kind: Wrong["kind"]) =>
      inWords(wrongs.filter((wrong) => wrong.kind === kind).toSorted((a, b) => lengthOf(b) - lengthOf(a))[0]);
    const broken = [...window.broken];
    if (window.mendedAt === undefined) broken.push("the fault never ended");
    if (evidence.length === 0) broken.push("nothing shows that the fault happened");
    for (const [what, count] of Object.entries(load)) if (count === 0) broken.push(`there was no load: no ${what}`);
    if (falseLeaves.length > bounds.falseLeavesMax) {
      const shown = falseLeaves.slice(0, 3).map(({ viewer, whom, reason }) => `${viewer} saw ${whom} leave (${reason})`);
      broken.push(`${falseLeaves.length} false leaves, not ${bounds.falseLeavesMax} at most: ${shown.join(", ")}`);
    }
    if (ghostMs > bounds.ghostMsMax + latencyMs) broken.push(`a ghost for ${Math.round(ghostMs)} ms: ${worst("ghost")}`);
    if (blindMs > bounds.blindMsMax + latencyMs) broken.push(`blind for ${Math.round(blindMs)} ms: ${worst("blind")}`);
    if (equalMs === undefined) broken.push(`rosters are never right again: ${inWords(last)}`);
    else if (equalMs > bounds.equalMsMax) broken.push(`rosters are right after ${Math.round(equalMs)} ms: ${inWords(last)}`);
    this.verdicts.push({
      ...{ topology, fault, bounds, evidence, falseLeaves, unheard, ghostMs, blindMs, staleMs, load, lagMs, broken },
      ...(equalMs !== undefined && { equalMs }),
    });
    this.#window = undefined;
  }

  /**
   * With what a trace begins with: since when, and for how long the instance told none of its clients anything meanwhile. If that is most of
   * the time, the instance stood still, or its host did.
   */
  #inWords(wrong: Wrong | undefined, { told, beganAt }: Window, at: number): string {
    if (wrong === undefined) return "";
    const { kind, viewer, whom, since, until = at } = wrong;
    const { via } = this.#person(viewer);
    const times = (via !== undefined && told.get(via)) || [];
    const moments = [since, ...times.filter((time) => time > since && time < until), until];
    const mute = Math.max(...moments.map((time, nth) => time - (moments[nth - 1] ?? time)));
    const when = `from ${Math.round(since - beganAt)} to ${Math.round(until - beganAt)} ms; its instance ${via} told nobody anything for ${Math.round(mute)} ms of it`;
    const what =
      kind === "ghost"
        ? `shows ${whom}, who is not there`
        : kind === "blind"
          ? `does not show ${whom}, who is there`
          : `shows ${whom} as before, or as reconnecting`;
    return `${viewer} ${what} (${when})`;
  }

  /** Forgets people who have left and whom no client shows, nor will when it is back: they only cost time. If a client shows one of them again all the same, that person is a stranger. */
  #forget(): void {
    const shown = new Set([...this.#people.values()].flatMap(({ goneAt, view }) => (goneAt === undefined ? [...view.keys()] : [])));
    for (const [name, { goneAt }] of this.#people) if (goneAt !== undefined && !shown.has(name)) this.#people.delete(name);
  }

  /** All pairs with this person. */
  #lookAround(who: string, at: number): void {
    for (const other of this.#people.keys()) {
      if (other === who) continue;
      this.#look(who, other, at);
      this.#look(other, who, at);
    }
  }

  #look(viewer: string, whom: string, at: number): void {
    const key = `${viewer} ${whom}`;
    const before = this.#open.get(key);
    const now = this.#assess(viewer, whom, at);
    if (before !== undefined && (now === undefined || now.kind !== before.kind)) {
      this.#open.delete(key);
      this.#window?.wrongs.push({ ...before, until: at });
    }
    if (now === undefined) return;
    const isSame = before?.kind === now.kind;
    this.#open.set(key, isSame ? before : { ...now, viewer, whom });
  }

  #assess(viewer: string, whom: string, at: number): Pick<Wrong, "kind" | "since"> | undefined {
    const [who, other] = [this.#person(viewer), this.#person(whom)];
    if (!who.isHere || who.isExcused || other.isExcused || !other.isWanted) {
      // Somebody is shown who never came.
      const stranger = who.isHere && !who.isExcused && !other.isExcused ? who.view.get(whom) : undefined;
      return stranger && !other.isWanted ? { kind: "ghost", since: stranger.since } : undefined;
    }
    const from = Math.max(who.changedAt, who.excusedUntil, other.excusedUntil);
    const seen = who.view.get(whom);
    // Nobody is there on another board.
    if (who.board !== other.board) return seen === undefined ? undefined : { kind: "ghost", since: seen.since };
    if (other.goneAt !== undefined) {
      const since = Math.max(from, other.goneAt, seen?.since ?? 0, seen === undefined ? 0 : keptUntil(seen));
      return seen !== undefined && since <= at ? { kind: "ghost", since } : undefined;
    }
    if (!other.isHere) return undefined;
    const both = Math.max(from, other.changedAt);
    if (seen === undefined) return { kind: "blind", since: Math.max(both, who.unshownAt.get(whom) ?? 0) };
    const since = [
      seen.greySince,
      staleSince(other.states, seen.shown.state, "state" in seen.shown),
      staleSince(other.places, seen.shown.place, "place" in seen.shown),
    ].filter((time) => time !== undefined);
    if (since.length === 0) return undefined;
    const began = Math.max(both, Math.min(...since));
    return began < at ? { kind: "stale", since: began } : undefined;
  }

  #person(name: string): Person {
    const known = this.#people.get(name);
    if (known !== undefined) return known;
    const person: Person = {
      ...{
        isWanted: false,
        board: undefined,
        wantedAt: 0,
        isHere: false,
        isExcused: false,
        via: undefined,
        changedAt: 0,
        excusedUntil: 0,
        goneAt: undefined,
      },
      ...{ states: [], places: [], view: new Map(), unshownAt: new Map() },
    };
    this.#people.set(name, person);
    return person;
  }
}

export function judge(log: readonly Entry[]): Verdict[] {
  const judge = new Judge();
  for (const entry of log) judge.add(entry);
  return judge.verdicts;
}

function keptUntil({ keptSince, keptAt }: Seen): number {
  if (keptSince === 0) return 0;
  return Math.min(keptAt + KEPT_MS_MAX, keptSince + KEPT_IN_ALL_MS_MAX);
}

/** Since when a value has been older than a message takes. */
function staleSince(said: readonly Value[], shown: number | undefined, isTold: boolean): number | undefined {
  if (!isTold) return undefined;
  let next: Value | undefined;
  for (let nth = said.length - 1; nth >= 0; nth--) {
    const value = said[nth];
    if (value === undefined || value.number <= (shown ?? -1)) break;
    next = value;
  }
  return next && next.at + LATENCY_MS;
}
