/**
 * Settings of the command: flags, environment, `.env`, defaults, in this order, checked together so that one start shows
 * all mistakes. Only this file reads `process.env`; the library takes options instead and does not use this file.
 */

import { isAbsolute } from "node:path";
import { parseArgs } from "node:util";
import { isAddressRange } from "./address.ts";
import type { Bounds } from "./bounds.ts";
import { isChannelPrefix } from "./bus/bus.ts";
import { readSecrets, SECRETS_ALLOWED } from "./bus/signing.ts";
import { ADMIN_SETTINGS, type AdminSettings, readAdmin } from "./config/admin-settings.ts";
import { AUTH_SETTINGS, type AuthSettings, readAuth } from "./config/auth-settings.ts";
import { readDotEnv, unreadInEnvironment } from "./config/dot-env.ts";
import { LIMIT_SETTINGS, limitsIn } from "./config/limit-settings.ts";
import { FILE_SETTINGS, readSecretFiles, secretsRead } from "./config/secret-files.ts";
import { similarTo } from "./config/similar.ts";
import { flagsOf, isSubcommand, type OwnFlags, readOwnFlags, SUBCOMMANDS, type Subcommand } from "./config/subcommands.ts";
import { type RedisTls, readTlsFiles } from "./config/tls-files.ts";
import { anyText, like, listed, madeOf, oneOf, optional, type Read, text, type ValueOf, WRONG, whole } from "./config/values.ts";
import { readWebhooks, WEBHOOK_SETTINGS, type WebhookSettings } from "./config/webhook-settings.ts";
import { PresenceError } from "./errors.ts";
import { isRecorderBytes, type RecorderOptions } from "./recorder/recorder.ts";
import { lackOf, REDIS_URL_FORMS, redisUrlOf } from "./redis/url.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./telemetry/log.ts";
import { redactUrl } from "./telemetry/redact.ts";

export type Settings = {
  /** 0: any free port. */
  readonly port: number;
  /** undefined: all interfaces. */
  readonly host: string | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** May hold a password: log `redactUrl` of it. */
  readonly redisUrl: string;
  readonly redisPrefix: string;
  /** Boards are spread over the masters of a Cluster. */
  readonly redisSharded: boolean;
  /** The contents of the files that REDIS_TLS_CA, REDIS_TLS_CERT and REDIS_TLS_KEY name. Never logged. */
  readonly redisTls: RedisTls;
  /** User and password of the Sentinels. Never logged. */
  readonly redisSentinel: { readonly username?: string; readonly password?: string };
  /** A list, as `readSecrets` takes it; empty: none. Never logged. */
  readonly busSecret: string;
  /** Whether the demo page is served, and the Inspector. */
  readonly demo: boolean;
  readonly inspector: boolean;
  readonly recorder: RecorderOptions;
  /** undefined: no token is needed. Never logged. */
  readonly auth: AuthSettings | undefined;
  readonly tokenLifeMaxS: number;
  /** Never logged. */
  readonly webhooks: WebhookSettings | undefined;
  /** undefined: nobody sees more than the others. Never logged. */
  readonly admin: AdminSettings | undefined;
  /** undefined: the default of the library. */
  readonly allowedOrigins: readonly string[] | undefined;
  readonly tokenInUrl: boolean;
  /** Addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
  readonly limits: Bounds;
};

type Setting = {
  /** As text, like every value from an environment. Empty: there is none; see `meaning`. */
  readonly default: string;
  readonly unit: string;
  readonly allowed: string;
  readonly meaning: string;
  readonly read: Read<unknown>;
};

