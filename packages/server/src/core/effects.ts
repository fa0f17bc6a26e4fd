/**
 * The inputs and effects of the core, and the boards as it shows them: the whole boundary of the pure part. Inputs are facts, checked at
 * the edge; effects are carried out in order by one interpreter (connection/manager.ts; in tests the World).
 */

import type {
  BoardId,
  ErrorCode,
  InstanceId,
  Json,
  JsonObject,
  LeaveReason,
  Member,
  MemberId,
  Millis,
  Recipients,
  RosterEntry,
  Status,
} from "@presence-service/protocol";
import type { Announcement, BoardsMoves, BusMessage, Group, Heartbeat, Kick, OccupancyTold, Op, Revocations } from "./messages.ts";
import type { Shard } from "./occupancy.ts";

/** One WebSocket of this instance, by a number that is never given twice. */
export type ConnectionId = number;

export type Link = "publisher" | "subscriber";

/** `unechoed`: own messages do not come back (R9). `unheard`: other instances are heard, but for long none has heard this one (R10). */
export type DegradedWhy = "unechoed" | "unheard";

/** A status that a client may choose for itself. */
export type ChosenStatus = Exclude<Status, "reconnecting">;

/** How a connection is on a board. */
export type Place = "member" | "observer" | "absent";
/** A member as its client and the host describe it: its instance adds the times, and a colour where the host gives none. */
export type Entrant = Omit<Member, "joinedAt" | "activeAt" | "status" | "color"> & {
  readonly status: ChosenStatus;
  readonly color?: string;
};

export type Input =
  /** Enter a board, or replace the session's entry there. `member` is complete, state included. */
  | {
      readonly kind: "join";
      readonly connection: ConnectionId;
      readonly boardId: BoardId;
      readonly attempt: number;
      readonly member: Entrant;
    }
  /** Observe a board: see it, and be shown to nobody (R19). A member of this connection leaves. */
  | {
      readonly kind: "observe";
      readonly connection: ConnectionId;
      readonly boardId: BoardId;
      readonly memberId: MemberId;
      readonly userId: string;
    }
  /** Leave one board for good, as a member or as an observer. */
  | { readonly kind: "leave"; readonly connection: ConnectionId; readonly boardId: BoardId }
  /** `state` is a merge patch (RFC 7396); an empty `area` takes the member out of its area. */
  | {
      readonly kind: "update";
      readonly connection: ConnectionId;
      readonly boardId: BoardId;
      readonly status?: ChosenStatus;
      readonly state?: JsonObject;
      readonly area?: string;
    }
  | ({
      readonly kind: "broadcast";
      readonly connection: ConnectionId;
      readonly boardId: BoardId;
      readonly name: string;
      readonly data: Json;
    } & Recipients)
  /** Nothing comes from this connection (true), though it is open; or something has come again (R11). */
  | { readonly kind: "quiet"; readonly connection: ConnectionId; readonly on: boolean }
  /** The connection is over, and so is its place on all its boards. `graceMs` 0: its client is not expected back (C2). */
  | { readonly kind: "disconnected"; readonly connection: ConnectionId; readonly graceMs: Millis }
  /** Clients of this instance want the counts of that board from now on, without being on it, or none does any more (R15). */
  | { readonly kind: "watch" | "unwatch"; readonly boardId: BoardId }
  /** The host puts a person or a session out, at every instance (R16). */
  | Kick
  /** The host tells all clients something, at every instance (R17). */
  | Announcement
  /** For the other instances: they are known here. */
  | Revocations
  /** A message of the bus, own ones included. `boardId` undefined: the global channel. */
  | {
      readonly kind: "heard";
      readonly boardId: BoardId | undefined;
      readonly from: InstanceId;
      readonly link: number;
      readonly message: BusMessage;
      /** It came on the channel on which this instance is told of moves, and nobody else is (R25). */
      readonly isDirect?: boolean;
    }
  /**
   * The subscription to this board took effect, for the first time or again. If a new connection restored it, this comes before the
   * subscriber's `link_up`. Here and in all inputs below, `boardId` undefined is the global channel.
   */
  | { readonly kind: "subscribed"; readonly boardId: BoardId | undefined }
  /** The same for the channel of a shard. */
  | { readonly kind: "shard_subscribed"; readonly shard: Shard }
  /** The same for the channel of a group of instances. */
  | { readonly kind: "group_subscribed"; readonly group: Group }
  /** Redis refuses the subscription to a shard's channel, or its server is out of reach. */
  | { readonly kind: "shard_refused"; readonly shard: Shard }
  /** Redis refuses the subscription to that group's channel, or (`publisher`) what is said there. */
  | { readonly kind: "group_refused"; readonly group: Group; readonly link: Link }
  /** The subscription to the channel on which this instance is told of moves took effect. */
  | { readonly kind: "moves_subscribed" }
  /** Redis refuses that subscription, or (`publisher`) what is said on the channel of another instance. */
  | { readonly kind: "moves_refused"; readonly link: Link }
  /** Nobody was subscribed to that instance's channel when this one spoke there. */
  | { readonly kind: "moves_unheard"; readonly peer: InstanceId }
  /** Redis refuses that subscription, or its server is out of reach; the bus goes on trying, and reports each attempt that fails. */
  | { readonly kind: "subscribe_refused"; readonly boardId: BoardId | undefined }
  /** The subscriber counts as up once all its subscriptions, the global one too, are restored or refused. */
  | { readonly kind: "link_up"; readonly link: Link }
  | { readonly kind: "link_down"; readonly link: Link }
  /** The bus took a message for this board, which reached so many subscribers; undefined: unknown. */
  | { readonly kind: "published"; readonly boardId: BoardId | undefined; readonly receivers: number | undefined }
  /** Redis answered a message for this board with an error: a right is missing, or it takes no messages at all. Or its server is out of reach. */
  | { readonly kind: "publish_refused"; readonly boardId: BoardId | undefined }
  /** An operator trusts nothing that is held of this owner, on one board or on all: it is asked for its slices anew, which stay shown until then. */
  | { readonly kind: "resync"; readonly owner: InstanceId; readonly boardId?: BoardId | undefined }
  /** `nextDeadline` has come, and sockets were read before. `oldestUnansweredMs`: age of the oldest publish without an answer, or 0. */
  | { readonly kind: "tick"; readonly oldestUnansweredMs: Millis }
  /** This instance stops on purpose: its members come back elsewhere, or vanish soon (R12). It publishes nothing afterwards. */
  | { readonly kind: "stop" };

