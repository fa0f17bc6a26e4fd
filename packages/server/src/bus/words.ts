/** Messages between instances as one line for people. It shows no states and no data. */

import type { Recipients } from "@presence-service/protocol";
import type { BusMessage, Op } from "../core/messages.ts";

/** With `isDiscreet` it names nobody either: no person, user, or text that a person wrote. */
export function messageInWords(message: BusMessage, isDiscreet = false): string {
  switch (message.kind) {
    case "heartbeat": {
      const { beat, boards, status, acks, mute = [] } = message;
      return `heartbeat ${beat}, ${status}, ${boards} boards, hears ${acks.length}${mute.length > 0 ? `, mute on ${mute.length}` : ""}`;
    }
    case "verdict":
      return `verdict on ${message.accused.length} instances, ${message.accused.filter(({ isDown }) => isDown).length} of them down`;
    case "goodbye":
      return "goodbye";
    case "kick":
      return `kick of ${"userId" in message.whom ? (isDiscreet ? "a user" : `user ${message.whom.userId}`) : `member ${message.whom.memberId}`}${message.boardId === undefined ? "" : ` from ${message.boardId}`}`;
    case "announcement":
      return `announcement of ${message.text.length} characters`;
    case "delta":
      return `delta ${message.prev}→${message.seq}: ${message.ops.map((op) => opInWords(op, isDiscreet)).join(", ")}`;
    case "replay":
      return `replay of ${message.steps.length} changes up to ${message.seq}: ${message.steps.flatMap(({ ops }) => ops.map((op) => opInWords(op, isDiscreet))).join(", ")}`;
    case "snapshot":
      return `snapshot at ${message.seq}, part ${message.part + 1} of ${message.parts}: ${message.entries.length} members, ${message.ended.length} ended`;
    case "sync":
      return `sync at ${message.seq}, ${message.count} members, asks ${message.asks === "all" ? "all" : `${message.asks.length} owners`}`;
    case "beacon":
      return `beacon at ${message.seq}, ${message.count} members`;
    case "cursors":
      return `${message.moves.length / 3} cursors at ${message.seq}`;
    case "event":
      return `event "${message.name}" of slot ${message.slot}${recipientsOf(message)}`;
    case "want":
      return `wants the counts of ${message.boards.length} boards for ${message.leaseMs} ms${message.answer ? ", and an answer" : ""}`;
    case "occupancy":
      return `counts of ${message.boards.length} boards of shard ${message.shard}`;
  }
}

function opInWords(op: Op, isDiscreet: boolean): string {
  switch (op.op) {
    case "set":
      return `${isDiscreet ? "a member" : `"${op.member.username}"`} is in slot ${op.slot}, attempt ${op.attempt}`;
    case "patch":
      return `slot ${op.slot} changes ${Object.keys(op.patch).join(" and ")}`;
    case "del":
      return `${op.memberId} is gone (${op.reason}), attempt ${op.attempt}`;
  }
}

function recipientsOf({ memberIds, userIds }: Recipients): string {
  if (memberIds === undefined && userIds === undefined) return "";
  return `, for ${memberIds?.length ?? 0} members and ${userIds?.length ?? 0} users`;
}