/** Every setting there is. `--help` and the table in docs/OPERATIONS.md are made of it. */
export const SETTINGS = {
  WS_PORT: {
    default: "3001",
    unit: "port",
    allowed: "a port number from 0 to 65535 (0: any free one)",
    meaning:
      "Where WebSockets, health, metrics and the demo page are served: one port, so that one rule of a load balancer or firewall covers it.",
    read: whole({ max: 65_535 }),
  },
  WS_HOST: {
    default: "",
    unit: "address",
    allowed: "an IP address or host name of this machine",
    meaning: "The interface to listen on. Not set: all of them, IPv4 and IPv6.",
    read: optional(like(/^[A-Za-z0-9.:_%-]{1,255}$/)),
  },
  REDIS_URL: {
    default: "redis://localhost:6379",
    unit: "URL",
    allowed: `${REDIS_URL_FORMS}, or memory: for one instance alone`,
    meaning:
      "The Redis that all instances share: the bus between them, nothing is stored there. A name after the slash is that of a master that Sentinels watch, and the hosts are the Sentinels. memory: is a single instance without Redis, which sees nobody else's people.",
    read: text((url) => url === "memory:" || redisUrlOf(url) !== undefined),
  },
  REDIS_TLS_CA: {
    default: "",
    unit: "path",
    allowed: "a PEM file of certificates, with a rediss:// REDIS_URL",
    meaning:
      "The certificate authority of your own that signed the certificate of Redis. Only those in this file are trusted then. Not set: the public ones, and those of NODE_EXTRA_CA_CERTS.",
    read: anyText,
  },
  REDIS_TLS_CERT: {
    default: "",
    unit: "path",
    allowed: "a PEM file of a certificate and the chain to its authority, together with REDIS_TLS_KEY",
    meaning: "The client certificate by which this instance shows Redis who it is, where Redis asks for one (tls-auth-clients).",
    read: anyText,
  },
  REDIS_TLS_KEY: {
    default: "",
    unit: "path",
    allowed: "a PEM file of the private key of REDIS_TLS_CERT, without a passphrase",
    meaning: "Belongs to REDIS_TLS_CERT. Read at start, like the other two; a new certificate needs a restart.",
    read: anyText,
  },
  REDIS_TLS_NAME: {
    default: "",
    unit: "name",
    allowed: "a host name, with a rediss:// REDIS_URL",
    meaning:
      "The name in the certificates of Redis, where that is not the host to which the service connects. Nodes of a Cluster, and masters that Sentinels watch, are mostly known by their IP addresses. Not set: the certificate must name the host itself.",
    read: optional(like(/^[A-Za-z0-9._-]{1,253}$/)),
  },
  REDIS_SENTINEL_USERNAME: {
    default: "",
    unit: "text",
    allowed: "a user of the Sentinels, together with REDIS_SENTINEL_PASSWORD",
    meaning: "The user by whom the Sentinels are asked, where they have users (ACL) of their own. Not set: the default user.",
    read: anyText,
  },
  REDIS_SENTINEL_PASSWORD: {
    default: "",
    unit: "text",
    allowed: "a password, as it is, with a REDIS_URL of Sentinels",
    meaning: "The password of the Sentinels, if they ask for one. The user and password in REDIS_URL are for the master alone.",
    read: anyText,
  },
  REDIS_SHARDED: {
    default: "off",
    unit: "switch",
    allowed: "on, off; on with a redis-cluster:// REDIS_URL",
    meaning:
      "Whether boards are spread over the masters of a Cluster (sharded pub/sub, Redis 7): the messages of a board then pass through one master only, so more masters carry more. Set it alike at all instances: those with it and those without do not hear each other on boards.",
    read: oneOf(["on", "off"]),
  },
  REDIS_PREFIX: {
    default: "presence",
    unit: "text",
    allowed: "1 to 32 of a-z, 0-9 and -",
    meaning: "First part of every channel name. Deployments that share a Redis need one each, since pub/sub ignores the database number.",
    read: text(isChannelPrefix),
  },
  BUS_SECRET: {
    default: "",
    unit: "list",
    allowed: SECRETS_ALLOWED,
    meaning:
      "Signs what instances say to each other, so that nobody else who may publish on that Redis is believed. The first signs, all are believed; none at the end believes unsigned messages, too. Not set: everybody is believed.",
    read: madeOf((list) => (readSecrets(list) === undefined ? undefined : list)),
  },
  ...AUTH_SETTINGS,
  ...ADMIN_SETTINGS,
  ...WEBHOOK_SETTINGS,
  ...FILE_SETTINGS,
  LOG_LEVEL: {
    default: "info",
    unit: "level",
    allowed: LOG_LEVELS.join(", "),
    meaning: "The least important lines that are written. debug shows every join, leave, publish and bus message in words.",
    read: oneOf(LOG_LEVELS),
  },
  LOG_FORMAT: {
    default: "auto",
    unit: "format",
    allowed: LOG_FORMATS.join(", "),
    meaning: "json: one object per line, for log collectors. text: for people. auto: text on a terminal, json elsewhere.",
    read: oneOf(LOG_FORMATS),
  },
  DEMO: {
    default: "auto",
    unit: "switch",
    allowed: "auto, on, off",
    meaning: "Whether the demo page is served at /. auto: yes, unless NODE_ENV=production or clients need a token.",
    read: oneOf(["auto", "on", "off"]),
  },
  TRUSTED_PROXIES: {
    default: "",
    unit: "addresses",
    allowed: "IP addresses and ranges such as 10.0.0.0/8, separated by commas",
    meaning:
      "The proxies whose X-Forwarded-For is believed. Not set: none, and everybody behind a proxy shares the budget of its address, which is made for 10 000 people but not for a flood.",
    read: madeOf((list) => (listed(list).every(isAddressRange) ? listed(list) : undefined)),
  },
  ...LIMIT_SETTINGS,
  RECORDER_BYTES: {
    default: "16777216",
    unit: "bytes",
    allowed: "0, or 1048576 to 1073741824",
    meaning:
      "Memory for the flight recorder: the last minutes of this instance, which SIGUSR2 or trouble writes to a file. 0: nothing is recorded.",
    read: madeOf((digits) => (/^\d{1,10}$/.test(digits) && isRecorderBytes(Number(digits)) ? Number(digits) : undefined)),
  },
  RECORDER_DIR: {
    default: "",
    unit: "path",
    allowed: "an absolute path; the directory is made if it is missing",
    meaning: "Where recordings are written: the last ten stay. Not set: the system's directory for temporary files.",
    read: optional(text(isAbsolute)),
  },
  RECORDER_CONTENT: {
    default: "off",
    unit: "switch",
    allowed: "on, off",
    meaning: "Whether recordings hold names, avatars, areas, states and events as they are. off: placeholders. Never tokens.",
    read: oneOf(["on", "off"]),
  },
} as const satisfies Record<string, Setting>;

