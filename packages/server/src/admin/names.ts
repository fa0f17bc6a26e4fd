/** Members by the name that a caller of the admin API gives them. */

import { isMemberId, type MemberId } from "@presence-service/protocol";
import { agentId } from "../connection/agents.ts";

/** A memberId as it is, or that of the agent with that name. */
export function memberIdOf(member: string): MemberId {
  return isMemberId(member) ? member : agentId(member);
}
