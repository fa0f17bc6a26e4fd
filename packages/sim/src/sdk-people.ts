/**
 * The people of a World of whole instances: each is a tab with the SDK as apps have it, used through its public surface alone, and judged there.
 * They do what the workload says. The truth is what they hold: who has taken a board and not given it back is on it.
 */

import { type Board, createPresence, type Presence, type Stop, type Watch } from "@presence-service/client";
import type { MemberId } from "@presence-service/protocol";
import type { WholeWorld } from "@presence-service/server/world";
import { nth } from "./faults.ts";
import { SdkDriver, TabStorage, type Tap } from "./sdk-driver.ts";
import type { Act } from "./workload.ts";

type State = { readonly tool?: string };
/** `over`: the connection of the sender, by number; each page of a tab has others. */
type Wave = { readonly number: number; readonly by: string; readonly over: number; readonly for?: string };
type Events = { readonly wave: Wave };
type Own = { status: "active" | "idle"; area: string; tool: string };

/** Tells of everything that an app would see, for the hash of a run. */
export type Tell = (line: string) => void;

/** One handle of a board, and what it has told so far. */
class Place {
  readonly board: Board<State, Events>;
  readonly isObserver: boolean;
  readonly own: Own;
  readonly #tab: Tab;
  /** The members shown, by the events alone. */
  readonly #shown = new Map<string, string>();
  /** The last event, of each sender's connection and over each own one. */
  readonly #waves = new Map<string, number>();