type Name = keyof typeof SETTINGS;
const NAMES = keysOf(SETTINGS);

export type Command =
  | { readonly kind: "help"; readonly of: Subcommand | undefined }
  | { readonly kind: "version" }
  | {
      readonly kind: "run";
      readonly settings: Settings;
      /** Sentences for the log about names that were found and that nothing reads. */
      readonly warnings: readonly string[];
    }
  | { readonly kind: "doctor"; readonly settings: Settings; readonly warnings: readonly string[]; readonly flags: OwnFlags }
  | { readonly kind: "tap"; readonly settings: Settings; readonly warnings: readonly string[]; readonly flags: OwnFlags }
  /** A doctor tells wrong settings as a finding. */
  | { readonly kind: "wrong"; readonly problems: readonly string[]; readonly flags: OwnFlags };

/** Reads what the command line asks for. Throws `BAD_SETTINGS` with a line for each problem. */
export function readCommand(argv: readonly string[]): Command {
  const { texts, problems, warnings } = readDotEnv(".env", NAMES);
  return commandOf({ argv, env: process.env, dotEnv: texts, problems, warnings });
}

/**
 * All texts handed to the command that could be a secret or hold one: arguments, settings of the environment and variables that are
 * named like a secret, all of `.env`, and the parts of URLs. They are taken out of unexpected errors.
 */
