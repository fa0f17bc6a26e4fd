/** Which file may import which: the tables between packages and inside the server, and the modules that have one owner. */

import { dirname, join, normalize } from "node:path";
import type { SourceFile } from "./repository.ts";
import { importsOf } from "./source-text.ts";
import { eachImport, inServer, isPure, leavesPackage, onlyIn, packageOf, production, type Rule, SCOPE, sample } from "./tidy-rule.ts";

/** The packages that each package may import. No package imports demo, inspector, bench, conformance or sim. */
const PACKAGE_IMPORTS: Record<string, readonly string[]> = {
  protocol: [],
  client: ["protocol"],
  react: ["client"],
  demo: ["react", "client", "protocol"],
  inspector: ["client", "protocol"],
  server: ["protocol"],
  bench: ["react", "client", "protocol"],
  conformance: ["protocol"],
  sim: ["client", "protocol", "server/world"],
};

/** The server's folders and top-level files, outermost first: cli → server → edge → connection → bus → core, and connection → speech → core. */
const SERVER_IMPORTS: Record<string, readonly string[]> = {
  cli: [
    "server",
    "edge",
    "connection",
    "speech",
    "redis",
    "bus",
    "core",
    "config",
    "identity",
    "telemetry",
    "errors",
    "address",
    "clock",
    "compilers",
    "version",
    "within",
  ],
  "test-server": ["testing", "connection", "speech", "core", "bounds"],
  testing: ["server", "edge", "connection", "speech", "recorder", "bus", "core", "telemetry", "errors", "address", "clock", "version"],
  server: [
    "admin",
    "webhooks",
    "edge",
    "connection",
    "speech",
    "recorder",
    "redis",
    "bus",
    "core",
    "config",
    "telemetry",
    "errors",
    "address",
    "bounds",
    "origins",
    "clock",
    "version",
    "within",
  ],
  admin: ["edge", "connection", "bus", "core", "telemetry", "errors", "address", "origins", "clock", "compilers", "version"],
  webhooks: ["core", "telemetry", "clock"],
  edge: ["connection", "speech", "bus", "core", "telemetry", "errors", "address", "origins", "clock", "compilers", "version"],
  connection: ["speech", "recorder", "bus", "core", "telemetry", "bounds", "errors", "clock", "compilers"],
  recorder: ["core", "telemetry", "version"],
  speech: ["core"],
  redis: ["bus", "core", "telemetry", "errors", "clock", "within"],
  bus: ["core", "telemetry", "errors", "clock"],
  identity: ["connection", "telemetry", "errors"],
  config: ["admin", "webhooks", "identity", "redis", "recorder", "bus", "telemetry", "errors", "address", "bounds", "origins"],
  core: [],
  address: ["errors"],
  bounds: ["errors"],
  origins: ["telemetry", "errors"],
  telemetry: [],
  errors: [],
  clock: [],
  compilers: [],
  version: [],
  within: [],
};

