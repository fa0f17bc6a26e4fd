/**
 * A client that comes back with the members that it holds (docs/PROTOCOL.md, *Catching up*): names them as the SDK does, is answered by the
 * real speech in real bytes, and puts the answer together. For tests of the answer, and for the clients of a World.
 */

import { createHash } from "node:crypto";
import { type BoardId, heldNow, type Member, nameHeld, printed, type RosterEntry, type ServerMessage } from "@presence-service/protocol";
import type { RosterView } from "../core/effects.ts";
import { Draft } from "../speech/draft.ts";
import { BINARY, JSON_TEXT } from "../speech/v2.ts";
import { FakeSocket } from "./fake-socket.ts";

export const V2 = { binary: BINARY, json: JSON_TEXT };
const BOARD = { boardId: "doc" as BoardId, number: 7 };

/** The list by which a client names them. */
export function namesOf(members: readonly Member[]): string {
  return members.map((member) => nameHeld(createHash("sha256").update(printed(member)).digest(), member.joinedAt)).join("");
}

/** The frames to the client of that actor, which holds those members. `self` undefined: it observes. */
export function answerTo(held: string, roster: RosterView, self: number | undefined, encoding: keyof typeof V2, packs = false): FakeSocket {
  const draft = new Draft();
  const socket = new FakeSocket();
  const cursorOf = (wanted: number) => roster.entries.find(({ actor }) => actor === wanted)?.at;
  V2[encoding].teller(BOARD, { roster: () => roster, cursorOf }).board(roster)(self, [], draft, held, packs);
  draft.writePieces(socket, { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 });
  return socket;
}

/** The roster that the client shows then. Throws where the answer breaks a promise. */
export function rosterAfter([joined, ...more]: readonly ServerMessage[], held: readonly Member[]): RosterEntry[] {
  if (joined?.kind !== "joined") throw new Error("C6: a roster begins with joined");
  const { self, following = 0, observe = false } = joined;
  if (!observe && !joined.roster.some(({ actor }) => actor === self)) throw new Error("C5: one's own entry is in joined, in full");
  const listed = more.flatMap((page) => (page.kind === "roster" ? page.roster : []));
  if (listed.length !== following) throw new Error(`${following} entries were to follow, and ${listed.length} did`);
  const kept = heldNow(held, joined.held ?? []).filter(({ actor }) => actor !== self);
  const roster = new Map<number, RosterEntry>();
  for (const entry of [...kept, ...joined.roster, ...listed]) {
    if (roster.has(entry.actor) && entry.actor !== self) throw new Error(`C5: actor ${entry.actor} is told twice`);
    roster.set(entry.actor, entry);
  }
  return [...roster.values()];
}
