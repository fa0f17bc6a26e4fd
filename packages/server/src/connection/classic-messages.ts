/** The messages of a classic client, as messages of `presence.v2`: a board's number becomes its id, and no session is resumed. */

import { type BoardId, type ClientMessage, type CursorInput, cleanName, decodeClassic, encodeClassic } from "@presence-service/protocol";
import { binaryFrame } from "./socket.ts";

const CURSOR_UPDATE = 0x01;
const CURSOR_UPDATE_BYTES = 7;
export const CLASSIC_HEARTBEAT = binaryFrame(encodeClassic({ kind: "heartbeat" }));

/** Reads a cursor without creating an object; `false`: it is not one, and `into` is as it was. */
export function readClassicCursor(data: Buffer, into: CursorInput): boolean {
  if (data[0] !== CURSOR_UPDATE || data.length !== CURSOR_UPDATE_BYTES) return false;
  into.board = data.readUInt16BE(1);
  into.x = data.readUInt16BE(3);
  into.y = data.readUInt16BE(5);
  return true;
}

/** undefined: not a message that clients send. The connection counts the attempt of a join (R11). */
export function classicMessage(data: Buffer): Extract<ClientMessage, { kind: "join" | "leave" | "cursor" | "heartbeat" }> | undefined {
  const message = decodeClassic(data);
  switch (message?.kind) {
    case "join":
      return {
        kind: "join",
        boardId: String(message.board) as BoardId,
        attempt: 0,
        username: cleanName(message.username),
        status: "active",
        state: {},
      };
    case "leave":
      return { kind: "leave", board: String(message.board) as BoardId };
    case "cursor_update":
      return { kind: "cursor", board: String(message.board) as BoardId, at: { x: message.x, y: message.y } };
    case "heartbeat":
      return { kind: "heartbeat" };
    default:
      return undefined;
  }
}
