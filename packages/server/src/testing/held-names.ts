/** The list by which a client names members that it holds, as the SDK makes it. */

import { createHash } from "node:crypto";
import { type Member, nameHeld, printed } from "@presence-service/protocol";

export function namesOf(members: readonly Member[]): string {
  return members.map((member) => nameHeld(createHash("sha256").update(printed(member)).digest(), member.joinedAt)).join("");
}
