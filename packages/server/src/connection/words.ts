/** Words for the log: messages of the bus, changes of rosters, and the states of instances. */

import type { DegradedWhy, RosterChange } from "../core/effects.ts";
import type { BusMessage, Op } from "../core/messages.ts";

export function inWords(message: BusMessage): string {
  switch (message.kind) {
    case "heartbeat": {
      const { beat, boards, status, acks, mute = [] } = message;
      return `heartbeat ${beat}, ${status}, ${boards} boards, hears ${acks.length}${mute.length > 0 ? `, mute on ${mute.length}` : ""}`;
    }
    case "goodbye":
      return "goodbye";
    case "kick":
      return `kick of ${"userId" in message.whom ? `user ${message.whom.userId}` : `member ${message.whom.memberId}`}${message.boardId === undefined ? "" : ` from ${message.boardId}`}`;
    case "announcement":
      return `announcement of ${message.text.length} characters`;
    case "delta":
      return `delta ${message.prev}→${message.seq}: ${message.ops.map(opInWords).join(", ")}`;
    case "snapshot":
      return `snapshot at ${message.seq}, part ${message.part + 1} of ${message.parts}: ${message.entries.length} members, ${message.ended.length} ended`;
    case "sync":
      return `sync at ${message.seq}, ${message.count} members, asks ${message.asks === "all" ? "all" : `${message.asks.length} owners`}`;
    case "beacon":
      return `beacon at ${message.seq}, ${message.count} members`;
    case "cursors":
      return `${message.moves.length / 3} cursors at ${message.seq}`;
    case "event":
      return `event "${message.name}" of slot ${message.slot}`;
  }
}

function opInWords(op: Op): string {
  switch (op.op) {
    case "set":
      return `"${op.member.username}" is in slot ${op.slot}, attempt ${op.attempt}`;
    case "patch":
      return `slot ${op.slot} changes ${Object.keys(op.patch).join(" and ")}`;
    case "del":
      return `${op.memberId} is gone (${op.reason}), attempt ${op.attempt}`;
  }
}

export const RECYCLED = {
  unanswered: "Redis does not answer on this connection: replacing it",
  unechoed: "own messages do not come back through this connection to Redis: replacing it",
  unheard: "no other instance hears this one, or none is left: connecting to Redis anew, in case it is this one that is cut off",
};

export const DEGRADED: Record<DegradedWhy, string> = {
  unechoed: "degraded: own messages do not come back through Redis; only local people see each other",
  unheard:
    "degraded: no other instance hears this one, though they are heard, and connecting anew does not help. Is REDIS_URL the address of a replica (a reader endpoint)? It must lead to the master",
};

export const BOARD_DEGRADED = "degraded on a board: own messages do not come back there, though a new subscription was confirmed";

export const PEER_WORDS = {
  up: "another instance is up",
  suspect: "another instance is silent",
  down: "another instance is given up",
  left: "another instance has left",
};

export function changeInWords(change: RosterChange): string {
  switch (change.change) {
    case "joined":
      return `"${change.member.username}" joins`;
    case "updated":
      return `"${change.member.username}" changes ${Object.keys(change.patch).join(" and ")}`;
    case "left":
      return `leaves (${change.reason})`;
  }
}
