/** Messages of the bus as a person would say them, for the log at level debug. Made only if somebody reads them. */

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
