#!/usr/bin/env node
/**
 * The command `presence-service`: reads settings, starts one instance, stops it on a signal. The only file that ends the
 * process, and the only one that installs handlers on it.
 */

import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { helpText, readCommand, type Settings } from "./config.ts";
import { EXIT_STATUS, PresenceError } from "./errors.ts";
import { createPresenceServer, type PresenceServer } from "./server.ts";
import { createLog, type Logger } from "./telemetry/log.ts";
import { redactUrl } from "./telemetry/redact.ts";
import { VERSION } from "./version.ts";

/** sysexits.h: an internal software error. */
const EXIT_DEFECT = 70;

try {
  const command = readCommand(process.argv.slice(2));
  if (command.kind === "help") process.stdout.write(helpText());
  else if (command.kind === "version") process.stdout.write(`${VERSION}\n`);
  else await run(command.settings);
} catch (error) {
  const expected = error instanceof PresenceError;
  process.stderr.write(`presence-service: ${expected ? error.message : inspect(error)}\n`);
  process.exit(expected ? EXIT_STATUS[error.code] : EXIT_DEFECT);
}

async function run(settings: Settings): Promise<void> {
  const log = createLog({ level: settings.logLevel, format: settings.logFormat });
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (err: unknown) => {
      log.error({ err }, "a defect of presence-service; the process ends, its people reconnect elsewhere");
      process.exit(EXIT_DEFECT);
    });
  }
  let server: PresenceServer | undefined;
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (++signals > 1) process.exit(1);
      // Still starting: nobody is connected, there is nothing to say goodbye to.
      if (server === undefined) process.exit(0);
      log.info({ signal }, "stopping; the same signal again ends it at once");
      const startedAt = performance.now();
      void server.close().then(() => {
        log.info({ ms: Math.round(performance.now() - startedAt) }, "stopped");
        process.exit(0);
      });
    });
  }
  server = await createPresenceServer({
    port: settings.port,
    ...(settings.host === undefined ? {} : { host: settings.host }),
    redisUrl: settings.redisUrl,
    redisPrefix: settings.redisPrefix,
    demo: settings.demo,
    trustedProxies: settings.trustedProxies,
    log,
  });
  announce(server, settings, log);
}

function announce(server: PresenceServer, settings: Settings, log: Logger): void {
  const { instanceId, port } = server;
  log.info(
    {
      instance: instanceId,
      redis: redactUrl(settings.redisUrl),
      prefix: settings.redisPrefix,
      open: addresses(settings.host, port),
      version: VERSION,
    },
    "presence-service is ready",
  );
  log.warn("anybody who reaches this port may join any board, from pages of any origin: for trials and private networks");
  if (settings.redisUrl === "memory:") {
    log.warn(
      { instance: instanceId },
      "REDIS_URL=memory: THIS INSTANCE IS ALONE. People connected to any other instance are not seen here, nor these there. Set REDIS_URL to share presence.",
    );
  }
}

/** What to type into a browser: on this machine, and from a phone in the same network. */
function addresses(host: string | undefined, port: number): string[] {
  if (host !== undefined) return [`http://${host.includes(":") ? `[${host}]` : host}:${port}/`];
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal);
  return ["localhost", ...outside.map(({ address }) => address)].map((name) => `http://${name}:${port}/`);
}
