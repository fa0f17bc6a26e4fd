/** Clients of the naive server: JSON text. */

import { BenchSocket } from "../socket.ts";
import { type Enter, moveBefore, Person, positionOf } from "./person.ts";

/** Of `{"type":"cursor"`, `{"type":"joined"`: the first letter that tells them apart from others. */
const TELLING = 9;
const C = 0x63;
const J = 0x6a;

class NaivePerson extends Person {
  override move(move: number): void {
    this.socket.sendText(`{"type":"cursor","user":"user ${this.place.nth}",${positionOf(move)}}`);
  }

  protected override hear(bytes: Buffer, start: number, end: number): void {
    const kind = bytes[start + TELLING];
    if (kind === C) this.seen(this, moveBefore(bytes, end - 1));
    // Somebody else's join begins like "joined", but for its last letters.
    else if (kind === J && bytes[start + TELLING + 4] === 0x65) this.joined();
  }
}

export const enterNaive: Enter = async (place, seen) => {
  const person = new NaivePerson(await BenchSocket.open(place.port, undefined), place, seen);
  person.socket.sendText(JSON.stringify({ type: "join", board: place.board, user: `user ${place.nth}` }));
  return person;
};
