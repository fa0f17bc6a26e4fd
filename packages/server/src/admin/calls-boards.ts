/** Calls about boards and those who are on them: reading only. */

import type { BoardId, MemberId } from "@presence-service/protocol";
import { z } from "zod";
import { type Call, call } from "./call.ts";
import * as forms from "./forms.ts";
import type { Inside } from "./inside.ts";
import { memberIdOf } from "./names.ts";
import { Problem } from "./problem.ts";

const BOARD = z.strictObject({ boardId: forms.boardId });
const MEMBER = BOARD.extend({ member: forms.memberRef });

export function boardCalls({ instanceId, manager }: Inside): Call[] {
  const { inspection } = manager;
  const now = () => manager.clock.now();
  const found = (boardId: string) => {
    const board = inspection.board(boardId as BoardId);
    if (board === undefined) throw new Problem("not_found", "Nobody who is connected to this instance is on that board; ask another one.");
    return board;
  };
  return [
    call({
      method: "GET",
      path: "/boards",
      id: "listBoards",
      summary: "The boards of this instance, by id, or the largest ones",
      right: "operator",
      params: forms.NOTHING,
      query: forms.boardsWanted,
      body: undefined,
      answers: { 200: z.strictObject({ boards: z.array(forms.board), more: z.boolean() }) },
      act({ query: { after, limit, holds, by } }) {
        if (by === "members" && after !== undefined)
          throw new Problem("bad_request", "query.after: pages go by id; leave it out, or ask for by=id.");
        const boards = by === "members" ? inspection.largest(limit + 1, holds) : inspection.boards(after, limit + 1, holds);
        return { status: 200, body: { boards: boards.slice(0, limit), more: boards.length > limit } };
      },
    }),
    call({
      method: "GET",
      path: "/boards/{boardId}",
      id: "showBoard",
      summary: "How many are on a board, and what is held of whom",
      right: "board",
      params: BOARD,
      query: forms.NOTHING,
      body: undefined,
      answers: { 200: forms.board.extend({ slices: z.array(forms.slice) }) },
      act({ params: { boardId } }) {
        const slices = inspection.slices(boardId as BoardId, now());
        return {
          status: 200,
          body: { ...found(boardId), slices: slices.map((slice) => ({ ...slice, wordMs: Math.round(slice.wordMs) })) },
        };
      },
    }),
    call({
      method: "GET",
      path: "/boards/{boardId}/members",
      id: "listMembers",
      summary: "Who is shown on a board, by memberId",
      right: "board",
      params: BOARD,
      query: forms.paged,
      body: undefined,
      answers: { 200: z.strictObject({ members: z.array(forms.memberShown), more: z.boolean() }) },
      act({ params: { boardId }, query: { after, limit } }) {
        found(boardId);
        const page = manager.page(boardId as BoardId, after as MemberId | undefined, limit + 1);
        const at = now();
        const members = page.slice(0, limit).map((member) => {
          const owner = inspection.why(boardId as BoardId, member.memberId, at)?.shown?.owner ?? null;
          return { ...member, owner };
        });
        return { status: 200, body: { members, more: page.length > limit } };
      },
    }),
    call({
      method: "GET",
      path: "/boards/{boardId}/members/{member}",
      id: "explainMember",
      summary: "Why a member is shown, or why it is not",
      right: "board",
      params: MEMBER,
      query: forms.NOTHING,
      body: undefined,
      answers: { 200: forms.reasons },
      act({ params: { boardId, member } }) {
        found(boardId);
        const reasons = inspection.why(boardId as BoardId, memberIdOf(member), now());
        if (reasons === undefined || (reasons.shown === null && reasons.claims.length === 0 && reasons.endedAttempt === null))
          throw new Problem("not_found", "This instance has never heard of that member there, or has forgotten it.");
        const { shown, claims, endedAttempt } = reasons;
        // An instance shows what it hears of the owner: of the owner's own members those do that hear this instance.
        const isOurs = shown?.owner === instanceId;
        const peers = manager.stats().peers.map((peer) => ({
          instanceId: peer.instanceId,
          state: peer.state,
          isShown: peer.instanceId === shown?.owner ? true : isOurs && peer.state === "deaf" ? false : null,
        }));
        const body = {
          shown: shown && { ...shown, forMs: Math.round(shown.forMs) },
          claims: claims.map((claim) => ({
            ...claim,
            wordMs: Math.round(claim.wordMs),
            heartbeatMs: claim.heartbeatMs === null ? null : Math.round(claim.heartbeatMs),
            graceMs: claim.graceMs === null ? null : Math.max(0, Math.round(claim.graceMs)),
          })),
          endedAttempt,
          instances: [{ instanceId, state: "up", isShown: shown !== null }, ...peers],
        };
        return { status: 200, body };
      },
    }),
  ];
}
