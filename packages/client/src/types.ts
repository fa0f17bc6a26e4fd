/**
 * The public types of the SDK. All objects handed out are snapshots: the SDK never modifies them, and an app must not. A new reference
 * means that something in the object changed.
 */

import type { ErrorCode, JsonObject, LeaveReason, Point, Member as WireMember } from "@presence-service/protocol";
import type { Driver } from "./driver.ts";

/**
 * A session's entry on a board. `state` and `area` of others were written by others: parse them or treat them as untrusted input.
 * `joinedAt` and `activeAt` are milliseconds since 1970 by the clock of an instance, which may be some seconds off: `activeAt` is present
 * while the member is not `active`.
 */
export type Member<State extends object = JsonObject> = Omit<WireMember, "state"> & { readonly state: State };

/** A person: all members (tabs, devices) of one `userId`, in the order in which they joined. Name, colour and avatar are those of the first. */
export type User<State extends object = JsonObject> = {
  readonly userId: string;
  readonly username: string;
  readonly color: string;
  readonly avatar?: string;
  readonly isSelf: boolean;
  readonly members: readonly Member<State>[];
};

/**
 * `connecting`: the first connection is being made; `connected`; `degraded`: connected, but people on other instances may be missing
 * (`board.status`: from this board only); `reconnecting`: the connection is lost and the SDK makes it again; `closed`: ended by the app,
 * or by a refusal of the service (an `error` event gave the reason).
 */
export type PresenceStatus = "connecting" | "connected" | "degraded" | "reconnecting" | "closed";

/** The service's codes (`unknown`: of a later release), and some of the SDK's own. docs/ERRORS.md has a heading for each: what the SDK does, and what is left for the app. */
export type PresenceErrorCode =
  | ErrorCode
  | "unknown"
  | "kicked"
  | "abuse"
  | "ended"
  | "token_failed"
  | "url_failed"
  | "no_random"
  | "unreachable"
  | "bad_url";

/** `ref`: the board it is about; absent: it concerns the whole connection, and every board gets it. */
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
  /** Where it was between the call before and this one, as fractions, if its owner moves with `path`: a line of ink goes through these to x, y. */
  readonly path?: readonly Point[];
};

export type MoveOptions = {
  /** `fraction` (default): 0…1 of the board, clamped, in steps of 1/65535. `integer`: the app's own units, ±2³¹−1. */
  readonly units?: "fraction" | "integer";
  /**
   * The move belongs to a fast path, as that of a laser or a pen: the others are shown the way and its timing too, and not only one place
   * at the service's pace. For such moves alone it costs 5 bytes, and 3 to 7 for each of up to 8 places on the way, to each viewer.
   */
  readonly path?: boolean;
  /** With `path`: the pointer was there so many milliseconds ago, as `performance.now() - event.timeStamp` says of `getCoalescedEvents()`. */
  readonly ago?: number;
};

export type CursorOptions = { readonly smooth?: boolean };

/** The event that another member's `broadcast` causes here. `data` is untrusted, whatever its type says. */
export type PeerEvent<State extends object, Data> = { readonly member: Member<State>; readonly data: Data };

export type RosterEvents<State extends object = JsonObject> = {
  /** A member is newly shown; also each member who is there already when we join. */
  readonly user_joined: { readonly member: Member<State> };
  readonly user_updated: { readonly member: Member<State>; readonly previous: Member<State> };
  /** `timeout` is also used for members that a restarted service did not find again; `left` also for members who left while we were away. */
  readonly user_left: { readonly member: Member<State>; readonly reason: LeaveReason };
};

/** Events whose names are taken; an app's own events need others. */
export type BoardEvents<State extends object = JsonObject> = RosterEvents<State> & {
  /** A message from the operator, as plain text. */
  readonly announcement: { readonly text: string };
  /**
   * The connection has been lost for 5 s: time to tell the user, as most are back by then (`status` is `reconnecting` at once). `isOffline`:
   * the runtime says that there is no network.
   */
  readonly lost: { readonly isOffline: boolean };
  /** There is a connection again, so long after it was lost. Only after `lost`. */
  readonly restored: { readonly afterMs: number };
  readonly error: PresenceError;
};

