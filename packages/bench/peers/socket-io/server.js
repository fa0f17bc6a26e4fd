/** Socket.IO with its Redis adapter: a room per board, moves as volatile events, the members of a board by `fetchSockets`. */

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

/** Without a timeout for each command: a publish that waits for long would end the process. */
const SETTINGS = { url: process.env.REDIS_URL, commandOptions: { timeout: 0 } };
const client = () => createClient(SETTINGS).on("error", (error) => console.error(`socket-io: ${error.message}`));
const publisher = await client().connect();
const subscriber = await client().connect();
const http = createServer((_request, response) => response.end("ready"));
const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });

io.on("connection", (socket) => {
  socket.on("join", async (board, user) => {
    socket.data = { board, user };
    await socket.join(board);
    socket.to(board).emit("entered", { user });
    const members = await io.in(board).fetchSockets();
    socket.emit(
      "joined",
      members.map(({ data }) => data.user),
    );
  });
  socket.on("cursor", (cursor) => socket.volatile.to(socket.data.board).emit("cursor", cursor));
  socket.on("disconnect", () => {
    const { board, user } = socket.data;
    if (board !== undefined) io.to(board).emit("left", { user });
  });
});
http.listen(Number(process.env.PORT), "127.0.0.1");
