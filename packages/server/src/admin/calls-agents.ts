/** Calls by which a program is a member of a board, without a socket. */

import {
  AREA_BYTES_MAX,
  AVATAR_BYTES_MAX,
  type BoardId,
  COORDINATE_MAX,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  HIDDEN,
  isFitName,
  isFitState,
  isSafeJson,
  JSON_DEPTH_MAX,
  type Json,
  type JsonObject,
  type MemberId,
  RECIPIENTS_MAX,
  USERNAME_BYTES_MAX,
} from "@presence-service/protocol";
import { z } from "zod";
import type { AgentRefusal } from "../connection/agents.ts";
import { type Call, call } from "./call.ts";
import * as forms from "./forms.ts";
import type { Inside } from "./inside.ts";
import { memberIdOf } from "./names.ts";
import { Problem } from "./problem.ts";

const AGENT = z.strictObject({ boardId: forms.boardId, name: forms.agentName });
const ttlS = z.int().min(5).max(3600).meta({ description: "Seconds after which it leaves, unless it is put or changed again" });
const status = z.enum(["active", "idle"]);
const area = forms.text(AREA_BYTES_MAX).meta({ description: "Where in the app it is; empty: nowhere in particular" });
const state = z
  .record(z.string(), z.unknown())
  .refine((value) => isFitState(value as JsonObject), "must be an object of up to 4096 bytes as JSON");
const coordinate = z
  .int()
  .min(-COORDINATE_MAX)
  .max(COORDINATE_MAX)
  .meta({ description: "0 to 65535 is from one edge of the board to the other" });

const REFUSED: Record<AgentRefusal, () => Problem> = {
  absent: () =>
    new Problem("elsewhere", "This agent is not here: its time is over, it was put out, or another instance has it. PUT it here."),
  too_fast: () => new Problem("too_fast", "This agent does too much.", { "retry-after": "1" }),
  too_many: () => new Problem("unavailable", "This instance has 1000 agents already; ask another one."),
  superseded: () => new Problem("elsewhere", "This agent was put at another instance at the same moment. PUT it again."),
  bad_state: () => new Problem("bad_request", "The state would be larger than 4096 bytes as JSON."),
  stopping: () => new Problem("unavailable", "This instance is stopping; ask another one.", { "retry-after": "1" }),
};

export function agentCalls({ manager }: Inside): Call[] {
  const { agents } = manager;
  const done = (refusal: AgentRefusal | undefined) => {
    if (refusal !== undefined) throw REFUSED[refusal]();
    return { status: 204 };
  };
  return [
    call({
      method: "PUT",
      path: "/boards/{boardId}/members/{name}",
      id: "putAgent",
      summary: "Puts an agent on a board for a time, or renews it. Idempotent, at whatever instance",
      right: "board",
      params: AGENT,
      query: forms.NOTHING,
      body: z.strictObject({
        username: forms.text(USERNAME_BYTES_MAX).refine(isFitName, "holds characters that names may not have"),
        ttlS: ttlS.default(60),
        onBehalfOf: forms.userId.optional().meta({ description: "The user for whom it acts; others find it as onBehalfOf in its state" }),
        color: z
          .string()
          .regex(/^#[0-9a-f]{6}$/)
          .optional(),
        avatar: forms.text(AVATAR_BYTES_MAX, 1).optional(),
        status: status.default("active"),
        area: area.optional(),
        state: state.default({}),
      }),
      answers: {
        200: z.strictObject({ memberId: z.string(), ttlS: z.int() }),
        201: z.strictObject({ memberId: z.string(), ttlS: z.int() }),
      },
      act({ params: { boardId, name }, body: { ttlS, onBehalfOf, state, ...wish } }) {
        const whole = { ...state, ...(onBehalfOf !== undefined && { onBehalfOf }) } as JsonObject;
        if (!isFitState(whole)) throw REFUSED.bad_state();
        const outcome = agents.put(boardId as BoardId, name, { ...wish, state: whole, ttlMs: ttlS * 1000 });
        if (outcome !== "created" && outcome !== "renewed") throw REFUSED[outcome]();
        return { status: outcome === "created" ? 201 : 200, body: { memberId: memberIdOf(name), ttlS } };
      },
    }),
    call({
      method: "PATCH",
      path: "/boards/{boardId}/members/{name}",
      id: "changeAgent",
      summary: "Changes an agent that is here. Its time begins anew; its state is changed by a merge patch (RFC 7396)",
      right: "board",
      params: AGENT,
      query: forms.NOTHING,
      body: z.strictObject({ ttlS: ttlS.optional(), status: status.optional(), area: area.optional(), state: state.optional() }),
      answers: { 204: undefined },
      act: ({ params: { boardId, name }, body: { ttlS, state, ...change } }) =>
        done(
          agents.change(boardId as BoardId, name, {
            ...change,
            state: state as JsonObject | undefined,
            ttlMs: ttlS === undefined ? undefined : ttlS * 1000,
          }),
        ),
    }),
    call({
      method: "POST",
      path: "/boards/{boardId}/members/{name}/cursor",
      id: "moveAgent",
      summary: "Moves the cursor of an agent that is here, or hides it",
      right: "board",
      params: AGENT,
      query: forms.NOTHING,
      body: z.union([z.strictObject({ x: coordinate, y: coordinate }), z.strictObject({ hidden: z.literal(true) })]),
      answers: { 204: undefined },
      act: ({ params: { boardId, name }, body }) =>
        done("x" in body ? agents.move(boardId as BoardId, name, body.x, body.y) : agents.move(boardId as BoardId, name, HIDDEN, 0)),
    }),
    call({
      method: "POST",
      path: "/boards/{boardId}/members/{name}/events",
      id: "sayAsAgent",
      summary: "Broadcasts an event as an agent that is here: to all on the board, or to some",
      right: "board",
      params: AGENT,
      query: forms.NOTHING,
      body: z.strictObject({
        name: forms.text(EVENT_NAME_BYTES_MAX, 1),
        data: z
          .unknown()
          .refine(
            (data) =>
              data !== undefined &&
              isSafeJson(data as Json, JSON_DEPTH_MAX) &&
              Buffer.byteLength(JSON.stringify(data)) <= EVENT_DATA_BYTES_MAX,
            `must be JSON of up to ${EVENT_DATA_BYTES_MAX} bytes`,
          ),
        memberIds: z.array(forms.memberId).max(RECIPIENTS_MAX).optional(),
        userIds: z.array(forms.userId).max(RECIPIENTS_MAX).optional(),
      }),
      answers: { 204: undefined },
      act({ params: { boardId, name }, body: { name: event, data, memberIds, userIds } }) {
        const to = { ...(memberIds && { memberIds: memberIds as MemberId[] }), ...(userIds && { userIds }) };
        return done(agents.say(boardId as BoardId, name, { name: event, data: data as Json, ...to }));
      },
    }),
  ];
}
