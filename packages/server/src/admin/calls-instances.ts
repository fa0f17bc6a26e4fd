/** Calls about this instance and the others: what they hear, and what is to be done about it. */

import type { BoardId, InstanceId } from "@presence-service/protocol";
import { z } from "zod";
import { type Call, call } from "./call.ts";
import * as forms from "./forms.ts";
import type { Inside } from "./inside.ts";
import { Problem } from "./problem.ts";

export function instanceCalls({ instanceId, manager, hearing, drain }: Inside): Call[] {
  return [
    call({
      method: "GET",
      path: "/instances",
      id: "listInstances",
      summary: "The instances that this one knows, and who hears whom",
      right: "operator",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: undefined,
      answers: { 200: forms.instances },
      act() {
        const { peers } = manager.stats();
        const all = [instanceId, ...peers.map((peer) => peer.instanceId)];
        const body = {
          self: instanceId,
          peers: peers.map((peer) => ({ ...peer, lastHeardMs: Math.round(peer.lastHeardMs) })),
          hears: hearing.pairs(all, manager.clock.now()),
        };
        return { status: 200, body };
      },
    }),
    call({
      method: "POST",
      path: "/instances/{instanceId}/resync",
      id: "resync",
      summary: "Trusts nothing that this instance holds of another one, and asks that one for all of it. Its members stay shown meanwhile",
      right: "operator",
      params: z.strictObject({ instanceId: forms.instanceId }),
      query: forms.NOTHING,
      body: z.strictObject({ boardId: forms.boardId.optional().meta({ description: "Only of this board" }) }),
      answers: { 202: undefined },
      act({ params, body: { boardId } }) {
        const owner = params.instanceId as InstanceId;
        if (!manager.stats().peers.some((peer) => peer.instanceId === owner))
          throw new Problem("not_found", "This instance knows no such other one; GET /instances lists them.");
        manager.input({ kind: "resync", owner, ...(boardId !== undefined && { boardId: boardId as BoardId }) });
        return { status: 202 };
      },
    }),
    call({
      method: "POST",
      path: "/recordings",
      id: "record",
      summary: "Writes the last minutes of this instance to a file on its machine",
      right: "operator",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: undefined,
      answers: { 201: z.strictObject({ path: z.string() }) },
      async act() {
        const path = await manager.record();
        if (path === undefined) throw new Problem("not_found", "Nothing is recorded: RECORDER_BYTES is 0.");
        return { status: 201, body: { path } };
      },
    }),
    call({
      method: "POST",
      path: "/drain",
      id: "drain",
      summary: "Ends this instance in order, as SIGTERM does: its clients go to the others",
      right: "operator",
      params: forms.NOTHING,
      query: forms.NOTHING,
      body: undefined,
      answers: { 202: undefined },
      act() {
        // The answer leaves first.
        setImmediate(drain);
        return { status: 202 };
      },
    }),
  ];
}
