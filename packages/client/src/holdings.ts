/**
 * The members of one board as we knew them when the connection was lost, and their names for the service, which are made meanwhile. So it
 * need not tell them again (C5). Until all names are there, none is sent, and the service tells the whole board.
 */

import {
  CLIENT_MESSAGE_BYTES_MAX,
  type ClientMessage,
  encodeClientBinary,
  HELD_BYTES,
  heldNow,
  type Member,
  nameHeld,
  printed,
  type RosterEntry,
  type ServerMessage,
} from "@presence-service/protocol";
import type { Driver } from "./driver.ts";

export type Join = Extract<ClientMessage, { kind: "join" }>;

/** The key and the length of the list in a `join`. */
const HEAD_BYTES = 4;

export class Holdings {
  readonly #members: readonly Member[];
  #names: readonly string[] = [];

  /** `members`: in the order of rosters. */
  constructor(members: readonly Member[], hash: Driver["hash"] | undefined) {
    this.#members = members;
    if (!hash) return;
    const named = members.map(async (member) => nameHeld(new Uint8Array(await hash(printed(member))), member.joinedAt));
    Promise.all(named).then(
      (names) => {
        this.#names = names;
      },
      () => {}, // without names
    );
  }

  /** The join with as many names as it has room for. */
  namedIn(join: Join): Join {
    const room = CLIENT_MESSAGE_BYTES_MAX - encodeClientBinary(join).length - HEAD_BYTES;
    const held = this.#names.slice(0, Math.floor(room / HELD_BYTES)).join("");
    return held === "" ? join : { ...join, held };
  }

  /** The members that the answer tells by their places among the names. Our own entry is always told in full. */
  now({ held = [], self }: Extract<ServerMessage, { kind: "joined" }>): RosterEntry[] {
    return heldNow(this.#members, held).filter(({ actor }) => actor !== self);
  }
}