export function possibleSecrets(argv: readonly string[]): string[] {
  const environment = Object.entries(process.env).filter(([name]) => name in SETTINGS || /REDIS|PASS|SECRET|TOKEN|KEY/i.test(name));
  const texts = [
    ...argv.flatMap((text) => [text, text.slice(text.indexOf("=") + 1)]),
    ...secretsRead(),
    ...[...environment, ...Object.entries(readDotEnv(".env", NAMES).texts)].map(([, text]) => text ?? ""),
  ];
  // No URL has several hosts, but REDIS_URL may: the first one is enough to find the secrets around it.
  const urls = texts.map((text) => text.replace(/^([a-z-]+:\/\/(?:[^/?#]*@)?[^,/?#@]*),[^/?#@]*/i, "$1"));
  const parts = urls.filter((text) => URL.canParse(text)).flatMap((text) => partsOf(new URL(text)));
  const defaults = Object.values(SETTINGS).map((setting): string => setting.default);
  // Some are lists, and a token of ADMIN_TOKEN may have a name before it.
  const entries = texts.flatMap((text) => text.split(",").flatMap((entry) => [entry.trim(), entry.trim().replace(/^[a-z0-9-]+:/, "")]));
  return [...texts, ...parts, ...entries].filter((text) => text.length >= SECRET_LENGTH_MIN && !defaults.includes(text));
}

/** Shorter texts would be found within the words of any message. */
const SECRET_LENGTH_MIN = 6;

function partsOf({ username, password, pathname, search, hash }: URL): string[] {
  const parts = [username, password, pathname.slice(1), search.slice(1), hash.slice(1)];
  // URLSearchParams decodes these parts, as decodeURIComponent throws at some of them.
  return parts.flatMap((part) => [part, new URLSearchParams(`part=${part.replaceAll("+", "%2B")}`).get("part") ?? ""]);
}

type Texts = Readonly<Record<string, string | undefined>>;

/** `readCommand` without the process: for tests. */
export function commandOf(sources: {
  readonly argv: readonly string[];
  readonly env: Texts;
  readonly dotEnv: Texts;
  /** Problems of reading `.env`. */
  readonly problems?: readonly string[];
  readonly warnings?: readonly string[];
}): Command {
  const problems = [...(sources.problems ?? [])];
  const subcommand = isSubcommand(sources.argv[0]) ? sources.argv[0] : undefined;
  const flags = readFlags(sources.argv, subcommand, problems);
  if (flags.has("help")) return { kind: "help", of: subcommand };
  if (flags.has("version")) return { kind: "version" };

  const origins = new Map<string, string>();
  const texts: Partial<Record<Name, string>> = {};
  for (const name of NAMES) {
    const flag = flags.get(flagOf(name));
    // `VAR=` in a file and `${VAR:-}` in a compose file leave an empty variable behind: it counts as not set.
    const found = [
      [flag, `flag --${flagOf(name)}`],
      [sources.env[name] || undefined, "environment"],
      [sources.dotEnv[name] || undefined, ".env"],
    ] as const;
    const [text, origin] = found.find(([text]) => text !== undefined) ?? [SETTINGS[name].default || undefined, "default"];
    if (text !== undefined) texts[name] = text;
    origins.set(name, origin);
  }
  readSecretFiles(texts, origins, problems);
  const { values, wrong } = readValues(texts);
  for (const name of wrong) problems.push(describeProblem(name, texts[name] ?? "", origins.get(name) ?? ""));
  const redisTls = readTlsFiles(
    { ca: texts.REDIS_TLS_CA, cert: texts.REDIS_TLS_CERT, key: texts.REDIS_TLS_KEY, isTls: /^rediss/i.test(texts.REDIS_URL ?? "") },
    problems,
  );
  problems.push(...wrongSentinel(texts), ...uselessHere(texts));
  // Each has the values that are right, so that one wrong value hides no other.
  const auth = readAuth(values, problems);
  const admin = readAdmin(values, values.WS_PORT, problems);
  const webhooks = readWebhooks(values, problems);
  const own = readOwnFlags(flags, problems);
  if (problems.length > 0) {
    if (subcommand === "doctor") return { kind: "wrong", problems, flags: own };
    throw new PresenceError(
      "BAD_SETTINGS",
      `${problems.length === 1 ? "A setting is" : `${problems.length} settings are`} wrong:\n${problems.map((line) => `  - ${line}`).join("\n")}`,
    );
  }
  // There is no problem, so that every value is right.
  const right = values as Values;
  const { REDIS_SENTINEL_USERNAME: username, REDIS_SENTINEL_PASSWORD: password } = right;
  const {
    WS_PORT,
    WS_HOST,
    LOG_LEVEL,
    LOG_FORMAT,
    REDIS_URL,
    REDIS_PREFIX,
    REDIS_SHARDED,
    REDIS_TLS_NAME,
    BUS_SECRET,
    DEMO,
    INSPECTOR,
    TRUSTED_PROXIES,
  } = right;
  const { RECORDER_BYTES, RECORDER_DIR, RECORDER_CONTENT } = right;
  const nodeEnv = sources.env["NODE_ENV"] || sources.dotEnv["NODE_ENV"];
  const isTrial = nodeEnv !== "production" && auth === undefined;
  const demo = DEMO === "auto" ? isTrial : DEMO === "on";
  const inspector = INSPECTOR === "auto" ? isTrial || admin !== undefined : INSPECTOR === "on";
  const settings: Settings = {
    port: WS_PORT,
    host: WS_HOST,
    logLevel: LOG_LEVEL,
    logFormat: LOG_FORMAT,
    redisUrl: REDIS_URL,
    redisPrefix: REDIS_PREFIX,
    redisSharded: REDIS_SHARDED === "on",
    redisTls: { ...redisTls, ...(REDIS_TLS_NAME !== undefined && { name: REDIS_TLS_NAME }) },
    redisSentinel: { ...(username !== undefined && { username }), ...(password !== undefined && { password }) },
    busSecret: BUS_SECRET,
    demo,
    inspector,
    recorder: { bytes: RECORDER_BYTES, content: RECORDER_CONTENT === "on", ...(RECORDER_DIR !== undefined && { dir: RECORDER_DIR }) },
    auth,
    tokenLifeMaxS: right.AUTH_TOKEN_LIFE_MAX,
    webhooks,
    admin,
    allowedOrigins: right.ALLOWED_ORIGINS,
    tokenInUrl: right.TOKEN_IN_URL === "on",
    trustedProxies: TRUSTED_PROXIES,
    limits: limitsIn(right),
  };
  const warnings = [...unreadInEnvironment(sources.env, NAMES), ...(sources.warnings ?? [])];
  return subcommand === undefined ? { kind: "run", settings, warnings } : { kind: subcommand, settings, warnings, flags: own };
}

function keysOf<T extends object>(record: T): (keyof T)[] {
  return Object.keys(record) as (keyof T)[];
}

function wrongSentinel(texts: Partial<Record<Name, string>>): string[] {
  const { REDIS_URL = "", REDIS_SENTINEL_USERNAME: username, REDIS_SENTINEL_PASSWORD: password } = texts;
  if (username === undefined && password === undefined) return [];
  if (password === undefined) return ["REDIS_SENTINEL_USERNAME is set without REDIS_SENTINEL_PASSWORD: a user needs both."];
  const { mode } = redisUrlOf(REDIS_URL) ?? {};
  const isUseless = mode !== undefined && mode !== "sentinel";
  return isUseless ? ["REDIS_SENTINEL_PASSWORD is of no use: REDIS_URL names no Sentinels (redis-sentinel://host,host/mymaster)."] : [];
}

/** Settings that mean nothing with this REDIS_URL. */
function uselessHere({ REDIS_URL = "", REDIS_SHARDED, REDIS_TLS_NAME }: Partial<Record<Name, string>>): string[] {
  const url = redisUrlOf(REDIS_URL);
  // A URL that is wrong is told by itself.
  if (url === undefined && REDIS_URL !== "memory:") return [];
  return [
    ...(REDIS_SHARDED === "on" && url?.mode !== "cluster"
      ? ["REDIS_SHARDED=on needs a Cluster: redis-cluster://host,host in REDIS_URL."]
      : []),
    ...(REDIS_TLS_NAME !== undefined && url?.isTls !== true
      ? ["REDIS_TLS_NAME is of no use without TLS: REDIS_URL must begin with rediss."]
      : []),
  ];
}

type Values = { readonly [N in Name]: ValueOf<(typeof SETTINGS)[N]["read"]> };

/** The values that are right; the names of the others are in `wrong`. */
function readValues(texts: Partial<Record<Name, string>>): { readonly values: Partial<Values>; readonly wrong: readonly Name[] } {
  const read = NAMES.map((name) => [name, SETTINGS[name].read(texts[name])] as const);
  const isWrong = ([, value]: (typeof read)[number]) => value === WRONG;
  return {
    values: Object.fromEntries(read.filter((entry) => !isWrong(entry))) as Partial<Values>,
    wrong: read.filter(isWrong).map(([name]) => name),
  };
}

/** Never shown, not even where they are wrong. */
const SECRETS: ReadonlySet<Name> = new Set(["BUS_SECRET", "AUTH_SECRET", "ADMIN_TOKEN", "WEBHOOK_SECRET", "WEBHOOK_URL"]);

function describeProblem(name: Name, text: string, origin: string): string {
  const shown = JSON.stringify(name === "REDIS_URL" ? redactUrl(text) : SECRETS.has(name) ? "***" : harmless(text));
  const { default: fallback, allowed } = SETTINGS[name];
  // The URL is shown without its password, so a mistake in the password cannot be seen: this hint may help.
  const hint =
    name === "REDIS_URL" && text.includes("@")
      ? " In a user or password, special characters are percent-encoded: / is %2F, @ is %40, : is %3A."
      : "";
  const lack = name === "REDIS_URL" ? lackOf(text) : "";
  return `${name} is ${shown} (${origin})${lack ? `. ${lack} Allowed` : "; allowed"}: ${allowed}. Change it, or leave it out${fallback && ` for ${fallback}`}.${hint}`;
}

/**
 * A wrong value, as far as it can be shown: a value that is neither a number, an address, a word of letters nor a few characters may be a
 * password, or a URL with one, in the wrong setting.
 */
function harmless(text: string): string {
  return /^(?:[ -~]{0,4}|[-+ ]?[0-9][0-9.xe]{0,9}|[A-Za-z]{1,12}|\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,3})?)$/.test(text) ? text : "***";
}

/** Flags as other servers call them. */
const AS_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["port", "ws-port"],
  ["host", "ws-host"],
  ["redis", "redis-url"],
]);

/**
 * Values by flag name; a flag without a value has "". An argument that is no flag is named by its place and never shown: it may be a
 * password, or a flag with a password attached.
 */
function readFlags(argv: readonly string[], subcommand: Subcommand | undefined, problems: string[]): Map<string, string> {
  const own = Object.entries(flagsOf(subcommand)).map(([name, { unit }]) => [name, unit === undefined ? SWITCH : VALUE] as const);
  const options = Object.fromEntries([...NAMES.map((name) => [flagOf(name), VALUE] as const), ...own]);
  // Strict parsing would throw at the first unknown flag, and all are to be told.
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...options, help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" } },
    strict: false,
    tokens: true,
  });
  const flags = new Map<string, string>();
  const strangers = new Map<number, string | undefined>();
  for (const token of tokens) {
    // The value of an unknown flag is no second mistake.
    const isValue = strangers.has(token.index - 1) && /^--[^=]+$/.test(argv[token.index - 1] ?? "");
    if (token.kind === "positional" && !isValue && (token.index > 0 || subcommand === undefined)) {
      const meant = token.index === 0 ? similarTo(token.value, Object.keys(SUBCOMMANDS)) : undefined;
      const isFlag = token.index === 0 && (token.value === "help" || token.value === "version");
      strangers.set(token.index, isFlag ? `--${token.value}` : meant && `the subcommand ${meant}`);
    }
    if (token.kind !== "option") continue;
    const isWhole = argv[token.index] === token.rawName || argv[token.index]?.startsWith(`${token.rawName}=`);
    if (!isWhole) strangers.set(token.index, undefined);
    else if (token.name === "help" || token.name === "version") flags.set(token.name, "");
    else if (!Object.hasOwn(options, token.name)) {
      const meant = similarTo(token.name, Object.keys(options)) ?? AS_ELSEWHERE.get(token.name);
      strangers.set(token.index, meant && `--${meant}`);
    } else if (options[token.name] === SWITCH) flags.set(token.name, "");
    else if (token.value === undefined) problems.push(`${token.rawName} needs a value: ${token.rawName} <value>.`);
    else flags.set(token.name, token.value);
  }
  for (const [at, meant] of strangers) {
    const isWord = at === 0 && argv[0]?.startsWith("-") === false;
    const question = meant === undefined ? "" : ` Is ${meant} meant?`;
    problems.push(
      `Argument ${at + 1} is no flag of this command${isWord ? ", and no subcommand" : ""}. It is not shown, as it may be a secret.${question} Settings are given as --name value; --help lists them.`,
    );
  }
  return flags;
}

function flagOf(name: Name): string {
  return name.toLowerCase().replaceAll("_", "-");
}

const SWITCH = { type: "boolean" as const };
const VALUE = { type: "string" as const };

export function helpText(): string {
  const subcommands = Object.entries(SUBCOMMANDS).map(([name, { meaning }]) => `  presence-service ${name.padEnd(7)} ${meaning}`);
  const lines = NAMES.map((name) => {
    const { default: fallback, allowed, meaning } = SETTINGS[name];
    return `  --${flagOf(name)} <${SETTINGS[name].unit}>   or ${name}=…   default: ${fallback || "not set"}\n      ${meaning}\n      Allowed: ${allowed}.`;
  });
  return `presence-service: who is on a board, and where they point, across any number of instances.

Usage: presence-service [flags]
${subcommands.join("\n")}

Settings come from flags, then the environment, then a file .env in the working directory, then defaults.

${lines.join("\n\n")}

  -h, --help      this text
  -v, --version   the version

Exit status: 0 stopped on purpose, 69 Redis or the port is not available, 70 a defect of ours, 78 wrong settings.
`;
}
