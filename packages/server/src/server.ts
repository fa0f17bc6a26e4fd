/**
 * Puts the parts together: one instance of the presence service, which listens by itself or is attached to a host's own HTTP server. As
 * a library it reads no environment, installs no signal handlers and never ends the process.
 */

import { randomInt, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { InstanceId, Json } from "@presence-service/protocol";
import { addressRule } from "./address.ts";
import type { Administer } from "./admin/api.ts";
import { HearingMap } from "./admin/hearing-map.ts";
import { ADMIN_TOKENS_ALLOWED, AdminTokens, readAdminTokens } from "./admin/tokens.ts";
import { type Bounds, boundsOf } from "./bounds.ts";
import { type Bus, type Channel, Channels, isChannelPrefix } from "./bus/bus.ts";
import { MemoryBus } from "./bus/memory.ts";
import { readSecrets, SECRETS_ALLOWED, Signing } from "./bus/signing.ts";
import { SystemClock } from "./clock.ts";
import type { Authenticate, Authorize } from "./connection/auth.ts";
import { ConnectionManager } from "./connection/manager.ts";
import { type AnnounceOptions, announcementOf, type KickOptions, kickOf, revocationOf } from "./connection/operator.ts";
import type { DegradedWhy } from "./core/effects.ts";
import { descriptorLimit, shareDescriptors } from "./edge/descriptors.ts";
import { hostRule } from "./edge/hosts.ts";
import { createHttpHandler, type HealthReport, type HttpHandler, type Sight } from "./edge/http.ts";
import { listen } from "./edge/listen.ts";
import { DEMO, INSPECTOR } from "./edge/pages.ts";
import { pathOf } from "./edge/paths.ts";
import { acceptUpgrades } from "./edge/websocket.ts";
import { PresenceError } from "./errors.ts";
import { originRule } from "./origins.ts";
import { isRecorderBytes, type RecorderOptions } from "./recorder/recorder.ts";
import type { RedisTls } from "./redis/client.ts";
import { RedisPubSub } from "./redis/pubsub.ts";
import { ShardedPubSub } from "./redis/sharded.ts";
import { clusterOf, type RedisSentinel, topologyOf } from "./redis/target.ts";
import { type Logger, SILENT } from "./telemetry/log.ts";
import { createMetrics, type Metrics } from "./telemetry/metrics.ts";
import type { Tracer } from "./telemetry/tracing.ts";
import { VERSION } from "./version.ts";
import { post, readWebhookSecrets, WEBHOOK_SECRETS_ALLOWED } from "./webhooks/delivery.ts";
import { within } from "./within.ts";

export type { Administer } from "./admin/api.ts";
export type { Bounds as Limits } from "./bounds.ts";
export type { Authenticate, Authorize, User } from "./connection/auth.ts";
export type { AnnounceOptions, KickOptions } from "./connection/operator.ts";
export type { HttpHandler } from "./edge/http.ts";
export { PresenceError } from "./errors.ts";
export type { RecorderOptions } from "./recorder/recorder.ts";
export type { RedisTls } from "./redis/client.ts";
export type { RedisSentinel } from "./redis/target.ts";
export type { Logger } from "./telemetry/log.ts";

export type PresenceServerOptions = (ListenOptions | AttachOptions) & {
  /**
   * `redis://…`, `rediss://…`; `redis-sentinel://host,host/mymaster` (or `redis://` with one host and the name of a master); or `memory:`
   * for an instance that is alone and sees nobody else's people.
   */
  readonly redisUrl: string;
  /** User and password of the Sentinels, if they ask for any; those in `redisUrl` are for the master. Never logged. */
  readonly redisSentinel?: RedisSentinel;
  /** First part of all channel names: `[a-z0-9-]{1,32}`, by default `presence`. */
  readonly redisPrefix?: string;
  /** Spreads boards over the masters of a Cluster, as REDIS_SHARDED in docs/OPERATIONS.md. Default: no. */
  readonly redisSharded?: boolean;
  /**
   * For `rediss://`, in PEM form: `ca` is the certificate authority to trust instead of the public ones; `cert` with `key` is the client
   * certificate, where Redis asks for one; `name` is what the certificates of Redis name, if that is not the host. Never logged.
   */
  readonly redisTls?: RedisTls;
  /**
   * Signs every message between instances, and ignores those that are not signed so: a list separated by commas, of which the first signs and all
   * are believed, as BUS_SECRET in docs/OPERATIONS.md. Never logged. Default: nothing is signed, and whoever may publish on that Redis is believed.
   */
  readonly busSecret?: string;
  /** Serves the demo page at `/`, if it has been built. Default: no. */
  readonly demo?: boolean;
  /**
   * Serves the Inspector at `/inspector/`, if it has been built: where the admin API is, and without one on `handler`. On an admin port of its
   * own it takes WebSockets there too, for the connection that the Inspector shows. Default: no.
   */
  readonly inspector?: boolean;
  /** Default: silence. */
  readonly log?: Logger;
  /** Without it every client may connect, and each session is a person of its own. */
  readonly authenticate?: Authenticate;
  /**
   * Origins whose pages may connect, each as a browser says it: `https://app.example.com`, with the port if it is not the usual one.
   * `["*"]`: all; `"null"` allows pages without an origin (files, sandboxed frames). A client that sends no `Origin` is no page, and may.
   * Default: with `authenticate` only pages from the host that they connect to (behind a proxy that rewrites `Host`, list them),
   * because `authenticate` may read a cookie, which a browser sends along for any page; without it, all.
   */
  readonly allowedOrigins?: readonly string[];
  /** Without it every client may enter every board. A right once given lasts until the next join: `kick` takes it back at once. */
  readonly authorize?: Authorize;
  /** Lets classic clients pass `?token=` to `authenticate`. Default: no, as URLs end up in logs; they are closed with 4401 then. */
  readonly tokenInUrl?: boolean;
  /**
   * Addresses and CIDR ranges of the proxies in front, such as `["10.0.0.0/8"]`: only these are believed in `X-Forwarded-For`.
   * Default: none, and all clients that come through a proxy share the budget of its address.
   */
  readonly trustedProxies?: readonly string[];
  /** Limits that are to be others than the defaults: the settings of the same names in docs/OPERATIONS.md, as `{ connectionsPerUser: 50 }`. */
  readonly limits?: Partial<Bounds>;
  /**
   * Keeps what the last minutes were made of in `bytes` of memory (1 MiB to 1 GiB), and writes it to a file in `dir` (by default the system's
   * directory for temporary files) when members differ that should not, when people were shown leaving who had not, and when `record` is
   * called. `content`: with names, areas, states and events; by default placeholders stand for them. Default: nothing is recorded.
   */
  readonly recorder?: RecorderOptions;
  /**
   * For those who run the service. `port`: where the admin API, the metrics and the whole of /health are served, and then nowhere else; 0 is any
   * free one; `host` is loopback by default. `token`: who shows it (`Authorization: Bearer …`) may use them, a list as ADMIN_TOKEN in
   * docs/OPERATIONS.md; needed where there is no port of its own, and where that port is not on loopback. Never logged. With this option, or
   * with `authenticate`, strangers see on `handler` no more than whether the instance is well.
   */
  readonly admin?: AdminOptions;
  /**
   * Posts what happens on boards to `url`, signed by `secret` (base64, possibly after `whsec_`), as WEBHOOK_URL in docs/OPERATIONS.md. The same
   * at all instances. Neither is logged. Default: nothing is posted.
   */
  readonly webhooks?: { readonly url: string; readonly secret: string };
  /**
   * A tracer of OpenTelemetry, as `trace.getTracer("presence-service")` of `@opentelemetry/api` gives it: a span for each join, from the client's message
   * to the roster that answers it. Default: nothing is traced.
   */
  readonly tracer?: Tracer;
  /** No token that `authenticate` believes may live longer: for so long `revoke` is remembered. Default: a day. */
  readonly tokenLifeMs?: number;
};

export type AdminOptions = {
  readonly port?: number | undefined;
  readonly host?: string;
  readonly token?: string;
  /** Lets users call what is about single boards, by a token of your own: those with the right to administer them. Default: nobody. */
  readonly authorize?: Administer;
};

type ListenOptions = {
  /** 0: any free one. */
  readonly port: number;
  /** Default: all interfaces. */
  readonly host?: string;
};

type AttachOptions = {
  /** The host's server. Only upgrades on `path` are taken from it; mount `handler` for health and metrics. */
  readonly server: Server;
  /** Default: `/presence`. */
  readonly path?: string;
};

export type PresenceServer = {
  readonly instanceId: string;
  /** Where it listens; 0 if it is attached. */
  readonly port: number;
  /** Where the admin API listens, if it has a port of its own. */
  readonly adminPort: number | undefined;
  /** Health, metrics and the demo page; also where it listens by itself. */
  readonly handler: HttpHandler;
  /**
   * Puts a person, or one session, out at every instance: out of the service, or off one board. It bans nobody: make `authenticate` or
   * `authorize` refuse them first, as their clients may come back and ask. A kick is not stored, so it reaches only instances that hear this
   * one now. Resolves when the bus took it. Rejects with a PresenceError (BUS_DOWN, BUS_REFUSED) if perhaps only this instance carried it out:
   * then call it again. Rejects with a TypeError if the options are wrong.
   */
  kick(options: KickOptions): Promise<void>;
  /**
   * Puts a person out as `kick` does, and voids the rights that they have: at every instance, and at those that come later, whatever `authenticate`
   * answers is refused if its `issuedAt` is not later, or is missing. It is remembered for `tokenLifeMs`. Rejects as `kick` does.
   */
  revoke(userId: string, reason?: string): Promise<void>;
  /** Tells the clients of every instance, or those on one board, up to 4096 bytes of text: an `announcement`. At most once; classic clients do not get it. Resolves and rejects as `kick` does. */
  announce(text: string, options?: AnnounceOptions): Promise<void>;
  /**
   * Writes the last minutes of this instance to a file, for the project's simulator to repeat, and answers the path; undefined without
   * the option `recorder`. Rejects with the error of the file system if it cannot be written.
   */
  record(): Promise<string | undefined>;
  /** Sends its clients elsewhere and ends. Idempotent. */
  close(): Promise<void>;
  /** Resolves when it has ended, also if an operator has asked for that. */
  readonly closed: Promise<void>;
};

/** Wait for the echo of the first heartbeat. It takes a millisecond, unless pub/sub does not work. */
const READY_MS_MAX = 5000;
/** Time for a request with its headers, as all are small, and for a client to read the answer. */
const REQUEST_MS_MAX = 8000;
/** Node looks so often for requests that take longer, by default every 30 s. Each look wakes up an instance at rest. */
const LOOK_MS = 2000;
/** After so many requests a socket is closed: a scraper does not notice, and requests sent ahead of the answers have an end. */
const REQUESTS_PER_SOCKET_MAX = 100;
const HTTP_LIMITS = {
  headersTimeout: REQUEST_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  connectionsCheckingInterval: LOOK_MS,
};

/** Resolves when the server accepts clients; rejects with a PresenceError that says what to do. */
export async function createPresenceServer(options: PresenceServerOptions): Promise<PresenceServer> {
  const { redisPrefix = "presence", busSecret = "", log = SILENT, authenticate, authorize, tokenInUrl = false } = options;
  const startedAt = performance.now();
  const addressOf = addressRule(options.trustedProxies ?? []);
  const instanceId = randomUUID() as InstanceId;
  if (!isChannelPrefix(redisPrefix)) {
    throw new PresenceError("BAD_SETTINGS", `redisPrefix is ${JSON.stringify(redisPrefix)}; it must be 1 to 32 of a-z, 0-9 and -`);
  }
  if (readSecrets(busSecret) === undefined)
    throw new PresenceError("BAD_SETTINGS", `busSecret cannot be used; allowed: ${SECRETS_ALLOWED}`);
  const { recorder, admin } = options;
  const adminEntries = admin?.token ? readAdminTokens(admin.token) : [];
  if (adminEntries === undefined) throw new PresenceError("BAD_SETTINGS", `admin.token cannot be used; allowed: ${ADMIN_TOKENS_ALLOWED}`);
  const adminTokens = new AdminTokens(adminEntries);
  const isLocal = /^(?:localhost|::1|127\..*)$/.test(admin?.host ?? "localhost");
  if (admin !== undefined && adminTokens.isEmpty && (admin.port === undefined || !isLocal))
    throw new PresenceError("BAD_SETTINGS", "admin needs a token, or a port on loopback");
  if (recorder !== undefined && !isRecorderBytes(recorder.bytes))
    throw new PresenceError("BAD_SETTINGS", `recorder.bytes is ${recorder.bytes}; it must be a whole number from 1 MiB to 1 GiB, or 0`);
  const bounds = boundsOf(options.limits);
  const { allowedOrigins = authenticate === undefined ? ["*"] : undefined } = options;
  const secrets = options.webhooks && readWebhookSecrets(options.webhooks.secret);
  if (options.webhooks !== undefined && secrets === undefined)
    throw new PresenceError("BAD_SETTINGS", `webhooks.secret cannot be used; allowed: ${WEBHOOK_SECRETS_ALLOWED}`);
  // These come first, as they refuse wrong options: nothing has been opened yet that would have to be closed.
  const isAllowed = originRule(allowedOrigins);
  // Many instances have neither, and the forms of both come with Zod: 10 MB, and a tenth of a second of the start.
  const hooking = options.webhooks && (await import("./webhooks/webhooks.ts"));
  const calling = admin && { ...(await import("./admin/api.ts")), ...(await import("./admin/calls.ts")) };
  const channels = new Channels(redisPrefix);
  const bus = busOf(options, channels, instanceId);
  const signing = new Signing(busSecret);
  const metrics = createMetrics({ version: VERSION });
  const seed = randomInt(2 ** 32);
  const { address } = bus;
  const clock = new SystemClock();
  const hearing = new HearingMap();
  const hooks =
    options.webhooks &&
    secrets &&
    hooking &&
    new hooking.Webhooks({
      url: options.webhooks.url,
      secrets,
      instanceId,
      clock,
      log,
      metrics,
      post,
      say: (words) => manager.hook(words as Json),
    });
  const manager: ConnectionManager = new ConnectionManager({
    instanceId,
    bus,
    channels,
    signing,
    clock,
    metrics,
    log,
    seed,
    authenticate,
    authorize,
    recorder,
    tokenLifeMs: options.tokenLifeMs,
    tracer: options.tracer,
    ...(hooks && {
      hooks: {
        own: (effect) => hooks.own(effect),
        judged: ({ instanceId: peer, state }) => hooks.judged(peer, state),
        heard(from, words) {
          const read = hooking?.readHookWords(words);
          if (read !== undefined) hooks.heard(from, read);
        },
      },
    }),
    overheard(from, message) {
      if (message.kind === "heartbeat") hearing.beat(from, message, clock.now());
    },
    bounds,
  });

  const report = (): HealthReport => {
    const { status, degradedWhy, boards, boardsWhole, degradedBoards, own, shown, observers, watched, echoMs, peers } = manager.stats();
    const isDegraded = degradedWhy !== undefined || degradedBoards > 0 || manager.apart > 0;
    const degraded = isDegraded ? degradation(degradedWhy, degradedBoards, manager) : null;
    return {
      status: manager.isStopping ? "draining" : status !== "ready" ? status : degraded !== null ? "degraded" : "ok",
      degraded,
      instanceId,
      version: VERSION,
      uptimeMs: Math.round(performance.now() - startedAt),
      redis: {
        mode: bus.mode,
        address,
        publisherAt: bus.at("publisher") ?? null,
        subscriberAt: bus.at("subscriber") ?? null,
        publisher: metrics.linkUp.publisher === 1 ? "up" : "down",
        subscriber: metrics.linkUp.subscriber === 1 ? "up" : "down",
        echoMs: echoMs === null ? null : Math.round(echoMs * 100) / 100,
        oldestUnansweredMs: Math.round(bus.oldestUnansweredMs()),
      },
      peers,
      boards,
      boardsWhole,
      members: { own, shown },
      observers,
      watched,
      connections: Object.values(metrics.connections).reduce((sum, count) => sum + count, 0),
    };
  };
  metrics.mode[bus.mode] = 1;
  metrics.beforeScrape = () => {
    metrics.apart = manager.apart;
    readGauges(metrics, report());
  };
  const recent = recently(report);
  const pages = {
    report,
    state: () => ({ status: statusNow(manager) ?? recent().status, links: `${bus.at("publisher")} ${bus.at("subscriber")}` }),
    healthCheck: () => bus.healthCheck(),
    metrics,
    addressOf,
    instanceId,
  };
  const isOwnHost = hostRule([...(allowedOrigins ?? []), ...(admin?.host === undefined ? [] : [admin.host])]);
  const isOpen = admin === undefined && authenticate === undefined;
  const isKnown = ({ headers }: IncomingMessage) => adminTokens.nameIn(headers.authorization) !== undefined;
  const api =
    admin &&
    calling?.createApi({
      instanceId,
      calls: calling.allCalls({ instanceId, manager, hearing, drain: () => void close() }),
      tokens: adminTokens,
      isTrusted: adminTokens.isEmpty,
      administer: admin.authorize,
      isVoid: (userId, issuedAt) => manager.revoking.isVoid(userId, issuedAt),
      isOwnHost,
      addressOf,
      log,
    });
  const handler = createHttpHandler({
    ...pages,
    admin: admin?.port === undefined ? api : undefined,
    pages: [...(options.demo ? [DEMO] : []), ...(options.inspector && admin?.port === undefined ? [INSPECTOR] : [])],
    sightOf(request): Sight {
      if (admin !== undefined && admin.port === undefined && isKnown(request)) return "all";
      if (!isOwnHost(request.headers.host)) return "elsewhere";
      return isOpen ? "all" : "brief";
    },
  });
  const insideHandler = createHttpHandler({
    ...pages,
    admin: api,
    pages: options.inspector ? [INSPECTOR] : [],
    sightOf: (request) => (isOwnHost(request.headers.host) || isKnown(request) ? "all" : "elsewhere"),
  });

  const timed =
    (handle: HttpHandler): RequestListener =>
    (request, response) => {
      // Here, and not as `timeout` of the server: a WebSocket never needs the timer, and would keep it.
      request.socket.setTimeout(REQUEST_MS_MAX);
      handle(request, response);
    };
  const own = "server" in options ? undefined : createServer(HTTP_LIMITS, timed(handler));
  const inside = admin?.port === undefined ? undefined : createServer(HTTP_LIMITS, timed(insideHandler));
  const isServing = () => manager.isReady && !manager.isStopping;
  const where =
    "server" in options
      ? { server: options.server, paths: [pathOf(options.path ?? "/presence")], isAlone: false }
      : { server: own as Server, paths: ["/", "/ws", "/presence"], isAlone: true };
  for (const server of [own, inside]) if (server !== undefined) server.maxRequestsPerSocket = REQUESTS_PER_SOCKET_MAX;
  const descriptors = shareDescriptors(own, { limit: descriptorLimit(), dropped: () => metrics.socketsDropped++, log });
  const taking = { manager, isServing, tokenInUrl, addressOf, descriptors, log };
  const stopUpgrades = [acceptUpgrades(where.server, { ...taking, isAllowed, ...where })];
  // The Inspector's own connection goes where the Inspector comes from, and no other page may use that way.
  if (inside !== undefined && options.inspector)
    stopUpgrades.push(acceptUpgrades(inside, { ...taking, isAllowed: originRule(undefined), paths: ["/presence"], isAlone: true }));

  let closing: Promise<void> | undefined;
  let isClosed = () => {};
  const closed = new Promise<void>((resolve) => {
    isClosed = resolve;
  });
  const shut = async () => {
    await manager.stop();
    await hooks?.stop();
    await bus.close();
    // Upgrades are taken until the bus is closed, so that clients are told to come back later.
    for (const stop of stopUpgrades) stop();
    for (const server of [own, inside]) {
      server?.close();
      server?.closeAllConnections();
    }
    isClosed();
  };
  const close = () => {
    closing ??= shut();
    return closing;
  };

  try {
    // The port is opened first: an instance that cannot have it should not greet the others. Until all is ready, it answers "not yet".
    const port = own !== undefined && !("server" in options) ? await listen(own, options) : 0;
    const adminPort = inside && (await listen(inside, { port: admin?.port ?? 0, host: admin?.host ?? "127.0.0.1", of: "ADMIN" }));
    await manager.start();
    await echoed(manager, address);
    hooks?.start();
    if (bus.mode !== "memory")
      log.info({ mode: bus.mode, redis: address, publisher: bus.at("publisher"), subscriber: bus.at("subscriber") }, "connected to Redis");
    return {
      instanceId,
      port,
      adminPort,
      handler,
      kick: async (options) => manager.tellAll(kickOf(options)),
      revoke: async (userId, reason) => manager.tellAll(revocationOf(userId, reason, clock.wallNow())),
      record: () => manager.record(),
      announce: async (text, options) => manager.tellAll(announcementOf(text, options)),
      close,
      closed,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function busOf(options: PresenceServerOptions, channels: Channels, instanceId: InstanceId): Bus {
  const { redisUrl: url, redisTls: tls, redisSentinel: sentinel, redisSharded: isSharded = false } = options;
  if (url === "memory:") return new MemoryBus();
  const target = { url, name: `presence-${instanceId}`, ...(tls && { tls }), ...(sentinel && { sentinel }) };
  if (!isSharded) return new RedisPubSub(topologyOf(target));
  const isSpread = (channel: Channel) => channels.isSpread(channel);
  return new ShardedPubSub(clusterOf(target), { isSpread, echoPrefix: channels.echoPrefix(instanceId) });
}

function echoed(manager: ConnectionManager, address: string): Promise<void> {
  return within(READY_MS_MAX, manager.ready, () => {
    const advice =
      manager.refusal ??
      "May this user publish and subscribe to the channels of REDIS_PREFIX? See docs/OPERATIONS.md for the rights it needs.";
    throw new PresenceError("REDIS_UNREACHABLE", `Redis at ${address} is connected, but own messages do not come back. ${advice}`);
  });
}

function degradation(
  why: DegradedWhy | undefined,
  boards: number,
  { trouble, lacksSecret }: Pick<ConnectionManager, "trouble" | "lacksSecret">,
): NonNullable<HealthReport["degraded"]> {
  const unseen = why !== undefined ? UNECHOED : boards > 0 ? UNECHOED_ON_BOARDS : APART;
  const reason = why === "unheard" ? (lacksSecret ? LACKS_SECRET : UNHEARD) : (trouble ?? unseen);
  return { all: why !== undefined, boards, reason };
}

const UNECHOED =
  "own messages do not come back through Redis, though both connections are up. Does it hang, or do they lead to different servers? presence-service doctor looks";
const UNECHOED_ON_BOARDS =
  "own messages do not come back on some boards, though Redis refuses nothing: something on the way loses them. The log names a board; presence-service doctor --board looks";
const UNHEARD = "this instance hears others, but none hears it. Is REDIS_URL the address of a replica?";

const APART =
  "other instances have REDIS_SHARDED and this one has not, or the other way round: on boards neither hears the other. It must be the same at all instances";

const LACKS_SECRET = "other instances are heard, and none hears this one: they demand signed messages, and this one has no BUS_SECRET";

/** The part of the status that is known without looking at boards, and must be told at once. */
function statusNow({ isStopping, isReady, isDegraded }: ConnectionManager): HealthReport["status"] | undefined {
  if (isStopping) return "draining";
  if (!isReady) return "starting";
  return isDegraded ? "degraded" : undefined;
}

/** A report counts all boards and peers: it is made once a second for all requests. */
const REPORT_MS = 1000;

function recently(report: () => HealthReport): () => HealthReport {
  let last: { readonly at: number; readonly report: HealthReport } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at >= REPORT_MS) last = { at: performance.now(), report: report() };
    return last.report;
  };
}

function readGauges(metrics: Metrics, { degraded, redis, peers, boards, boardsWhole, members, observers, watched }: HealthReport): void {
  metrics.degradedBoards = degraded?.boards ?? 0;
  metrics.oldestUnansweredSeconds = redis.oldestUnansweredMs / 1000;
  metrics.peers = { up: 0, deaf: 0, suspect: 0, down: 0 };
  for (const { state } of peers) metrics.peers[state]++;
  metrics.boards = boards;
  metrics.boardsWhole = boardsWhole;
  metrics.members = { ...members };
  metrics.observers = observers;
  metrics.watched = watched;
}
