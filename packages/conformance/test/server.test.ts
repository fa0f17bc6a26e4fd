/** Our own service is certified like any other: without authentication and with it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresenceServer, type PresenceServer } from "../../server/src/server.ts";
import { reportOf } from "../src/cases.ts";
import { certifyServer, type Host } from "../src/server/certify.ts";

/** A client is asked at half of it, and has the other half to be heard on a machine that stands still now and then. */
const SHORT_MS = 12_000;

// The longest case takes 45 s of a process that always runs, and more where it stands still.
test("the service passes all cases for servers", { concurrency: true, timeout: 240_000 }, async (t) => {
  await Promise.all([
    t.test("without authentication", async (t) => {
      const server = await createPresenceServer({ port: 0, redisUrl: "memory:" });
      t.after(() => server.close());
      await certify({ url: `ws://localhost:${server.port}/`, operator: operatorOf(server) }, (line) => t.diagnostic(line));
    }),
    t.test("with authentication", async (t) => {
      const server = await createPresenceServer({
        port: 0,
        redisUrl: "memory:",
        authenticate: (token) => {
          if (token === "of nobody") return undefined;
          return { userId: token === "other" ? "u-18" : "u-17", ...(token === "short" && { expiresAt: Date.now() + SHORT_MS }) };
        },
        authorize: (_user, boardId) => boardId !== "secret",
      });
      t.after(() => server.close());
      const host = {
        token: "long",
        otherToken: "other",
        shortToken: "short",
        badToken: "of nobody",
        badBoard: "secret",
        operator: operatorOf(server),
      };
      await certify({ url: `ws://localhost:${server.port}/`, ...host }, (line) => t.diagnostic(line));
    }),
  ]);
});

function operatorOf(server: PresenceServer): Host["operator"] {
  return {
    announce: (text, boardId) => server.announce(text, boardId === undefined ? {} : { boardId }),
    kick: (whom) => server.kick(whom),
  };
}

async function certify(host: Host, tell: (line: string) => void): Promise<void> {
  const results = await certifyServer(host);
  assert.equal(results.failed.length, 0, reportOf(results));
  assert.ok(results.passed.length > 80, reportOf(results));
  tell(reportOf(results).split("\n").at(-1) ?? "");
}
