/** The object that `presence.board()` returns: one hold on a membership, with listeners of its own. The state is in membership.ts. */

import type { JsonObject } from "@presence-service/protocol";
import { bindMethods } from "./bound.ts";
import type { AnyCursorMove, AnyMember } from "./core/board-view.ts";
import { areaOf, checkMember, eventOf, isReserved, jsonObjectOf, lookOf, nameOf, pageOf, pointOf, recipientsOf, seenAgo } from "./input.ts";
import { CLOSED, type Membership } from "./membership.ts";
import type {
  Addressed,
  Board,
  BoardSnapshot,
  CursorOptions,
  Followed,
  MemberPage,
  MoveOptions,
  PageOptions,
  PresenceStatus,
  Recipient,
  Stop,
  User,
} from "./types.ts";

export class BoardHandle implements Board<object, Record<string, unknown>> {
  readonly #membership: Membership;
  readonly #released: () => void;
  readonly #instanceId: () => string | undefined;
  /** One function for each listener of this handle: it removes that listener. */
  readonly #stops = new Set<Stop>();
  #isLeft = false;

  constructor(membership: Membership, instanceId: () => string | undefined, released: () => void) {
    this.#membership = membership;
    this.#instanceId = instanceId;
    this.#released = released;
    bindMethods(this);
  }

  get boardId(): string {
    return this.#membership.boardId;
  }

  get instanceId(): string | undefined {
    return this.#isLeft ? undefined : this.#instanceId();
  }

  get status(): PresenceStatus {
    return this.#isLeft ? "closed" : this.#membership.status;
  }

  get self(): AnyMember | null {
    return this.#shown.self;
  }

  get others(): readonly AnyMember[] {
    return this.#shown.others;
  }

  get users(): readonly User<object>[] {
    return this.#shown.users;
  }

  get justLeft(): readonly AnyMember[] {
    return this.snapshot().justLeft;
  }

  get memberCount(): number {
    return this.#shown.memberCount;
  }

  get userCount(): number {
    return this.#shown.userCount;
  }

  get #shown(): Membership["shown"] {
    return this.#isLeft ? CLOSED : this.#membership.shown;
  }

  snapshot(): BoardSnapshot<object> {
    return this.#isLeft ? CLOSED : this.#membership.snapshot();
  }

  moveCursor(x: number, y: number, options?: MoveOptions): void {
    const point = pointOf(x, y, options);
    if (point && !this.#isLeft) this.#membership.move(point, seenAgo(options));
  }

  hideCursor(): void {
    if (!this.#isLeft) this.#membership.move(null);
  }

  update(patch: object): void {
    const clean: JsonObject = jsonObjectOf(patch, "the patch");
    if (!this.#isLeft) this.#membership.update(clean);
  }

  setStatus(status: "active" | "idle"): void {
    if (status !== "active" && status !== "idle") throw new TypeError(`the status must be "active" or "idle", not ${String(status)}`);
    if (!this.#isLeft) this.#membership.setStatus(status);
  }

  area(name: string | null): void {
    const area = areaOf(name);
    if (!this.#isLeft) this.#membership.setArea(area);
  }

  look(areas: readonly string[] | "all" | null): void {
    const look = lookOf(areas);
    if (!this.#isLeft) this.#membership.setLook(look);
  }

  follow(member: AnyMember, listener: (followed: Followed<object>) => void): Stop {
    checkMember(member);
    return this.#keep(() => this.#membership.follow(member, listener));
  }

  rename(username: string): void {
    const name = nameOf(username);
    if (!this.#isLeft) this.#membership.rename(name);
  }

  broadcast(name: string, data: unknown): boolean {
    const event = eventOf(name, data);
    return !this.#isLeft && this.#membership.broadcast(event.name, event.data);
  }

  to(whom: Recipient | readonly Recipient[]): Addressed<Record<string, unknown>> {
    const recipients = recipientsOf(whom);
    return {
      broadcast: (name, data) => {
        const event = eventOf(name, data);
        return !this.#isLeft && recipients !== undefined && this.#membership.broadcast(event.name, event.data, recipients);
      },
    };
  }

  async page(options: PageOptions = {}): Promise<MemberPage<object>> {
    const { after, count } = pageOf(options);
    if (this.#isLeft) throw new Error("this board was left; join it again to ask for a page");
    return await this.#membership.page(count, after);
  }

  subscribe(listener: () => void): Stop {
    return this.#keep(() => this.#membership.changed.add(listener));
  }

  readonly cursors = {
    subscribe: (listener: (moved: readonly AnyCursorMove[]) => void, options: CursorOptions = {}): Stop =>
      this.#keep(() => this.#membership.watchCursors(listener, options.smooth)),
  };

  on(name: string, listener: (event: never) => void): Stop {
    return this.#keep(() => this.#membership.on(isReserved(name) ? name : `event:${name}`, listener));
  }

  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    for (const stop of this.#stops) stop();
    this.#stops.clear();
    this.#released();
  }

  #keep(listen: () => Stop): Stop {
    if (this.#isLeft) return () => {};
    const end = listen();
    const stop = () => {
      this.#stops.delete(stop);
      end();
    };
    this.#stops.add(stop);
    return stop;
  }
}
