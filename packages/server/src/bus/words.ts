/** Messages between instances as one line for people. It shows no states and no data. */

import type { Recipients } from "@presence-service/protocol";
import type { BusMessage, Op } from "../core/messages.ts";

/** With `isDiscreet` it names nobody either: no person, user, or text that a person wrote. */
export function messageInWords(message: BusMessage, isDiscreet = false): string {
  switch (message.kind) {
    case "heartbeat": {
      const { beat, boards, status, acks, mute = [] } = message;
      return `heartbeat ${beat}, ${status}, ${many(boards, "board")}, hears ${acks.length}${mute.length > 0 ? `, mute on ${mute.length}` : ""}`;
    }
    case "verdict":
      return `verdict on ${many(message.accused.length, "instance")}, ${message.accused.filter(({ isDown }) => isDown).length} of them down`;
    case "goodbye":
      return "goodbye";
    case "kick":
      return `${message.voidBefore === undefined ? "" : "revocation and "}kick of ${"userId" in message.whom ? (isDiscreet ? "a user" : `user ${message.whom.userId}`) : `member ${message.whom.memberId}`}${message.boardId === undefined ? "" : ` from ${message.boardId}`}`;
    case "announcement":
      return `announcement of ${many(message.text.length, "character")}`;
    case "revocations":
      return `the tokens of ${many(message.list.length, "user")} are void`;
    case "delta":
      return `delta ${message.prev}→${message.seq}: ${message.ops.map((op) => opInWords(op, isDiscreet)).join(", ")}`;
    case "replay":
      return `replay of ${many(message.steps.length, "change")} up to ${message.seq}: ${message.steps.flatMap(({ ops }) => ops.map((op) => opInWords(op, isDiscreet))).join(", ")}`;
    case "snapshot":
      return `snapshot at ${message.seq}, part ${message.part + 1} of ${message.parts}: ${many(message.entries.length, "member")}, ${message.ended.length} ended`;
    case "sync":
      return `sync at ${message.seq}, ${many(message.count, "member")}, asks ${message.asks === "all" ? "all" : many(message.asks.length, "owner")}`;
    case "beacon":
      return `beacon at ${message.seq}, ${many(message.count, "member")}`;
    case "cursors":
      return `${many(message.moves.length / 3, "cursor")} at ${message.seq}`;
    case "moves":
      return `moves on ${many(message.boards.length, "board")}`;
    case "event":
      return `event "${message.name}" of slot ${message.slot}${recipientsOf(message)}`;
    case "want":
      return `wants the counts of ${many(message.boards.length, "board")} for ${message.leaseMs} ms${message.answer ? ", and an answer" : ""}`;
    case "hook":
      return "words about webhooks";
    case "occupancy":
      return `counts of ${many(message.boards.length, "board")} of shard ${message.shard}`;
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
  return `, for ${many(memberIds?.length ?? 0, "member")} and ${many(userIds?.length ?? 0, "user")}`;
}

/** `1 member`, `2 members`. */
function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