/** One member, or all members of a user; an object with both ids, as a `Member`, is that member. */
export type Recipient = Pick<Member, "memberId"> | { readonly userId: string };

/** The members that `to` was given. */
export type Addressed<Events extends object = JsonObject> = {
  /** As `Board.broadcast`, for them alone; never for oneself. `false` also if nobody was named. */
  broadcast<N extends keyof Events & string>(name: N, data: Events[N]): boolean;
};

/** Everything to render except cursors: those come through `cursors.subscribe`. */
export type BoardSnapshot<State extends object = JsonObject> = {
  readonly status: PresenceStatus;
  /** null until the board was joined for the first time, after `leave`, and while we observe. */
  readonly self: Member<State> | null;
  /** In the order in which they joined, the same for all viewers; on a board of more than 1 000 not all. While the SDK is `reconnecting`, they are shown so too. */
  readonly others: readonly Member<State>[];
  /** Everybody including oneself, one entry per person, in the same order for all viewers. */
  readonly users: readonly User<State>[];
  /** Those who left within the last `justLeftMs`, as they were then: to be shown greyed. Empty without that option. */
  readonly justLeft: readonly Member<State>[];
  /** Members and persons on the board, oneself included. On a large board the counts are higher than the number listed. */
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

/** How many are on a board: its members, and the persons that they are. */
export type Occupancy = { readonly members: number; readonly users: number };

/** Methods may be taken off it, as `useSyncExternalStore(watch.subscribe, watch.snapshot)` does. */
export interface Watch {
  /**
   * By the ids of boards. A board is missing until the service has told its numbers, and for good where it refuses to. While offline they
   * stay as they were. The same reference until one of them changes, at most once a second.
   */
  readonly counts: ReadonlyMap<string, Occupancy>;
  /** The same as `counts`. */
  snapshot(): ReadonlyMap<string, Occupancy>;
  /** Calls after every change of `counts`. */
  subscribe(listener: () => void): Stop;
  /** Nothing changes any more. A second later the service is told, unless another handle watches the same boards. */
  stop(): void;
}

/** Where a member is whom we follow. Its viewport, if the app has one, is in `member.state`. */
export type Followed<State extends object = JsonObject> = {
  readonly member: Member<State>;
  /** Its pointer; null: it shows none. */
  readonly cursor: CursorMove<State> | null;
  /** Present in the last call: we have moved our own pointer, the member has left, or the app has stopped it (or follows somebody else). */
  readonly ended?: "moved" | "left" | "stopped";
};

export type PageOptions = { readonly after?: string; readonly count?: number };
/** `more`: there are members after the last of these. */
export type MemberPage<State extends object = JsonObject> = { readonly members: readonly Member<State>[]; readonly more: boolean };

/** Methods may be taken off it, as `useSyncExternalStore(board.subscribe, board.snapshot)` does. */
export interface Board<State extends object = JsonObject, Events extends object = JsonObject> extends BoardSnapshot<State> {
  readonly boardId: string;
  /** The instance that serves us at the moment. */
  readonly instanceId: string | undefined;

  /** Cheap: call it on every pointer event. The service sets the pace, and nothing is sent while alone here. A value that is not finite is ignored. */
  moveCursor(x: number, y: number, options?: MoveOptions): void;
  /** The pointer left. In browsers this happens by itself on blur and pagehide. */
  hideCursor(): void;
  /**
   * Shown in `self` at once, sent within 50 ms, kept while offline. Throws TypeError on what is not JSON and says where (a Date, a Map, a
   * function, an instance of a class, NaN, a hole in an array), RangeError above 4 KiB of state.
   */
  update(patch: Patch<State>): void;
  /** `idle`: the user is away; `active`: the user is back. While the SDK itself sees that the user is away (`idleAfterMs`), it stays `idle`. */
  setStatus(status: "active" | "idle"): void;
  /**
   * Where in the app the user is: a page, a slide, a section. null or "": nowhere in particular. The others see it as the member's `area`.
   * Shown in `self` at once, sent within 50 ms, kept while offline. Throws RangeError above 128 bytes.
   *
   * Cursors belong to areas: we are shown those of members in our own one, and our own is hidden until the next `moveCursor`.
   */
  area(name: string | null): void;
  /**
   * Shows the cursors of exactly these areas ("": those of members who are nowhere in particular), or of all; null: of our own area again,
   * as at first. Holds for all handles of the board, and over reconnects. Throws RangeError above 16 areas or 128 bytes in one.
   */
  look(areas: readonly string[] | "all" | null): void;
  /**
   * Follows a member across areas: tells at once, and then with each change, how the member is and where it points, and looks at its area
   * as well as at our own. It ends with the next `moveCursor`, when the member leaves, when the app calls the returned function or
   * follows somebody else; the last call says so.
   */
  follow(member: Member<State>, listener: (followed: Followed<State>) => void): Stop;
  /**
   * Another username, with the limits of the first. Shown in `self` at once, kept while offline; the others see one `user_updated`.
   * It costs a fresh roster, so call it when a name is chosen, not while it is typed. A service with authentication may keep its own
   * name. If the service refuses the name, there is an `error` event and the old name stays.
   */
  rename(username: string): void;
  /**
   * Sends an event to everybody else here, at most once, in order. `false`: it was not sent and will not be, since the SDK is not
   * connected, or the app is faster than 50 a second (100 at once, all boards together).
   * Throws TypeError on a name of `BoardEvents` and on what is not JSON, RangeError above 4 KiB of data or 64 bytes of name.
   */
  broadcast<N extends keyof Events & string>(name: N, data: Events[N]): boolean;
  /**
   * Those whom an event is for: a member, `{ userId }` for all members of a user, or a list of these. Nobody else is sent it. One's own
   * other tabs are sent it if their user is named. Throws TypeError on anything else, RangeError above 32 members or 32 users.
   */
  to(whom: Recipient | readonly Recipient[]): Addressed<Events>;

  /**
   * Members of the board in the order of their ids, of a board of any size: as they are now, ourselves included, and not kept up to date.
   * The first, or those `after` a memberId; up to `count` (100), or as many as one message holds. Rejects while there is no connection,
   * and if it is lost before the answer.
   */
  page(options?: PageOptions): Promise<MemberPage<State>>;

  /** Calls after every change of the snapshot: roster, counts, status; never for cursors. */
  subscribe(listener: () => void): Stop;
  /** The same reference until something in it changes. */
  snapshot(): BoardSnapshot<State>;
  /**
   * Others' cursors, in batches. Cursors visible now come at once; a member who leaves comes as hidden. `smooth` (the default): they come
   * with each frame in which one moves, one interval late, so that they move as evenly as their owners did; draw them where they are. In
   * a hidden page there are no frames. `smooth: false`: each place as it comes.
   */
  readonly cursors: { subscribe(listener: (moved: readonly CursorMove<State>[]) => void, options?: CursorOptions): Stop };
  on<N extends keyof BoardEvents<State>>(name: N, listener: (event: BoardEvents<State>[N]) => void): Stop;
  on<N extends keyof Events & string>(name: N, listener: (event: PeerEvent<State, Events[N]>) => void): Stop;

  /**
   * Gives this handle back: those who have subscribed are told once more, as it is `closed` and shows nobody; then its listeners end, and later calls do nothing. One second after the last handle of a board was given back
   * the SDK leaves the board; at the end of the page it leaves at once. A board taken again before that was never left, as when a
   * framework mounts a component anew.
   */
  leave(): void;
}

export type BoardOptions<State extends object> = {
  /** Up to 256 bytes of UTF-8, without control characters. A service with authentication may use its own name instead. */
  readonly username?: string;
} & (Record<never, never> extends State ? { readonly state?: State } : { readonly state: State });

export type BoardArguments<State extends object> =
  Record<never, never> extends State ? [options?: BoardOptions<State>] : [options: BoardOptions<State>];

/** Methods may be taken off it. */
export interface Presence<State extends object = JsonObject, Events extends object = JsonObject> {
  /**
   * Enters a board, and connects if this is the first. Handles are counted: a board asked for twice is entered once, and left when both
   * handles were. The options are those of the first call; `rename` and `update` change them. A board given back and taken again within a
   * second keeps name, state and cursor; options that are not those of the call before are applied.
   * Once the client has ended, the board is `closed`. A refused board is joined anew once all its handles were given back and the app
   * takes it again. After `unauthorized` any call of `board` asks for a token and tries again.
   * Throws TypeError on an id that is not 1–128 of `A–Z a–z 0–9 . _ ~ : @ / -`, and on a name that nobody may have; RangeError on
   * a name above 256 bytes or a state above 4 KiB.
   */
  board(boardId: string, ...options: BoardArguments<State>): Board<State, Events>;
  /**
   * Shows a board without entering it: nobody is shown us, and `self` stays null. Nothing that we do there is sent, and `broadcast` returns
   * false. While the app also holds the board by `board()`, we are a member. Counted and left as the handles of `board` are.
   */
  observe(boardId: string): Board<State, Events>;
  /**
   * Tells how many are on these boards, as a list of documents shows it, without our being on any: nobody is shown us. Connects if need be.
   * Handles are counted, so several may watch one board. Throws TypeError on what is no board id, RangeError above 1 000 boards in all.
   */
  watch(boardIds: Iterable<string>): Watch;
  readonly status: PresenceStatus;
  /** The instance that serves us at the moment. */
  readonly instanceId: string | undefined;
  /** Leaves all boards and disconnects, for good. */
  close(): void;
}

/** The interface that libraries of schemas have in common (standardschema.dev, version 1), as far as the SDK uses it. */
export type StandardSchema<Output> = {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
};

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[] };

