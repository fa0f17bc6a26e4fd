/** Puts the parts together: one instance of the presence service. */

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Channels } from "./bus/bus.ts";
import { ConnectionManager } from "./connection/manager.ts";
import { listen } from "./edge/listen.ts";
import { acceptWebSockets } from "./edge/websocket.ts";
import { RedisClient } from "./redis/client.ts";
import { RedisPubSub } from "./redis/pubsub.ts";
import type { Logger } from "./telemetry/log.ts";

export type PresenceServerOptions = {
  readonly port: number;
  readonly host?: string;
  readonly redisUrl: string;
  readonly redisPrefix: string;
  readonly demo: boolean;
  readonly log: Logger;
};
export type PresenceServer = { readonly instanceId: string; readonly port: number; close(): Promise<void> };

export async function createPresenceServer(options: PresenceServerOptions): Promise<PresenceServer> {
  const instanceId = randomUUID();
  const channels = new Channels(options.redisPrefix);
  const manager = new ConnectionManager({ instanceId, channels });
  const client = new RedisClient({ url: options.redisUrl, name: `presence-${instanceId}` });
  const bus = await RedisPubSub.connect(client, {
    message: (channel, bytes) => {
      const boardId = channels.boardOf(channel);
      if (boardId !== undefined) manager.heard(boardId, bytes);
    },
    subscribed: (channel) => {
      const boardId = channels.boardOf(channel);
      if (boardId !== undefined) manager.subscribed(boardId);
    },
    linkUp: () => {},
    linkDown: () => {},
  });
  manager.start(bus);
  const http = createServer((request, response) => {
    const known = request.url === "/readyz" || request.url === "/livez";
    response.writeHead(known ? 200 : 404).end(known ? "ok\n" : "not found\n");
  });
  acceptWebSockets(http, manager);
  const port = await listen(http, options);
  return {
    instanceId,
    port,
    close: async () => {
      http.close();
      http.closeAllConnections();
      await bus.close();
    },
  };
}
