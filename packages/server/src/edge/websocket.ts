/** Takes WebSocket upgrades and hands plain sockets to the connection manager. The only file that names `ws`. */

import type { Server } from "node:http";
import { CLIENT_MESSAGE_BYTES_MAX } from "@presence-service/protocol";
import { WebSocketServer } from "ws";
import type { ConnectionManager } from "../connection/manager.ts";

export function acceptWebSockets(http: Server, manager: ConnectionManager): void {
  const wss = new WebSocketServer({ noServer: true, maxPayload: CLIENT_MESSAGE_BYTES_MAX });
  http.on("upgrade", (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (ws) => {
      const connection = manager.open({ send: (bytes) => ws.send(bytes) });
      ws.on("message", (data, isBinary) => {
        if (isBinary) connection.receive(data as Buffer);
      });
      ws.on("error", () => {});
      ws.on("close", () => connection.closed());
    });
  });
}