export type Effect =
  /** `boardId` undefined: the global channel. If the bus is down the message is lost: every rule expects that. */
  | {
      readonly kind: "publish";
      readonly boardId: BoardId | undefined;
      readonly shard?: undefined;
      readonly group?: undefined;
      readonly peer?: undefined;
      readonly message: BusMessage;
    }
  /** The same for the channel of a shard. Nobody has to know whether the bus took it. */
  | {
      readonly kind: "publish";
      readonly boardId: undefined;
      readonly shard: Shard;
      readonly group?: undefined;
      readonly peer?: undefined;
      readonly message: OccupancyTold;
    }
  /** To the channel of that group of instances. */
  | {
      readonly kind: "publish";
      readonly boardId: undefined;
      readonly shard?: undefined;
      readonly group: Group;
      readonly peer?: undefined;
      readonly message: Heartbeat;
    }
  /** To the channel on which that instance is told of moves. */
  | {
      readonly kind: "publish";
      readonly boardId: undefined;
      readonly shard?: undefined;
      readonly group?: undefined;
      readonly peer: InstanceId;
      readonly message: BoardsMoves;
    }
  | { readonly kind: "moves_channel"; readonly act: "subscribe" | "resubscribe" }
  | { readonly kind: "group"; readonly act: "subscribe" | "unsubscribe"; readonly group: Group }
  | { readonly kind: "subscribe" | "unsubscribe" | "resubscribe"; readonly boardId: BoardId }
  | { readonly kind: "shard"; readonly act: "subscribe" | "unsubscribe" | "resubscribe"; readonly shard: Shard }
  /** A member came into the slice of this instance on that board, was replaced in place, or left it. It may be told twice. */
  | { readonly kind: "own"; readonly boardId: BoardId; readonly change: Extract<Op, { op: "set" | "del" }> }
  /** Replace this connection. `unheard`: it seems to work, but no other instance seems to be on the same Redis (R10). */
  | { readonly kind: "recycle"; readonly link: Link; readonly why: "unanswered" | "unechoed" | "unheard" }
  /** Send this connection the board's roster (`Core.roster`) now; later changes follow as `roster`. `self` is its own actor; an observer has none. */
  | { readonly kind: "joined"; readonly connection: ConnectionId; readonly boardId: BoardId; readonly self: number | undefined }
  /** The input was not carried out; the connection lives on, and is on that board as before. */
  | {
      readonly kind: "refused";
      readonly connection: ConnectionId;
      readonly code: ErrorCode;
      readonly boardId: BoardId;
      readonly as: Place;
    }
  /** The session lives on in another connection: close this one as `superseded`, and report it as disconnected with full grace. */
  | { readonly kind: "superseded"; readonly connection: ConnectionId }
  /** Without a board: close every connection of that person or session as `kicked`, on a board or not. `put_out` follows for members. */
  | Kick
  /** The member of this connection was kicked off that board: tell the client, and give its place back. `self` is its actor. */
  | { readonly kind: "put_out"; readonly connection: ConnectionId; readonly boardId: BoardId; readonly self: number | undefined }
  /** For every client, or for every client on that board. */
  | Announcement
  /** Another instance says which tokens are void (R24). */
  | Revocations
  /** The roster that this instance shows for that board has changed: for every local connection on it. */
  | { readonly kind: "roster"; readonly boardId: BoardId; readonly change: RosterChange }
  /** The counts of a board that clients here watch are known now, or have changed: `Core.occupancy`. */
  | { readonly kind: "occupancy"; readonly boardId: BoardId }
  /** Somebody observes that board from now on, here or at another instance, or nobody does any more: for every local connection on it. */
  | { readonly kind: "observed"; readonly boardId: BoardId }
  /** A `broadcast`, for local connections on the board but never the sender's, whose actor it names. `to` undefined: for all; otherwise for these actors. */
  | {
      readonly kind: "event";
      readonly boardId: BoardId;
      readonly actor: number;
      readonly name: string;
      readonly data: Json;
      readonly to: readonly number[] | undefined;
    }
  /** Cursors of remote members were marked: `takeCursors` has something. */
  | { readonly kind: "cursors"; readonly boardId: BoardId }
  /** Other instances are out of reach, or (false) within reach again: for every client, with the cause; with a board, for its clients. */
  | { readonly kind: "degraded"; readonly on: boolean; readonly boardId?: BoardId; readonly why?: DegradedWhy | undefined }
  /** An own heartbeat has come back for the first time: this instance may take clients. */
  | { readonly kind: "ready" }
  /** The state of another instance from now on; `left`: it said goodbye. One that is not proven may not exist at all (R8). */
  | {
      readonly kind: "peer";
      readonly instanceId: InstanceId;
      readonly state: "up" | "suspect" | "down" | "left";
      readonly isProven: boolean;
    }
  /** An own message came back, `ms` after it was handed out; only heartbeats are timed. */
  | { readonly kind: "echo"; readonly ms?: Millis }
  | { readonly kind: "counted"; readonly what: Counted }
  | ({ readonly kind: "measured"; readonly ms: Millis } & Measured);

