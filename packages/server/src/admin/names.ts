/** Members by the name that a caller of the admin API gives them. */

import { createHash } from "node:crypto";
import { isMemberId, type MemberId } from "@presence-service/protocol";

/** A memberId as it is, or that of the agent with that name, which is the same on every board and at every instance. */
export function memberIdOf(member: string): MemberId {
  return isMemberId(member) ? member : (createHash("sha256").update(`agent\0${member}`).digest("hex").slice(0, 32) as MemberId);
}
