/**
 * What an app sees of the SDK, and nothing of how it works. All objects handed out are snapshots: never modified by the SDK, and
 * not to be modified by the app; a new reference means that something in it changed.
 */

import type { ErrorCode, JsonObject, LeaveReason, Point, Member as WireMember } from "@presence-service/protocol";
import type { Driver } from "./driver.ts";

/** A session's entry on a board. `state` of others was written by others: parse it or treat it as untrusted input. */
export type Member<State extends object = JsonObject> = Omit<WireMember, "state"> & { readonly state: State };

/** A person: all members (tabs, devices) of one `userId`, oneself first. Name, colour and avatar are those of the first. */
export type User<State extends object = JsonObject> = {
  readonly userId: string;
  readonly username: string;
  readonly color: string;
  readonly avatar?: string;
  readonly isSelf: boolean;
  readonly members: readonly Member<State>[];
};

/**
 * `connecting`: not yet; `connected`; `degraded`: connected, but people on other instances may be missing (`board.status`: from this board,
 * and others may be well); `reconnecting`: lost, coming back by itself; `closed`: over, by us or because the service refused (an `error`
 * event said why).
 */
export type PresenceStatus = "connecting" | "connected" | "degraded" | "reconnecting" | "closed";

/** The service's codes, and some of our own; what the SDK does about each is in README.md. */
export type PresenceErrorCode = ErrorCode | "kicked" | "abuse" | "ended" | "token_failed" | "no_random" | "unreachable" | "bad_url";

/** `ref`: the board it is about; absent: the whole connection, and then every board hears of it. */
export type PresenceError = { readonly code: PresenceErrorCode; readonly message: string; readonly ref?: string };

/** One cursor that moved, appeared or vanished. A hidden one has the place where it was last seen (0, 0 if nowhere). */
export type CursorMove<State extends object = JsonObject> = {
  readonly member: Member<State>;
  /** Fractions of the board, 0…1; beyond if its owner moves in integers. */
  readonly x: number;
  readonly y: number;
  readonly hidden: boolean;
  /** The same place in the integers of the wire, for canvases that use `units: "integer"`. */
  readonly point: Point;
};

export type MoveOptions = {
  /** `fraction` (default): 0…1 of the board, clamped, in steps of 1/65535. `integer`: the app's own units, ±2³¹−1. */
  readonly units?: "fraction" | "integer";
};

/** What somebody else's `broadcast` looks like here. `data` is untrusted, whatever its type says. */
export type PeerEvent<State extends object, Data> = { readonly member: Member<State>; readonly data: Data };

export type RosterEvents<State extends object = JsonObject> = {
  /** Somebody is shown who was not: also each of those who are there already when we come. */
  readonly user_joined: { readonly member: Member<State> };
  readonly user_updated: { readonly member: Member<State>; readonly previous: Member<State> };
  /** `timeout` also for those whom a restarted service did not find again; `left` also for those who left while we were away. */
  readonly user_left: { readonly member: Member<State>; readonly reason: LeaveReason };
};

/** Events whose names are taken; an app's own events need others. */
export type BoardEvents<State extends object = JsonObject> = RosterEvents<State> & {
  /** A word from the operator, as plain text. */
  readonly announcement: { readonly text: string };
  readonly error: PresenceError;
};

/** Everything one renders, but no cursors: those come through `cursors.subscribe`. */
export type BoardSnapshot<State extends object = JsonObject> = {
  readonly status: PresenceStatus;
  /** null until the board was joined for the first time, and after `leave`. */
  readonly self: Member<State> | null;
  /** In the order in which they appeared. While we are `reconnecting`, so are they. */
  readonly others: readonly Member<State>[];
  /** Everybody including oneself, one entry per person. */
  readonly users: readonly User<State>[];
  /** Members and persons on the board, oneself included; more than are listed if the board is large. */
  readonly memberCount: number;
  readonly userCount: number;
};

/** RFC 7396 merge patch of T: objects merge, arrays and everything else replace, null removes what is optional. */
export type Patch<T> = {
  [K in keyof T]?:
    | T[K]
    | (object extends Pick<T, K> ? null : never)
    | (T[K] extends readonly unknown[] ? never : T[K] extends object ? Patch<T[K]> : never);
};

export type Stop = () => void;

/** Methods may be taken off it, as `useSyncExternalStore(board.subscribe, board.snapshot)` does. */
export interface Board<State extends object = JsonObject, Events extends object = JsonObject> extends BoardSnapshot<State> {
  readonly boardId: string;
  /** The instance that serves us at the moment. */
  readonly instanceId: string | undefined;

