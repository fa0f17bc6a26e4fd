/**
 * The naive way, with `ws` and `redis`: each move is one message to each client of the board here, and one on the bus for the other instances. The members
 * of a board are a hash in Redis.
 */

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createClient } from "redis";
import { WebSocketServer } from "ws";

const ME = randomUUID();
/** Without a timeout for each command: a publish that waits for long would end the process. */
const SETTINGS = { url: process.env.REDIS_URL, commandOptions: { timeout: 0 } };
const client = () => createClient(SETTINGS).on("error", (error) => console.error(`naive: ${error.message}`));
const redis = await client().connect();
const subscriber = await client().connect();
/** The clients here, by board. */
const rooms = new Map();

const http = createServer((_request, response) => response.end("ready"));
new WebSocketServer({ server: http }).on("connection", (socket) => {
  let board;
  let user;
  socket.on("message", async (data) => {
    const message = JSON.parse(data);
    if (message.type === "join") {
      ({ board, user } = message);
      await enter(board, socket);
      await redis.hSet(`members:${board}`, user, "here");
      socket.send(JSON.stringify({ type: "joined", members: await redis.hKeys(`members:${board}`) }));
    }
    tell(board, message, socket);
  });
  socket.on("close", async () => {
    if (board === undefined) return;
    tell(board, { type: "left", user }, socket);
    rooms.get(board).delete(socket);
    await redis.hDel(`members:${board}`, user);
  });
});
http.listen(Number(process.env.PORT), "127.0.0.1");

async function enter(board, socket) {
  const room = rooms.get(board);
  if (room) return room.add(socket);
  rooms.set(board, new Set([socket]));
  await subscriber.subscribe(board, (data) => {
    const { from, message } = JSON.parse(data);
    if (from !== ME) deliver(board, message);
  });
}

function tell(board, message, sender) {
  deliver(board, message, sender);
  redis.publish(board, JSON.stringify({ from: ME, message }));
}

function deliver(board, message, sender) {
  const text = JSON.stringify(message);
  for (const socket of rooms.get(board)) if (socket !== sender) socket.send(text);
}
