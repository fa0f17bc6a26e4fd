#!/usr/bin/env node
/**
 * The command `presence-service`: reads settings, starts one instance, stops it on a signal. The only file that ends the
 * process, and the only one that installs handlers on it.
 */

import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { type Finding, findingInWords, reportAsJson, verdictInWords, verdictOn } from "./cli/finding.ts";
import { openTelemetryTracer } from "./cli/open-telemetry.ts";
import { boundYoungGeneration } from "./cli/young-generation.ts";
import { rest } from "./compilers.ts";
import { subcommandHelp } from "./config/subcommands.ts";
import { type Command, helpText, possibleSecrets, readCommand, type Settings } from "./config.ts";
import { DEMO, isBuilt } from "./edge/pages.ts";
import { EXIT_STATUS, PresenceError } from "./errors.ts";
import { createPresenceServer, type PresenceServer } from "./server.ts";
import { createLog, type Logger } from "./telemetry/log.ts";
import { escapeUnprintable, redactSecrets, redactText, redactUrl } from "./telemetry/redact.ts";
import { VERSION } from "./version.ts";

/** Exit status for an internal software error (sysexits.h). */
const EXIT_DEFECT = 70;

/** Of a tap: output that nobody reads in time is left out above this. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

const argv = process.argv.slice(2);
// `ps` shows the command line to every user of the machine, and a flag may hold a password.
process.title = "presence-service";

void main();

async function main(): Promise<void> {
  try {
    const command = readCommand(argv);
    if (command.kind !== "run") onDefect((error) => process.stderr.write(`presence-service: ${described(error)}\n`));
    await carryOut(command);
  } catch (error) {
    const expected = error instanceof PresenceError;
    process.stderr.write(`presence-service: ${expected ? error.message : described(error)}\n`);
    process.exit(expected ? EXIT_STATUS[error.code] : EXIT_DEFECT);
  }
}

function carryOut(command: Command): Promise<void> {
  switch (command.kind) {
    case "help":
      return print(command.of === undefined ? helpText() : subcommandHelp(command.of));
    case "version":
      return print(`${VERSION}\n`);
    case "run":
      return run(command.settings, command.warnings);
    case "tap":
      return runTap(command);
    case "doctor":
    case "wrong":
      return runDoctor(command);
  }
}

/** Resolves when the text has left: at the end of the process a pipe would lose it. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

async function runDoctor(command: Extract<Command, { kind: "doctor" | "wrong" }>): Promise<void> {
  const { isJson } = command.flags;
  const findings: Finding[] = [];
  const say = (finding: Finding) => {
    findings.push(finding);
    if (!isJson) process.stdout.write(findingInWords(finding));
  };
  process.stdout.on("error", () => process.exit(0));
  if (command.kind === "wrong") for (const text of command.problems) say({ check: "settings", status: "error", text });
  else
    await (await import("./cli/doctor.ts")).examine(
      { settings: command.settings, warnings: command.warnings, boards: command.flags.boards },
      say,
    );
  const verdict = verdictOn(findings);
  await print(isJson ? reportAsJson(findings) : verdictInWords(verdict));
  process.exit(["well", "warnings", "errors"].indexOf(verdict));
}

async function runTap({ settings, warnings, flags }: Extract<Command, { kind: "tap" }>): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());
  // The reader has gone, as `head` does.
  process.stdout.on("error", () => stopping.abort());
  const tell = (sentence: string) => void process.stderr.write(`presence-service tap: ${escapeUnprintable(redactText(sentence))}\n`);
  for (const warning of warnings) tell(warning);
  const write = (line: string) => {
    const isRead = process.stdout.writableLength < WAITING_BYTES_MAX;
    if (isRead) process.stdout.write(line);
    return isRead;
  };
  const { tap } = await import("./cli/tap.ts");
  await tap({ settings, ...flags }, { write, tell, signal: stopping.signal });
  process.exit(0);
}

/** An unexpected error with its stack. Secrets are taken out, as errors of Node carry the arguments of calls, such as a URL. */
function described(error: unknown): string {
  const lines = redactSecrets(inspect(error), possibleSecrets(argv)).split("\n");
  return lines.map(escapeUnprintable).join("\n");
}

