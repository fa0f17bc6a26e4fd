/**
 * As little as a Node program can do for the same moves: the frames of the naive protocol are passed on as bytes, unread, over bare sockets and a hand-written
 * PUBLISH. No library, no checks, no members, no errors: it is the floor for Node, and nothing to run. With `ONE_LINK=1` it publishes and subscribes on one
 * connection (RESP 3), to tell what a second one costs.
 */

import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { connect } from "node:net";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ME = randomBytes(4).toString("hex");
const { hostname, port } = new URL(process.env.REDIS_URL);
/** The sockets here, by board. */
const rooms = new Map();

const open = () => connect({ host: hostname, port: Number(port), noDelay: true });
const subscriber = open();
const publisher = process.env.ONE_LINK ? subscriber : open();
if (process.env.ONE_LINK) subscriber.write("HELLO 3\r\n");
if (publisher !== subscriber) publisher.on("data", () => {});
subscriber.on("data", hear);

/** A read holds whole messages, which is so for ones that are small. Answers to commands are passed over. */
function hear(bytes) {
  const text = bytes.latin1Slice();
  for (let at = text.indexOf("\r\nmessage\r\n"); at >= 0; at = text.indexOf("\r\nmessage\r\n", at)) {
    const boardAt = text.indexOf("\r\n", at + 12) + 2;
    const boardEnd = text.indexOf("\r\n", boardAt);
    const lengthEnd = text.indexOf("\r\n", boardEnd + 3);
    const length = Number(text.slice(boardEnd + 3, lengthEnd));
    const from = lengthEnd + 2;
    at = from + length;
    if (!text.startsWith(ME, from)) deliver(rooms.get(text.slice(boardAt, boardEnd)), bytes.subarray(from + ME.length, at));
  }
}

const http = createServer((_request, response) => response.end("ready"));
http.on("upgrade", (request, socket) => {
  const accept = createHash("sha1")
    .update(request.headers["sec-websocket-key"] + GUID)
    .digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.setNoDelay(true);
  let board;
  socket.on("error", () => {});
  socket.on("close", () => rooms.get(board)?.delete(socket));
  socket.on("data", (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const isLong = (bytes[at + 1] & 127) === 126;
      const length = isLong ? bytes.readUInt16BE(at + 2) : bytes[at + 1] & 127;
      const maskAt = at + (isLong ? 4 : 2);
      const head = isLong ? 4 : 2;
      const frame = Buffer.allocUnsafe(head + length);
      bytes.copy(frame, 0, at, at + head);
      frame[1] &= 127;
      for (let nth = 0; nth < length; nth++) frame[head + nth] = bytes[maskAt + 4 + nth] ^ bytes[maskAt + (nth & 3)];
      at = maskAt + 4 + length;
      if (board === undefined) {
        ({ board } = JSON.parse(frame.subarray(head)));
        enter(board, socket);
        const joined = Buffer.from('{"type":"joined"}');
        socket.write(Buffer.concat([Buffer.from([0x81, joined.length]), joined]));
        continue;
      }
      deliver(rooms.get(board), frame, socket);
      publisher.cork();
      publisher.write(`*3\r\n$7\r\nPUBLISH\r\n$${board.length}\r\n${board}\r\n$${ME.length + frame.length}\r\n${ME}`, "latin1");
      publisher.write(frame);
      publisher.write("\r\n", "latin1");
      publisher.uncork();
    }
  });
});
http.listen(Number(process.env.PORT), "127.0.0.1");

function enter(board, socket) {
  const room = rooms.get(board);
  if (room) return room.add(socket);
  rooms.set(board, new Set([socket]));
  subscriber.write(`*2\r\n$9\r\nSUBSCRIBE\r\n$${board.length}\r\n${board}\r\n`);
}

function deliver(room, frame, sender) {
  for (const socket of room) if (socket !== sender) socket.write(frame);
}