export type PresenceOptions<State extends object = JsonObject> = {
  /**
   * `ws:` or `wss:`. Of a list the next one is tried where a connect fails, and the first one again after the last. A function is called on every connect;
   * a failure of it is an `error` event `url_failed`, and the connect is tried again later.
   */
  readonly url: string | readonly string[] | (() => string | Promise<string>);
  /**
   * A string, or a function that is called on every connect and before the old token expires. A failure is an `error` event
   * `token_failed`, and the connect is tried again later. If the service
   * refuses a token, the function is called once more, with the refused one, so that a cache can drop it. Omit it to be anonymous.
   */
  readonly token?: string | ((refused?: string) => string | Promise<string>);
  /**
   * `true`: the URL gets a parameter `b`, a hash of the first board that is taken, so that a load balancer can bring all people of a board to one
   * instance (deploy/README.md). Presence is the same without it; it only saves messages between instances. Default `false`.
   */
  readonly affinity?: boolean;
  /**
   * The name of this client among several of one page. Each keeps its session across a reload; clients without a name are told apart
   * by the order in which they connect.
   */
  readonly name?: string;
  /**
   * In a page, the status is `idle` after so many milliseconds without a key or a pointer (default 300 000), and while the page is hidden.
   * `false`: only `setStatus` changes it.
   */
  readonly idleAfterMs?: number | false;
  /** Whoever leaves stays in `board.justLeft` for so many milliseconds (5 000, say), unless an operator has removed them. Default 0: nobody does. */
  readonly justLeftMs?: number;
  /** Others' cursors move evenly (default), or `false`: they are told as they come. `cursors.subscribe` may say otherwise. */
  readonly smooth?: boolean;
  /**
   * Checks the states of others: a function that returns a State for every input, or a schema of a library that follows Standard Schema (Zod, Valibot,
   * ArkType), not an asynchronous one. If it throws or finds issues, that is reported and the state is shown as `{}`.
   */
  readonly parseState?: ((state: JsonObject) => State) | StandardSchema<State>;
  /** Tells each message and what becomes of the connection, in a line of words, without tokens: to the console, or to a function of yours. */
  readonly debug?: boolean | ((line: string) => void);
  /** Socket, clock, storage and randomness; the default is right for browsers and for Node 22 and later. */
  readonly driver?: Driver;
};
