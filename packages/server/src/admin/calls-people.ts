/** Calls by which an operator acts on people, at every instance: put out, tell. */

import type { BoardId } from "@presence-service/protocol";
import { z } from "zod";
import { announcementOf, kickOf, revocationOf } from "../connection/operator.ts";
import type { Announcement, Kick } from "../core/messages.ts";
import { type Call, call } from "./call.ts";
import * as forms from "./forms.ts";
import type { Inside } from "./inside.ts";
import { memberIdOf } from "./names.ts";

const DONE = { status: 204 };

export function peopleCalls({ manager }: Inside): Call[] {
  const tell = async (word: Kick | Announcement) => {
    await manager.tellAll(word);
    return DONE;
  };
  return [
    call({
      method: "DELETE",
      path: "/boards/{boardId}/members/{member}",
      id: "removeMember",
      summary: "Puts a session or an agent off a board, wherever it is connected",
      right: "board",
      params: z.strictObject({ boardId: forms.boardId, member: forms.memberRef }),
      query: z.strictObject({ reason: forms.reason.optional() }),
      body: undefined,
      answers: { 204: undefined },
      act({ params: { boardId, member }, query: { reason } }) {
        // An agent that is here just leaves; one that is elsewhere is put out there.
        if (manager.agents.remove(boardId as BoardId, member)) return DONE;
        return tell(kickOf({ memberId: memberIdOf(member), boardId, reason }));
      },
    }),
    call({
      method: "POST",
      path: "/kick",
      id: "kick",
      summary: "Puts a person or a session off a board, or out of the service. It bans nobody",
      right: "board",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: z.union([
        z.strictObject({ userId: forms.userId, boardId: forms.boardId.optional(), reason: forms.reason.optional() }),
        z.strictObject({ memberId: forms.memberId, boardId: forms.boardId.optional(), reason: forms.reason.optional() }),
      ]),
      answers: { 204: undefined },
      act: ({ body }) => tell(kickOf(body)),
    }),
    call({
      method: "POST",
      path: "/revocations",
      id: "revoke",
      summary: "Puts a person out of the service, and voids the tokens that they have, at every instance",
      right: "operator",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: z.strictObject({ userId: forms.userId, reason: forms.reason.optional() }),
      answers: { 204: undefined },
      act: ({ body: { userId, reason } }) => tell(revocationOf(userId, reason, manager.clock.wallNow())),
    }),
    call({
      method: "GET",
      path: "/revocations",
      id: "listRevocations",
      summary: "Whose tokens are void, and from which time on they count again",
      right: "operator",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: undefined,
      answers: { 200: z.strictObject({ revocations: z.array(z.strictObject({ userId: z.string(), before: z.number() })) }) },
      act: () => ({ status: 200, body: { revocations: manager.revoking.list() } }),
    }),
    call({
      method: "POST",
      path: "/announcements",
      id: "announce",
      summary: "Tells all clients something, or those on one board",
      right: "board",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: z.strictObject({ text: forms.announcement, boardId: forms.boardId.optional() }),
      answers: { 204: undefined },
      act: ({ body: { text, boardId } }) => tell(announcementOf(text, { boardId })),
    }),
  ];
}
