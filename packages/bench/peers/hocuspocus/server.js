/** Hocuspocus with its Redis extension, as its documentation says; its people are in the awareness of a document. */

import { Redis } from "@hocuspocus/extension-redis";
import { Server } from "@hocuspocus/server";

const { hostname, port } = new URL(process.env.REDIS_URL);
const server = new Server({
  port: Number(process.env.PORT),
  address: "127.0.0.1",
  quiet: true,
  extensions: [new Redis({ host: hostname, port: Number(port) })],
});
await server.listen();