  /** Cheap: call it on every pointer event. Paced by the service, silent while alone here; what is not a finite number is ignored. */
  moveCursor(x: number, y: number, options?: MoveOptions): void;
  /** The pointer left. In browsers this happens by itself on blur and pagehide. */
  hideCursor(): void;
  /**
   * Shown in `self` at once, sent within 50 ms, kept while offline. Throws TypeError on what is not JSON and says where (a Date, a Map, a
   * function, an instance of a class, NaN, a hole in an array), RangeError above 4 KiB of state.
   */
  update(patch: Patch<State>): void;
  /** Says that we look away, or are back. */
  setStatus(status: "active" | "idle"): void;
  /**
   * Another username, with the limits of the first. Shown in `self` at once, kept while offline; the others see one `user_updated`.
   * It costs a fresh roster, so call it when a name is chosen, not while it is typed. A service that knows who we are may keep its
   * own; one that refuses it says so by an `error`, and the old one stays.
   */
  rename(username: string): void;
  /**
   * Tells everybody else here, at most once, in order. `false`: nothing was sent, and nothing will be, as we are not connected or
   * faster than 50 a second (100 at once, all boards together).
   * Throws TypeError on a name of `BoardEvents` and on what is not JSON, RangeError above 4 KiB of data or 64 bytes of name.
   */
  broadcast<N extends keyof Events & string>(name: N, data: Events[N]): boolean;

  /** Calls after every change of the snapshot: roster, counts, status; never for cursors. */
  subscribe(listener: () => void): Stop;
  /** The same reference until something in it changes. */
  snapshot(): BoardSnapshot<State>;
  /** Others' cursors, in batches. Those visible now come at once; who leaves is told as hidden. */
  readonly cursors: { subscribe(listener: (moved: readonly CursorMove<State>[]) => void): Stop };
  on<N extends keyof BoardEvents<State>>(name: N, listener: (event: BoardEvents<State>[N]) => void): Stop;
  on<N extends keyof Events & string>(name: N, listener: (event: PeerEvent<State, Events[N]>) => void): Stop;

  /**
   * Gives this handle back; its listeners end, and later calls do nothing. One second after the last handle of this board was given
   * back we leave it, with the end of the page at once. Taken again before, it was never left: frameworks do so when they mount anew.
   */
  leave(): void;
}

export type BoardOptions<State extends object> = {
  /** Up to 256 bytes of UTF-8, without control characters; the service may know better if it knows who we are. */
  readonly username?: string;
} & (Record<never, never> extends State ? { readonly state?: State } : { readonly state: State });

export type BoardArguments<State extends object> =
  Record<never, never> extends State ? [options?: BoardOptions<State>] : [options: BoardOptions<State>];

/** Methods may be taken off it. */
export interface Presence<State extends object = JsonObject, Events extends object = JsonObject> {
  /**
   * Enters a board, and connects if this is the first. Counted: a board asked for twice is entered once and left when both handles
   * were. The options are those of the first call; `rename` and `update` change them. A board given back and taken again within a
   * second keeps name, state and cursor; options that are not those of the call before are applied.
   * After the end of it all the board is `closed`. A board that was refused is asked for anew once all its handles were given back;
   * after `unauthorized` any call of `board` asks for a token and tries again.
   * Throws TypeError on an id that is not 1–128 of `A–Z a–z 0–9 . _ ~ : @ / -`, and on a name that nobody may have; RangeError on
   * a name above 256 bytes or a state above 4 KiB.
   */
  board(boardId: string, ...options: BoardArguments<State>): Board<State, Events>;
  readonly status: PresenceStatus;
  /** The instance that serves us at the moment. */
  readonly instanceId: string | undefined;
  /** Leaves all boards and disconnects, for good. */
  close(): void;
}

export type PresenceOptions<State extends object = JsonObject> = {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /**
   * Asked for on every connect, and before the old one runs out if it is a function. A failure is an `error` event `token_failed`, and the connect is tried again later. If the service
   * refuses a token, the function is called once more, with the refused one, so that a cache can let go of it. Omit: anonymous.
   */
  readonly token?: string | ((refused?: string) => string | Promise<string>);
  /**
   * Which of several clients of one page this is. Their sessions survive a reload each for itself; without names they are told apart by
   * the order in which they connect.
   */
  readonly name?: string;
  /** Checks what others wrote; must return a State for every input. If it throws, that is reported and the state shown is `{}`. */
  readonly parseState?: (state: JsonObject) => State;
  /** Socket, clock, storage and randomness; the default is right for browsers and for Node 22 and later. */
  readonly driver?: Driver;
};
