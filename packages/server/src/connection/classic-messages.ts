/** What a classic client says, as the messages that everybody else says: boards go by their number as an id, and nobody resumes. */

import { type BoardId, type ClientMessage, type CursorInput, cleanName, decodeClassic, encodeClassic } from "@presence-service/protocol";
import { binaryFrame } from "./socket.ts";

const CURSOR_UPDATE = 0x01;
const CURSOR_UPDATE_BYTES = 7;
export const CLASSIC_HEARTBEAT = binaryFrame(encodeClassic({ kind: "heartbeat" }));

/** A cursor without creating an object; `false`: not one, and `into` is as it was. */
export function readClassicCursor(data: Buffer, into: CursorInput): boolean {
  if (data[0] !== CURSOR_UPDATE || data.length !== CURSOR_UPDATE_BYTES) return false;
  into.board = data.readUInt16BE(1);
  into.x = data.readUInt16BE(3);
  into.y = data.readUInt16BE(5);
  return true;
}

/** undefined: nothing that a client says. The attempt of a join is for the connection to count (R11). */
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
