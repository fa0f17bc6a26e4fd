#!/usr/bin/env node
/**
 * The command `presence-service`: reads settings, starts one instance, stops it on a signal. The only file that ends the
 * process, and the only one that installs handlers on it.
 */

import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { helpText, possibleSecrets, readCommand, type Settings } from "./config.ts";
import { EXIT_STATUS, PresenceError } from "./errors.ts";
import { createPresenceServer, type PresenceServer } from "./server.ts";
import { createLog, type Logger } from "./telemetry/log.ts";
import { escapeUnprintable, redactSecrets, redactUrl } from "./telemetry/redact.ts";
import { VERSION } from "./version.ts";

/** Exit status for an internal software error (sysexits.h). */
const EXIT_DEFECT = 70;

const argv = process.argv.slice(2);
// `ps` shows the command line to every user of the machine, and a flag may hold a password.
process.title = "presence-service";

try {
  const command = readCommand(argv);
  if (command.kind === "help") process.stdout.write(helpText());
  else if (command.kind === "version") process.stdout.write(`${VERSION}\n`);
  else await run(command.settings, command.warnings);
} catch (error) {
  const expected = error instanceof PresenceError;
  process.stderr.write(`presence-service: ${expected ? error.message : described(error)}\n`);
  process.exit(expected ? EXIT_STATUS[error.code] : EXIT_DEFECT);
}

/** An unexpected error with its stack. Secrets are taken out, as errors of Node carry the arguments of calls, such as a URL. */
function described(error: unknown): string {
  const lines = redactSecrets(inspect(error), possibleSecrets(argv)).split("\n");
  return lines.map(escapeUnprintable).join("\n");
}

async function run(settings: Settings, warnings: readonly string[]): Promise<void> {
  const log = createLog({ level: settings.logLevel, format: settings.logFormat });
  for (const warning of warnings) log.warn(warning);
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      log.error({ err: { stack: described(error) } }, "presence-service has a defect and ends; its clients connect to other instances");
      process.exit(EXIT_DEFECT);
    });
  }
  let server: PresenceServer | undefined;
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (++signals > 1) process.exit(1);
      // While the server is starting, no client is connected: the process can end at once.
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
    redisTls: settings.redisTls,
    redisSentinel: settings.redisSentinel,
    busSecret: settings.busSecret,
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
  log.warn(
    "anybody who reaches this port may join any board, from a page of any origin. Use this command for trials and in private networks",
  );
  if (settings.redisUrl === "memory:") {
    log.warn(
      { instance: instanceId },
      "REDIS_URL=memory: THIS INSTANCE IS ALONE. People here and people on other instances do not see each other. Set REDIS_URL to share presence.",
    );
  }
}

/** Addresses to type into a browser: on this machine, and from a phone in the same network. */
function addresses(host: string | undefined, port: number): string[] {
  if (host !== undefined) return [`http://${host.includes(":") ? `[${host}]` : host}:${port}/`];
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal);
  return ["localhost", ...outside.map(({ address }) => address)].map((name) => `http://${name}:${port}/`);
}