  constructor(tab: Tab, board: Board<State, Events>, isObserver: boolean, own: Own) {
    this.#tab = tab;
    this.board = board;
    this.isObserver = isObserver;
    this.own = own;
    for (const { memberId, username } of board.others) this.#shown.set(memberId, username);
    board.on("user_joined", ({ member }) => {
      if (this.#shown.has(member.memberId)) this.#fail("S6", `is told twice that ${member.username} joined`);
      this.#shown.set(member.memberId, member.username);
      this.#told(`+${member.username}`);
    });
    board.on("user_left", ({ member, reason }) => {
      if (!this.#shown.delete(member.memberId)) this.#fail("S6", `is told that ${member.username} left, who was not there`);
      this.#told(`-${member.username} ${reason}`);
    });
    board.on("user_updated", ({ member }) => {
      if (!this.#shown.has(member.memberId)) this.#fail("S6", `is told of ${member.username}, who was not there`);
      this.#told(`~${member.username} ${member.status}`);
    });
    board.on("wave", ({ member, data }) => this.#waved(member.username, data));
    board.on("error", ({ code }) => {
      if (code === "kicked" || code === "bad_board") tab.putOutOf.add(board.boardId);
      this.#told(`!${code}`);
    });
  }

  get isOpen(): boolean {
    return this.board.status !== "closed";
  }

  /** Compares what the events have told with what is shown. */
  look(): void {
    if (!this.isOpen) return;
    const listed = this.board.others.map(({ memberId }) => memberId).sort();
    if (listed.join() !== [...this.#shown.keys()].sort().join())
      this.#fail("S6", `lists ${this.board.others.map(({ username }) => username)}, and has told of ${[...this.#shown.values()]}`);
  }

  /** All others, as they are shown. */
  others(): string {
    const words = this.board.others.map(({ username, status, area = "", state }) => inWords(username, { status, area, tool: state.tool }));
    return words.sort().join();
  }

  #waved(username: string, { number, by, over, for: whom }: Wave): void {
    if (username !== by) this.#fail("R3.11", `hears ${username} say what ${by} said`);
    if (whom !== undefined && whom !== this.board.self?.memberId) this.#fail("R21.1", `hears an event that is for ${whom}`);
    const key = `${by} ${over} ${this.#tab.connections}`;
    const last = this.#waves.get(key) ?? -1;
    if (number <= last) this.#fail("R21.5", `hears event ${number} of ${by} after ${last}`);
    this.#waves.set(key, number);
    this.#told(`${by} waves ${number}`);
  }

  #told(line: string): void {
    this.#tab.tell(`${this.board.boardId} ${line}`);
  }

  #fail(broken: string, what: string): void {
    this.#tab.fail(`${broken}: ${this.#tab.name} on ${this.board.boardId} ${what}`);
  }
}

/** One tab of a browser. */
export class Tab {
  readonly name: string;
  readonly places = new Map<string, Place>();
  readonly watches = new Map<string, Watch>();
  /** Boards of which the page was put out: it is not told either how many are there, until it watches them anew. */
  readonly putOutOf = new Set<string>();
  readonly tell: Tell;
  readonly fail: (what: string) => void;
  readonly #world: WholeWorld;
  readonly #storage = new TabStorage();
  readonly #tap: Tap;
  #driver: SdkDriver;
  #presence: Presence<State, Events>;
  #following: Stop = () => {};

  constructor(name: string, world: WholeWorld, tell: Tell, fail: (what: string) => void, tap: Tap) {
    this.name = name;
    this.#tap = tap;
    this.#world = world;
    this.tell = (line) => tell(`${name} ${line}`);
    this.fail = fail;
    [this.#driver, this.#presence] = this.#open();
  }

  get isOpen(): boolean {
    return this.#presence.status !== "closed";
  }

  /** The number of connections that it has opened, before reloads too. */
  get connections(): number {
    return this.#storage.connections;
  }

  take(boardId: string, observes: boolean): void {
    const held = this.places.get(boardId);
    if (held?.isOpen && held.isObserver === observes) return;
    held?.board.leave();
    if (this.#presence.status === "closed") this.#load(false);
    const own: Own = held?.own ?? { status: "active", area: "", tool: "none" };
    const board = observes
      ? this.#presence.observe(boardId)
      : this.#presence.board(boardId, { username: this.name, state: { tool: own.tool } });
    const place = new Place(this, board, observes, own);
    this.places.set(boardId, place);
    // A board that is taken again within a second is as it was when it was given back.
    if (!observes) this.update(boardId, own);
  }

  leave(boardId: string): void {
    this.places.get(boardId)?.board.leave();
    this.places.delete(boardId);
  }

  update(boardId: string, { status, area, tool }: Readonly<Own>): void {
    const place = this.places.get(boardId);
    if (place === undefined || place.isObserver || !place.isOpen) return;
    Object.assign(place.own, { status, area, tool });
    place.board.update({ tool });
    place.board.setStatus(status);
    place.board.area(area || null);
  }

  /** Every tenth place is that of somebody who begins to follow another one. */
  move(boardId: string, x: number): void {
    const { board } = this.places.get(boardId) ?? {};
    const [first] = board?.others ?? [];
    board?.moveCursor(x / 10, 0.5);
    if (x !== 0 || first === undefined) return;
    this.#following();
    this.#following = board?.follow(first, ({ ended }) => ended && this.tell(`followed ${first.username} ${ended}`)) ?? (() => {});
  }

  wave(boardId: string, number: number, to: string | undefined): void {
    const { board } = this.places.get(boardId) ?? {};
    if (board === undefined) return;
    const said = { number, by: this.name, over: this.connections };
    if (to === undefined) return void board.broadcast("wave", said);
    const whom = board.others.find(({ username }) => username === to);
    if (whom !== undefined) board.to(whom).broadcast("wave", { ...said, for: whom.memberId });
  }

  watch(boardId: string): void {
    if (this.#presence.status === "closed") this.#load(false);
    if (!this.watches.has(boardId)) this.watches.set(boardId, this.#presence.watch([boardId]));
  }

  unwatch(boardId: string): void {
    this.watches.get(boardId)?.stop();
    this.watches.delete(boardId);
  }

  memberIdOn(boardId: string): MemberId | undefined {
    return this.places.get(boardId)?.board.self?.memberId as MemberId | undefined;
  }

  /** As by a change of network, of which every other page is told. */
  loseConnection(how: "broken" | "silent"): void {
    if (how === "broken") return this.#driver.breakOff();
    this.#driver.silence();
    if (this.#world.random.next() < 0.5) this.#world.after(1_000, () => this.#driver.awaken());
  }

  reload(): void {
    this.#driver.unload();
    this.#load(true);
  }

  close(): void {
    for (const place of this.places.values()) place.board.leave();
    this.places.clear();
    this.watches.clear();
    this.#presence.close();
  }

  #open(): [SdkDriver, Presence<State, Events>] {
    const driver = new SdkDriver(this.#world, this.#storage, `192.0.2.${this.name}`, this.#tap);
    return [driver, createPresence<State, Events>({ url: "wss://presence.test", driver, idleAfterMs: false })];
  }

  /** A page on the same storage, which takes again what it had, unless it was put out (`all` false). */
  #load(all: boolean): void {
    const [places, watched] = [[...this.places], [...this.watches.keys()]];
    this.places.clear();
    this.watches.clear();
    this.putOutOf.clear();
    if (!all) this.#driver.unload();
    [this.#driver, this.#presence] = this.#open();
    for (const [boardId, { isOpen, isObserver, own, board }] of places) {
      const wasOpen = isOpen && all;
      board.leave();
      if (!wasOpen) continue;
      this.take(boardId, isObserver);
      if (!isObserver) this.update(boardId, own);
    }
    for (const boardId of watched) this.watch(boardId);
  }
}

export class SdkPeople {
  readonly #world: WholeWorld;
  readonly #tabs = new Map<string, Tab>();
  readonly #tell: Tell;
  readonly #fail: (what: string) => void;
  readonly #tap: Tap;
  #events = 0;

  constructor(world: WholeWorld, tell: Tell, fail: (what: string) => void, tap: Tap = {}) {
    this.#tap = tap;
    this.#world = world;
    this.#tell = tell;
    this.#fail = fail;
  }

  get tabs(): Iterable<Tab> {
    return this.#tabs.values();
  }

  act(step: Act): void {
    const { who, board } = step;
    const tab = this.#tabs.get(who) ?? new Tab(who, this.#world, this.#tell, this.#fail, this.#tap);
    this.#tabs.set(who, tab);
    switch (step.act) {
      case "join":
      case "observe":
        return tab.take(board, step.act === "observe");
      case "leave":
        return tab.leave(board);
      case "resume":
        return tab.loseConnection("broken");
      case "lose_abandoned":
        return tab.loseConnection("silent");
      case "update":
        return tab.update(board, step);
      case "move":
        return tab.move(board, step.x);
      case "broadcast":
        return tab.wave(board, this.#events++, step.to);
      case "watch":
        return tab.watch(board);
      case "unwatch":
        return tab.unwatch(board);
      case "disconnect":
        return step.graceMs === 0 ? tab.close() : tab.reload();
      case "kick": {
        const memberId = tab.memberIdOn(board);
        const host = this.#world.instance(nth(this.#world, step.via));
        if (memberId !== undefined) host.kick(memberId, step.of === "board" ? board : undefined);
      }
    }
  }

  /** Each client's events lead to what it shows (S6). */
  look(): void {
    for (const tab of this.#tabs.values()) for (const place of tab.places.values()) place.look();
  }

  /** The first difference between what some client shows and the truth, as text. */
  difference(): string | undefined {
    const holding = (boardId: string) =>
      [...this.#tabs.values()].flatMap((tab) => {
        const place = tab.places.get(boardId);
        return place?.isOpen && !place.isObserver ? [{ tab, word: inWords(tab.name, place.own) }] : [];
      });
    for (const tab of this.#tabs.values()) {
      for (const [boardId, place] of tab.places) {
        if (!place.isOpen) continue;
        const { status, self } = place.board;
        if (status !== "connected" || (self === null) !== place.isObserver) return `${tab.name} is ${status} on ${boardId}`;
        const right = holding(boardId).flatMap((one) => (one.tab === tab ? [] : [one.word]));
        if (place.others() !== right.sort().join()) return `${tab.name} sees ${place.others()} on ${boardId}, there are ${right}`;
      }
      for (const [boardId, { counts }] of tab.watches) {
        const told = counts.get(boardId)?.members;
        const right = holding(boardId).length;
        if (told === undefined && tab.putOutOf.has(boardId)) continue;
        if (told !== right && tab.isOpen) return `${tab.name} is told that ${told} are on ${boardId}, there are ${right}`;
      }
    }
    return undefined;
  }
}

function inWords(
  username: string,
  { status, area, tool }: { readonly status: string; readonly area: string; readonly tool?: string | undefined },
) {
  return `${username} ${status} ${area} ${tool ?? ""}`;
}