export const IMPORT_RULES: readonly Rule[] = [
  {
    name: "imports between packages go one way: demo → react → client → protocol ← server",
    check: eachImport(production, (file, specifier) => {
      const from = packageOf(file.path);
      if (specifier.startsWith("."))
        return leavesPackage(file.path, specifier) ? "reaches into another package by path; import the package" : undefined;
      if (!specifier.startsWith(SCOPE)) return undefined;
      const to = specifier.slice(SCOPE.length);
      const allowed = PACKAGE_IMPORTS[from];
      if (allowed === undefined) return `package ${from} is not in PACKAGE_IMPORTS of scripts/tidy-imports.ts`;
      return allowed.includes(to) ? undefined : `${from} may import ${allowed.join(", ") || "nothing"}, not ${to}`;
    }),
    bad: sample("packages/client/src/a.ts", 'import { createPresenceServer } from "@presence-service/server";'),
    good: sample("packages/demo/src/a.ts", 'import { createPresence } from "@presence-service/client";'),
  },
  {
    name: "imports inside the server go one way: cli → server → edge → connection → bus → core, and connection → speech → core",
    check: eachImport(inServer, (file, specifier) => {
      if (!specifier.startsWith(".")) return undefined;
      const target = normalize(join(dirname(file.path), specifier));
      const [from, to] = [serverPart(file.path), serverPart(target)];
      if (from === to || !target.startsWith("packages/server/src/")) return undefined;
      const allowed = SERVER_IMPORTS[from];
      if (allowed === undefined) return `${from} is not in SERVER_IMPORTS of scripts/tidy-imports.ts: give it its place`;
      return allowed.includes(to) ? undefined : `${from} may import ${allowed.join(", ") || "nothing of the server"}, not ${to}`;
    }),
    bad: sample("packages/server/src/core/a.ts", 'import type { Log } from "../telemetry/log.ts";'),
    good: sample("packages/server/src/connection/a.ts", 'import { Core } from "../core/core.ts";'),
  },
  {
    name: "no file imports, by whichever way, itself",
    check: circles,
    bad: sample("packages/client/src/a.ts", 'import type { A } from "./a.ts";'),
    good: sample("packages/client/src/a.ts", 'import type { B } from "./b.ts";'),
  },
  {
    name: "the checker of the fault suite imports nothing but the form of its log: it must not share a mistake with the service",
    check: eachImport(
      (path) => /^packages\/server\/test\/faults\/(?:checker|log)\.ts$/.test(path),
      (_file, specifier) => (specifier === "./log.ts" ? undefined : "judge by the log alone"),
    ),
    bad: sample("packages/server/test/faults/checker.ts", 'import { CONSTANTS } from "../../src/core/constants.ts";'),
    good: sample("packages/server/test/faults/checker.ts", 'import type { Entry } from "./log.ts";'),
  },
  {
    name: "core/ and protocol import no module of Node and no package",
    check: eachImport(isPure, (file, specifier) =>
      specifier.startsWith(".") || (specifier === `${SCOPE}protocol` && packageOf(file.path) === "server")
        ? undefined
        : `pure code may not import ${specifier}`,
    ),
    bad: sample("packages/server/src/core/a.ts", 'import { createHash } from "node:crypto";'),
    good: sample("packages/server/src/core/a.ts", 'import { LIMITS } from "@presence-service/protocol";'),
  },
  {
    name: "the client imports nothing but the protocol: it runs in browsers",
    check: eachImport(
      (path) => production(path) && packageOf(path) === "client",
      (_file, specifier) =>
        specifier.startsWith(".") || specifier.startsWith(SCOPE) ? undefined : `the client has no dependencies, so not ${specifier}`,
    ),
    bad: sample("packages/client/src/a.ts", 'import { randomBytes } from "node:crypto";'),
    good: sample("packages/client/src/a.ts", 'export type { Member } from "@presence-service/protocol";'),
  },
  {
    name: "only redis/client.ts names the Redis driver",
    check: onlyIn("packages/server/src/redis/client.ts", /^(?:@redis\/|redis$|ioredis$)/),
    bad: sample("packages/server/src/redis/pubsub.ts", 'import type { RedisClientType } from "@redis/client";'),
    good: sample("packages/server/src/redis/client.ts", 'import { createClient } from "@redis/client";'),
  },
  {
    name: "only edge/websocket.ts names ws",
    check: onlyIn("packages/server/src/edge/websocket.ts", /^ws$/),
    bad: sample("packages/server/src/server.ts", 'const ws = await import("ws");'),
    good: sample("packages/server/src/edge/websocket.ts", 'import { WebSocketServer } from "ws";'),
  },
  {
    name: "connection/ knows no way of speaking: of speech/ it imports speech, draft and socket",
    check: eachImport(
      (path) => inServer(path) && path.startsWith("packages/server/src/connection/"),
      (_file, specifier) =>
        /^\.\.\/speech\/(?!(?:speech|draft|socket)\.ts$)/.test(specifier)
          ? "a connection is given its way of speaking: see speech.ts"
          : undefined,
    ),
    bad: sample("packages/server/src/connection/a.ts", 'import { CLASSIC } from "../speech/classic.ts";'),
    good: sample("packages/server/src/connection/a.ts", 'import type { Speech } from "../speech/speech.ts";'),
  },
];

/** `core` for core/board.ts, `errors` for errors.ts. */
function serverPart(path: string): string {
  return (path.slice("packages/server/src/".length).split("/")[0] ?? "").replace(/\.ts$/, "");
}

/** Imports of types count: a reader has to follow them as well. The simulated World and its parts know each other. */
function circles(checked: readonly SourceFile[]): string[] {
  const concerned = checked.filter(({ path }) => production(path) && !path.startsWith("packages/server/src/testing/"));
  const importsIn = ({ path, text }: SourceFile) =>
    importsOf(text).flatMap(({ specifier }) => (specifier.startsWith(".") ? [normalize(join(dirname(path), specifier))] : []));
  const imports = new Map(concerned.map((file) => [file.path, importsIn(file)]));
  const reached = (from: string) => {
    const found = new Set(imports.get(from)); // grows while it is read
    for (const path of found) for (const next of imports.get(path) ?? []) found.add(next);
    return found;
  };
  const bad = [...imports.keys()].filter((path) => reached(path).has(path));
  return bad.map((path) => `${path}: imports itself through others; move what both need to a file of its own`);
}