function onDefect(tell: (error: unknown) => void): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      tell(error);
      process.exit(EXIT_DEFECT);
    });
  }
}

async function run(settings: Settings, warnings: readonly string[]): Promise<void> {
  // With webhooks an instance follows the people of all others, too.
  if (settings.webhooks === undefined) rest();
  boundYoungGeneration();
  const log = createLog({ level: settings.logLevel, format: settings.logFormat });
  for (const warning of warnings) log.warn(warning);
  onDefect((error) =>
    log.error({ err: { stack: described(error) } }, "presence-service has a defect and ends; its clients connect to other instances"),
  );
  let server: PresenceServer | undefined;
  const signals = new Set<NodeJS.Signals>();
  let stoppingAt: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      // The same one: a terminal's Ctrl-C comes with a SIGTERM of whatever runs us, and that is no second wish.
      if (signals.has(signal)) process.exit(1);
      signals.add(signal);
      // While the server is starting, no client is connected: the process can end at once.
      if (server === undefined) process.exit(0);
      if (signals.size > 1) return;
      log.info({ signal }, "stopping; the same signal again ends it at once");
      stoppingAt = performance.now();
      void server.close();
    });
  }
  process.on("SIGUSR2", () => {
    if (settings.recorder.bytes === 0) log.warn("SIGUSR2 asks for a recording, and RECORDER_BYTES=0: nothing is recorded");
    // A failure is in the log.
    else void server?.record().catch(() => {});
  });
  const identity = settings.auth && (await import("./identity/tokens.ts"));
  const rights = settings.auth && identity?.tokenRights({ ...settings.auth, lifeMaxS: settings.tokenLifeMaxS, log });
  const tracer = await openTelemetryTracer();
  server = await createPresenceServer({
    port: settings.port,
    ...(settings.host === undefined ? {} : { host: settings.host }),
    redisUrl: settings.redisUrl,
    redisPrefix: settings.redisPrefix,
    redisSharded: settings.redisSharded,
    redisTls: settings.redisTls,
    redisSentinel: settings.redisSentinel,
    busSecret: settings.busSecret,
    demo: settings.demo,
    inspector: settings.inspector,
    trustedProxies: settings.trustedProxies,
    limits: settings.limits,
    recorder: settings.recorder,
    ...(settings.allowedOrigins === undefined ? {} : { allowedOrigins: settings.allowedOrigins }),
    tokenInUrl: settings.tokenInUrl,
    ...rights,
    ...(settings.webhooks === undefined ? {} : { webhooks: settings.webhooks }),
    tokenLifeMs: settings.tokenLifeMaxS * 1000,
    ...(tracer && { tracer }),
    ...(settings.admin === undefined ? {} : { admin: { ...settings.admin, ...(rights && { authorize: rights.administer }) } }),
    log,
  });
  // An operator may have asked for it, through the admin API.
  void server.closed.then(() => {
    log.info(stoppingAt === undefined ? {} : { ms: Math.round(performance.now() - stoppingAt) }, "stopped");
    process.exit(0);
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
      // The page that people open, where there is one, else the address for an app.
      ...(settings.demo && isBuilt(DEMO)
        ? { open: addresses("http", settings.host, port) }
        : { clients: addresses("ws", settings.host, port) }),
      ...(server.adminPort === undefined ? {} : { admin: addresses("http", settings.admin?.host, server.adminPort) }),
      version: VERSION,
    },
    "presence-service is ready",
  );
  if (settings.auth === undefined) {
    log.warn(
      "anybody who reaches this port may join any board, from a page of any origin. That is for trials and private networks; AUTH_SECRET has clients show a token (docs/AUTH.md)",
    );
  }
  if (settings.redisUrl === "memory:") {
    log.warn(
      { instance: instanceId },
      "REDIS_URL=memory: THIS INSTANCE IS ALONE. People here and people on other instances do not see each other. Set REDIS_URL to share presence.",
    );
  }
}

/** On this machine, and from a phone in the same network. */
function addresses(scheme: "http" | "ws", host: string | undefined, port: number): string[] {
  if (host !== undefined) return [`${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}/`];
  const outside = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal);
  return ["localhost", ...outside.map(({ address }) => address)].map((name) => `${scheme}://${name}:${port}/`);
}
