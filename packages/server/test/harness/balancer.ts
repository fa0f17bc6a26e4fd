/** A plain TCP load balancer: each connection goes to the next server that takes it. It makes no health checks. */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { freePort } from "./ports.ts";
import type { Scope } from "./scope.ts";

/** Returns its port; ends with the test. */
export async function startBalancer(scope: Scope, targets: readonly number[]): Promise<number> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const server = createServer({ noDelay: true }, (client) => {
    sockets.add(client);
    client.on("close", () => sockets.delete(client)).on("error", () => {});
    lead(client, targets.length);
  });
  const lead = (client: Socket, triesLeft: number): void => {
    if (triesLeft === 0) return void client.resetAndDestroy();
    const target = connect({ port: targets[turn++ % targets.length] ?? 0, host: "127.0.0.1", noDelay: true });
    target.once("connect", () => {
      target.removeAllListeners("error");
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const)
        socket.on("error", () => other.destroy()).on("close", () => other.destroy());
      client.pipe(target).pipe(client);
    });
    target.once("error", () => lead(client, triesLeft - 1));
  };
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return port;
}
