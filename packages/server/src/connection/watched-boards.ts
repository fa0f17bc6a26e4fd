/**
 * The boards that one client watches without being on them: it asks for them in pieces, the host is asked about each, and it takes them
 * back. Here are the checks that stand before each; watching.ts tells the client what it watches.
 */

import type { BoardId, ClientMessage } from "@presence-service/protocol";
import { PRICE } from "./budget.ts";
import type { Client } from "./client-boards.ts";
import type { Hub } from "./hub.ts";
import { LIMIT_TEXTS } from "./refusal-texts.ts";
import type { Watcher } from "./watching.ts";

/** So many questions about one client's boards are with the host at a time: each may be a query. */
const ASKED_MAX = 16;

export class WatchedBoards {
  readonly #client: Client & Watcher;
  readonly #hub: Hub;
  readonly #boards = new Set<BoardId>();
  /** Boards about which the host is or will be asked, in order. `true`: it is being asked. */
  readonly #pending = new Map<BoardId, boolean>();
  #asked = 0;
  /** The host may answer at once, and then the loop that asks goes on by itself. */
  #isAsking = false;

  constructor(client: Client & Watcher, hub: Hub) {
    this.#client = client;
    this.#hub = hub;
  }

  [Symbol.iterator](): Iterator<BoardId> {
    return this.#boards.values();
  }

  take({ boards, off = false }: Extract<ClientMessage, { kind: "watch" }>): void {
    if (!this.#client.take("watch")) return this.#client.refuse("too_fast", "watch");
    this.#client.charge(boards.length * PRICE.watch);
    if (off) for (const boardId of boards) this.end(boardId);
    else this.#add(boards);
  }

  /** The client watches that board no longer. Answers whether it did, or wanted to. */
  end(boardId: BoardId): boolean {
    const wasAsked = this.#pending.delete(boardId);
    if (!this.#boards.delete(boardId)) return wasAsked;
    this.#client.account.address.watched--;
    this.#hub.watching.remove(this.#client, boardId);
    return true;
  }

  /** As of the boards that the client is on: the host is asked again about each. */
  askAgain(): void {
    if (!this.#hub.host.authorizes) return;
    for (const boardId of this.#boards) this.#pending.set(boardId, false);
    this.#askHost();
  }

  /** The connection has ended. */
  endAll(): void {
    this.#pending.clear();
    this.#hub.watching.forget(this.#client);
    this.#client.account.address.watched -= this.#boards.size;
    this.#boards.clear();
  }

  #add(boards: readonly BoardId[]): void {
    let count = this.#count();
    const max = this.#hub.bounds.watchedPerConnection;
    for (const boardId of boards) {
      if (this.#boards.has(boardId) || this.#pending.has(boardId)) continue;
      if (++count > max) {
        this.#client.refuse("too_many_watched", boardId, LIMIT_TEXTS.watchedPerConnection(max));
        break;
      }
      if (this.#hub.host.authorizes) this.#pending.set(boardId, false);
      else this.#begin(boardId);
    }
    this.#askHost();
  }

  /** Boards that are watched already may be pending as well, while the host is asked about them again. */
  #count(): number {
    let count = this.#boards.size;
    for (const boardId of this.#pending.keys()) if (!this.#boards.has(boardId)) count++;
    return count;
  }

  #askHost(): void {
    const { who } = this.#client;
    if (who === undefined || this.#isAsking) return;
    this.#isAsking = true;
    for (const [boardId, isAsked] of this.#pending) {
      if (this.#asked >= ASKED_MAX) break;
      if (isAsked) continue;
      this.#pending.set(boardId, true);
      this.#asked++;
      this.#client.charge(PRICE.hostCall);
      this.#hub.host.mayEnter(who.user, boardId, { observe: true, watch: true }, (permission) => {
        this.#asked--;
        // It may have been taken back meanwhile, or the connection may have ended.
        if (this.#pending.delete(boardId)) {
          if (permission === "granted" || permission === "silently") this.#begin(boardId);
          else if (permission === "refused") this.#refuse(boardId);
          else if (!this.#boards.has(boardId)) this.#client.refuse("unavailable", boardId);
        }
        this.#askHost();
      });
    }
    this.#isAsking = false;
  }

  #refuse(boardId: BoardId): void {
    this.end(boardId);
    this.#client.refuse("bad_board", boardId);
  }

  #begin(boardId: BoardId): void {
    if (this.#boards.has(boardId)) return;
    const { address } = this.#client.account;
    const { watchedPerAddress } = this.#hub.bounds;
    if (!address.mayWatch) return this.#client.refuse("unavailable", boardId, LIMIT_TEXTS.watchedPerAddress(watchedPerAddress));
    address.watched++;
    this.#boards.add(boardId);
    if (this.#hub.watching.add(this.#client, boardId)) this.#client.charge(PRICE.watchedFirst);
  }
}
