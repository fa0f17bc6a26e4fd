/** The forms of what goes into the admin API and what comes out of it. The OpenAPI document is made of these. */

import { ANNOUNCEMENT_BYTES_MAX, isText, KICK_REASON_BYTES_MAX, USER_ID_BYTES_MAX } from "@presence-service/protocol";
import { z } from "zod";

/** As long as `bytesMax` in UTF-8, and no lone surrogates. */
export const text = (bytesMax: number, lengthMin = 0) =>
  z
    .string()
    .min(lengthMin)
    .max(bytesMax)
    .refine((value) => isText(value, bytesMax), `must be text of up to ${bytesMax} bytes`);

export const NOTHING = z.strictObject({});

export const boardId = z
  .string()
  .regex(/^[A-Za-z0-9._~:@/-]{1,128}$/)
  .meta({ description: "A board. In a path, / is written %2F.", example: "doc-42" });
export const memberId = z
  .string()
  .regex(/^[0-9a-f]{32}$/)
  .meta({ description: "A session", example: "00112233445566778899aabbccddeeff" });
export const agentName = z
  .string()
  .regex(/^(?![0-9a-f]{32}$)[A-Za-z0-9._-]{1,64}$/)
  .meta({ description: "The name of an agent, the same on all boards", example: "summarizer" });
/** A session by its id, or an agent by its name. */
export const memberRef = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/)
  .meta({ description: "The memberId of a session, or the name of an agent", example: "summarizer" });
export const userId = text(USER_ID_BYTES_MAX, 1).meta({ description: "A person, as their token names them", example: "u-7" });
export const instanceId = z.uuid().meta({ description: "An instance" });
export const reason = text(KICK_REASON_BYTES_MAX).meta({ description: "For the close frame and the log", example: "rude" });
export const announcement = text(ANNOUNCEMENT_BYTES_MAX, 1).meta({ example: "Back at noon" });

export const paged = z.strictObject({
  after: z.string().max(128).optional().meta({ description: "The last id of the page before" }),
  limit: z.coerce.number().int().min(1).max(1000).default(100).meta({ description: "At most so many" }),
});

export const boardsWanted = paged.extend({
  holds: z.string().max(128).optional().meta({ description: "Only boards whose ids hold this text" }),
  by: z
    .enum(["id", "members"])
    .default("id")
    .meta({ description: "members: those with most of them come first, and there are no further pages" }),
});

const count = z.int().min(0);
const ms = z.int().min(0).meta({ description: "Milliseconds" });
const standing = z.enum(["live", "fading", "gone"]).meta({ description: "How that instance is judged here" });

export const member = z
  .looseObject({
    memberId: z.string(),
    userId: z.string(),
    username: z.string(),
    color: z.string(),
    status: z.enum(["active", "idle", "reconnecting"]),
    kind: z.enum(["person", "agent"]),
    joinedAt: z.number(),
    state: z.record(z.string(), z.unknown()),
  })
  .meta({ description: "A member, as clients see it" });

export const memberShown = member.extend({
  owner: instanceId.nullable().meta({ description: "The instance to which it is connected. null: its session moves" }),
});

export const board = z.strictObject({
  boardId: z.string(),
  own: count.meta({ description: "Members connected to this instance" }),
  members: count.meta({ description: "Members shown here, wherever they are connected" }),
  users: count,
  observers: count.meta({ description: "Clients of this instance that see the board and are not shown" }),
  degraded: z.boolean().meta({ description: "Other instances are not heard there" }),
});

export const slice = z.strictObject({
  owner: instanceId,
  members: count,
  seq: count,
  standing,
  wordMs: ms.meta({ description: "Since the owner last said where its slice stands" }),
  isInDoubt: z.boolean().meta({ description: "Something may have been missed; the owner is being asked" }),
});

export const reasons = z.strictObject({
  shown: z
    .strictObject({ member, actor: count, owner: instanceId.nullable(), attempt: count, forMs: ms })
    .nullable()
    .meta({ description: "null: it is not shown. owner null: its session moves, and its new instance has not been heard" }),
  claims: z
    .array(
      z.strictObject({
        owner: instanceId,
        attempt: count,
        seq: count,
        slot: count,
        status: z.enum(["active", "idle", "reconnecting"]),
        standing,
        wordMs: ms.meta({ description: "Since the owner last said where its slice stands; 0: it is this instance" }),
        heartbeatMs: ms.nullable().meta({ description: "Since the last heartbeat of the owner" }),
        isInDoubt: z.boolean(),
        graceMs: ms.nullable().meta({ description: "Its connection is lost, and it may still come back for so long" }),
        connection: count.optional().meta({ description: "Of this instance, as in the log" }),
      }),
    )
    .meta({ description: "The entries of this member. The one with the highest attempt that has not ended is shown" }),
  endedAttempt: count.nullable().meta({ description: "All attempts up to this one are over" }),
  instances: z
    .array(z.strictObject({ instanceId, state: z.string(), isShown: z.boolean().nullable() }))
    .meta({ description: "As far as this instance knows: whether others hear of the member. null: that cannot be said" }),
});

export const instances = z.strictObject({
  self: instanceId,
  peers: z.array(z.strictObject({ instanceId, state: z.enum(["up", "deaf", "suspect", "down"]), lastHeardMs: ms })),
  hears: z
    .array(
      z.strictObject({
        instanceId: instanceId.meta({ description: "The one that hears" }),
        heard: instanceId.meta({ description: "The one that it has acknowledged" }),
        agoMs: ms.meta({ description: "Since it last did" }),
      }),
    )
    .meta({
      description: "Who hears whom, by the acknowledgements in their heartbeats. A pair that is missing, or long ago, does not hear",
    }),
});

export const problem = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
});
