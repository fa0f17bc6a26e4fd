/** All calls of the admin API. */

import type { Call } from "./call.ts";
import { agentCalls } from "./calls-agents.ts";
import { boardCalls } from "./calls-boards.ts";
import { instanceCalls } from "./calls-instances.ts";
import { peopleCalls } from "./calls-people.ts";
import type { Inside } from "./inside.ts";

export function allCalls(inside: Inside): Call[] {
  return [...boardCalls(inside), ...peopleCalls(inside), ...agentCalls(inside), ...instanceCalls(inside)];
}