/** Events that only the metrics show. */
export type Counted = "ask" | "resync" | "replay" | "divergence" | "old_link" | "forged" | "mute";

/** How far what is shown here was from the truth, for the metrics alone (R23). */
export type Measured =
  /** A member was shown so long after its owner had ended it (`left`), or had died (`lost`). */
  | { readonly what: "ghost"; readonly cause: "left" | "lost" }
  /** A member was shown leaving and came back so long after, without having left. */
  | { readonly what: "false_leave"; readonly how: "kept" | "resumed" }
  /** This instance, or one board of it, did not hear the bus. */
  | { readonly what: "blind"; readonly scope: "all" | "board" }
  /** From a join at its owner until it was shown here. */
  | { readonly what: "join" };

/** Told in order, these lead from one `Core.roster` to the next. */
export type RosterChange =
  | { readonly change: "joined"; readonly actor: number; readonly member: Member }
  /** `patch` leads from the member as it was shown to `member` (RFC 7396). Never a change of actor or memberId. */
  | { readonly change: "updated"; readonly actor: number; readonly patch: JsonObject; readonly member: Member }
  | { readonly change: "left"; readonly actor: number; readonly reason: LeaveReason };

/** How many a board shows, for clients to be told. */
export type Counts = {
  readonly members: number;
  readonly users: number;
  /** Somebody observes the board, without being shown. */
  readonly observed: boolean;
};

/** A board as this instance shows it. */
export type RosterView = Counts & {
  /** Members may still be missing (C6). */
  readonly settling: boolean;
  /** Other instances are not heard on this board, whatever holds for the others (R9). */
  readonly degraded: boolean;
  /** In the one order of all viewers (R18). Made when somebody asks: ten thousand members take a millisecond or two. */
  readonly entries: readonly RosterEntry[];
};
