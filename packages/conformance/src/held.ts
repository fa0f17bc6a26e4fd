/** The list by which a client names the members that it holds (PROTOCOL, *Catching up*). */

import { createHash } from "node:crypto";
import { type Member, nameHeld, printed } from "@presence-service/protocol";

export function namesOf(members: readonly Member[]): string {
  return members.map((member) => nameHeld(createHash("sha256").update(printed(member)).digest(), member.joinedAt)).join("");
}
