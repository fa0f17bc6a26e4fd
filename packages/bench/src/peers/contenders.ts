/** The services that are compared: what starts them, who speaks to them, and which versions they have. Peers are installed when they are first needed. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { OURS, type Program } from "../cluster.ts";
import { wrong } from "../options.ts";
import { enterHocuspocus, enterYWebsocket } from "./awareness.ts";
import { enterCentrifugo } from "./centrifugo.ts";
import { said } from "./machine.ts";
import { enterNaive } from "./naive.ts";
import { enterOurs } from "./ours.ts";
import type { Enter } from "./person.ts";
import { enterSocketIo } from "./socket-io.ts";

export type Contender = {
  readonly name: string;
  readonly program: Program;
  readonly enter: Enter;
  /** It cannot be more than one instance. */
  readonly isAlone: boolean;
  /** The version, which the program itself tells. Absent: its package.json does. Undefined: it is not on this machine. */
  readonly version?: () => string | undefined;
};

const PEERS = fileURLToPath(new URL("../../peers/", import.meta.url));

export const ours: Contender = { name: "ours", program: OURS, enter: enterOurs, isAlone: false };
/** To be compared with a peer that is one instance without a bus. */
export const oursAlone: Contender = {
  name: "ours, alone",
  program: { ...OURS, env: (port) => ({ ...OURS.env(port, ""), REDIS_URL: "memory:" }) },
  enter: enterOurs,
  isAlone: true,
};

export const peers: readonly Contender[] = [
  peer("naive", enterNaive),
  peer("y-websocket", enterYWebsocket, true),
  peer("socket-io", enterSocketIo),
  peer("hocuspocus", enterHocuspocus),
  {
    name: "centrifugo",
    program: {
      command: "centrifugo",
      args: ["--config", `${PEERS}centrifugo/config.json`],
      env: (port, redisUrl) => ({
        CENTRIFUGO_HTTP_SERVER_ADDRESS: "127.0.0.1",
        CENTRIFUGO_HTTP_SERVER_PORT: String(port),
        CENTRIFUGO_ENGINE_REDIS_ADDRESS: redisUrl,
      }),
      readyPath: "/health",
    },
    enter: enterCentrifugo,
    isAlone: false,
    version: () => said("centrifugo", "version")?.split(" (")[0],
  },
];

/** The least that a program of Node does for these moves, with a connection to Redis for each direction, and with one for both. No service. */
export const bare: readonly Contender[] = [peer("bare", enterNaive), withOneLink(peer("bare", enterNaive))];

function withOneLink({ program, ...contender }: Contender): Contender {
  const env = (port: number, redisUrl: string) => ({ ...program.env(port, redisUrl), ONE_LINK: "1" });
  return { ...contender, name: "bare, one link", program: { ...program, env } };
}

export function peersNamed(names: readonly string[]): Contender[] {
  return names.map((name) => {
    const found = peers.find((each) => each.name === name);
    if (found === undefined) throw wrong(`--peers has ${name}; there are ${peers.map((each) => each.name).join(", ")}`);
    return found;
  });
}

function peer(name: string, enter: Enter, isAlone = false): Contender {
  const env = (port: number, redisUrl: string) => ({ PORT: String(port), HOST: "127.0.0.1", REDIS_URL: redisUrl });
  return { name, program: { args: [`${PEERS}${name}/server.js`], env, readyPath: "/" }, enter, isAlone };
}

/** Of several, those that are on this machine. One that is not, and comes with no lock file, is left out with a word on it. */
export function thoseHere(contenders: readonly Contender[]): Contender[] {
  return contenders.filter(({ name, program, version }) => {
    const isHere = version === undefined || version() !== undefined;
    if (!isHere) console.error(`without ${name}: there is no ${program.command} on the PATH`);
    return isHere;
  });
}

/** With the versions of its lock file. */
export function install({ name }: Contender): void {
  const cwd = `${PEERS}${name}`;
  if (!existsSync(`${cwd}/package.json`) || existsSync(`${cwd}/node_modules`)) return;
  console.error(`installing ${name}`);
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

/** `ws 8.23.0, redis 6.3.1`: what its package.json names. */
export function versionsOf({ name, version }: Contender): string {
  if (version !== undefined) return version() ?? "not here";
  const path = `${PEERS}${name}/package.json`;
  if (!existsSync(path)) return "this version";
  const { dependencies } = JSON.parse(readFileSync(path, "utf8")) as { dependencies: Record<string, string> };
  return Object.entries(dependencies)
    .map((each) => each.join(" "))
    .join(", ");
}
