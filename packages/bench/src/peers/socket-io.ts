/** Clients of Socket.IO: its packets in the text frames of Engine.IO 4, over WebSocket from the beginning. */

import { BenchSocket } from "../socket.ts";
import { type Enter, moveBefore, Person, positionOf } from "./person.ts";

const PATH = "/socket.io/?EIO=4&transport=websocket";
/** Types of packets: of Engine.IO, and behind its "message" of Socket.IO. */
const OPEN = 0x30;
const PING = 0x32;
const MESSAGE = 0x34;
const CONNECT = 0x30;
const EVENT = 0x32;
/** Of `42["cursor"` */
const NAME = 4;
const CURSOR = Buffer.from("cursor");
const JOINED = Buffer.from("joined");

class SocketIoPerson extends Person {
  override move(move: number): void {
    this.socket.sendText(`42["cursor",{"user":"user ${this.place.nth}",${positionOf(move)}}]`);
  }

  protected override hear(bytes: Buffer, start: number, end: number): void {
    const type = bytes[start];
    if (type === OPEN) return this.socket.sendText("40");
    if (type === PING) return this.socket.sendText("3");
    if (type !== MESSAGE) return;
    if (bytes[start + 1] === CONNECT)
      return this.socket.sendText(`42${JSON.stringify(["join", this.place.board, `user ${this.place.nth}`])}`);
    if (bytes[start + 1] !== EVENT) return;
    const name = start + NAME;
    if (bytes[name] === CURSOR[0]) this.seen(this, moveBefore(bytes, end - 2));
    else if (bytes.compare(JOINED, 0, JOINED.length, name, name + JOINED.length) === 0) this.joined();
  }
}

export const enterSocketIo: Enter = async (place, seen) =>
  new SocketIoPerson(await BenchSocket.open(place.port, undefined, undefined, PATH), place, seen);
