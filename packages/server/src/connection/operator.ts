/** Kicks and announcements of a host (R16, R17), checked: a wrong one is a TypeError that says what is wrong. */

import {
  ANNOUNCEMENT_BYTES_MAX,
  type BoardId,
  isBoardId,
  isMemberId,
  isText,
  isUserId,
  KICK_REASON_BYTES_MAX,
  type Millis,
  USER_ID_BYTES_MAX,
} from "@presence-service/protocol";
import type { Announcement, Kick } from "../core/messages.ts";
import { textOf } from "./auth.ts";

export type KickOptions = (
  | {
      /** All sessions of the person with this userId, as `authenticate` gave it. Without `authenticate` a userId is the memberId. */
      readonly userId: string;
      readonly memberId?: undefined;
    }
  | {
      /** One session. */
      readonly memberId: string;
      readonly userId?: undefined;
    }
) & {
  /** Kicks off that board only; the connection stays. Default: out of the service, and every connection of theirs is closed with 4403. */
  readonly boardId?: string | undefined;
  /** Up to 123 bytes, for the log of each instance and the close frame. */
  readonly reason?: string | undefined;
};

export type AnnounceOptions = {
  /** Only clients on that board are told. Default: all clients. */
  readonly boardId?: string | undefined;
};

export function kickOf({ userId, memberId, boardId, reason = "" }: KickOptions): Kick {
  demand((userId === undefined) !== (memberId === undefined), "kick needs either a userId or a memberId");
  demand(isText(reason, KICK_REASON_BYTES_MAX), `a reason must be text of up to ${KICK_REASON_BYTES_MAX} bytes`);
  const board = boardOf(boardId);
  if (isMemberId(memberId)) return { kind: "kick", whom: { memberId }, ...board, reason };
  demand(memberId === undefined, "a memberId must be 32 lower-case hex digits");
  const user = textOf(userId);
  if (!isUserId(user)) throw new TypeError(`a userId must be text of 1 to ${USER_ID_BYTES_MAX} bytes`);
  return { kind: "kick", whom: { userId: user }, ...board, reason };
}

/** Puts a person out of the service, and voids the tokens that they have (R24). */
export function revocationOf(userId: string, reason: string | undefined, wallNow: Millis): Kick {
  return { ...kickOf({ userId, reason }), voidBefore: Math.floor(wallNow) };
}

export function announcementOf(text: string, { boardId }: AnnounceOptions = {}): Announcement {
  demand(text !== "" && isText(text, ANNOUNCEMENT_BYTES_MAX), `an announcement must be text of 1 to ${ANNOUNCEMENT_BYTES_MAX} bytes`);
  return { kind: "announcement", text, ...boardOf(boardId) };
}

function boardOf(boardId: string | undefined): { readonly boardId?: BoardId } {
  if (boardId === undefined) return {};
  if (!isBoardId(boardId)) throw new TypeError("a boardId must be 1 to 128 characters of A–Z a–z 0–9 . _ ~ : @ / -");
  return { boardId };
}

function demand(holds: boolean, sentence: string): void {
  if (!holds) throw new TypeError(sentence);
}
