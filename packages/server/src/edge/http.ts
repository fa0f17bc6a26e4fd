/**
 * Plain HTTP on the WebSocket's port: health, metrics and our pages, as one route table. It only reads. Upgrades never
 * come here, and pages of other origins may read nothing here.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressOf } from "../address.ts";
import type { Mode } from "../bus/bus.ts";
import { type Page, pageRoutes, type Reply, type Route } from "./pages.ts";
import { isAt, pathOf } from "./paths.ts";
import { Turns } from "./turns.ts";

export type HealthReport = {
  /** `starting`: has not joined the bus yet. `degraded`: serves local people only, on all boards or on some. */
  readonly status: "starting" | "ok" | "degraded" | "draining";
  /** null: the instance is not degraded. Strangers may read this, so it says how many boards and why, but not which. */
  readonly degraded: {
    /** On all boards: no other instance is heard, or none hears this one. */
    readonly all: boolean;
    /** Boards on which other instances are not heard while the bus as a whole works. */
    readonly boards: number;
    readonly reason: string;
  } | null;
  readonly instanceId: string;
  readonly version: string;
  readonly uptimeMs: number;
  readonly redis: {
    /** `memory`: this instance is alone; people who connect to another one are not seen here. */
    readonly mode: Mode;
    /** As configured, without credentials. */
    readonly address: string;
    /** The servers that the links are connected to; null: to none. */
    readonly publisherAt: string | null;
    readonly subscriberAt: string | null;
    readonly publisher: "up" | "down";
    readonly subscriber: "up" | "down";
    /** Last round trip of an own message through pub/sub; null: none yet. */
    readonly echoMs: number | null;
    /** Age of the oldest publish without an answer; 0: none. */
    readonly oldestUnansweredMs: number;
  };
  readonly peers: readonly {
    readonly instanceId: string;
    /** `deaf`: this instance hears the peer, but the peer does not hear it. */
    readonly state: "up" | "deaf" | "suspect" | "down";
    readonly lastHeardMs: number;
  }[];
  readonly boards: number;
  /** Boards whose members are all connected here. */
  readonly boardsWhole: number;
  readonly members: { readonly own: number; readonly shown: number };
  /** Clients connected here that observe, summed over boards. */
  readonly observers: number;
  /** Boards that clients connected here watch without being on them. */
  readonly watched: number;
  readonly connections: number;
};

export type HttpDependencies = {
  report(): HealthReport;
  /** The state that must always be current: when it changes, a cached page is not used any more. Cheap to call. */
  state(): { readonly status: HealthReport["status"]; readonly links: string };
  /** Round trip of one PING in ms; rejects within 1 s if there is none. */
  healthCheck(): Promise<number>;
  readonly metrics: {
    readonly contentType: string;
    expose(): Promise<string>;
    eventLoopDelay(): { readonly p50: number; readonly p99: number };
  };
  /** The address that a request counts for: addresses take turns. */
  readonly addressOf: AddressOf;
  /** The instance that answers, for those who may see all: behind a load balancer each answer may be of another one. */
  readonly instanceId: string;
  /** Pages that are served here. */
  readonly pages?: readonly Page[];
  /** How much of this instance is shown to that request; not given: all to everybody. */
  readonly sightOf?: (request: IncomingMessage) => Sight;
  /** Answers requests below /admin/; undefined: nothing is there. */
  readonly admin?: HttpHandler | undefined;
};

/**
 * `all`: whoever asks may see peers, addresses and metrics. `brief`: that the instance is well, or not. `elsewhere`: no more than that
 * either, and no page of ours, since the request names a host that is not ours (hosts.ts).
 */
export type Sight = "all" | "brief" | "elsewhere";

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export function createHttpHandler(dependencies: HttpDependencies): HttpHandler {
  const { sightOf = () => "all" } = dependencies;
  const health = renderedOnce(healthRoute(dependencies), () => Object.values(dependencies.state()).join());
  const metrics = renderedOnce(async () => ({
    status: 200,
    type: dependencies.metrics.contentType,
    body: Buffer.from(await dependencies.metrics.expose()),
    headers: { ...UNCACHED, [INSTANCE_HEADER]: dependencies.instanceId },
  }));
  const routes = new Map<string, Route>([
    ["/livez", () => text(200, "ok\n")],
    ["/readyz", () => readiness(dependencies.state())],
    ["/health", (request) => (sightOf(request) === "all" ? health(request) : briefly(dependencies.state()))],
    ["/metrics", (request) => (sightOf(request) === "all" ? metrics(request) : HIDDEN)],
    ["/", () => text(200, WHAT_THIS_IS)],
    ["/ws", () => ({ ...text(426, "WebSockets connect here; see docs/PROTOCOL.md.\n"), headers: { ...UNCACHED, upgrade: "websocket" } })],
    ...pageRoutes(dependencies.pages ?? []).map(([path, route]): [string, Route] => [
      path,
      (request) => (sightOf(request) === "elsewhere" ? FOREIGN : route(request)),
    ]),
  ]);
  const turns = new Turns();
  /** The number of requests under way, for each socket that has any. */
  const pending = new WeakMap<object, number>();
  return (request, response) => {
    const { socket } = request;
    const waiting = (pending.get(socket) ?? 0) + 1;
    // Browsers and proxies mostly wait for an answer before they send the next request. A client that sends many ahead is cut off.
    if (waiting > PIPELINED_MAX) return void socket.destroy();
    pending.set(socket, waiting);
    response.once("close", () => pending.set(socket, (pending.get(socket) ?? 1) - 1));
    const replied = turns
      .of(dependencies.addressOf(socket.remoteAddress, request.headers["x-forwarded-for"]?.toString()))
      .then(() => (dependencies.admin !== undefined && pathOf(request.url).startsWith("/admin/") ? undefined : answer(routes, request)))
      .then((reply) => {
        if (reply === undefined) return dependencies.admin?.(request, response);
        // HEAD: Node leaves the body out and keeps its length.
        response.writeHead(reply.status, {
          "content-type": reply.type,
          "content-length": Buffer.byteLength(reply.body),
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "x-frame-options": "DENY",
          ...reply.headers,
        });
        response.end(reply.body);
      });
    replied.catch(() => {}); // the host that mounted this has answered already, or the client is gone
  };
}

async function answer(routes: ReadonlyMap<string, Route>, request: IncomingMessage): Promise<Reply> {
  const { method } = request;
  // Paths are looked up as they are and never resolved against a folder, so no path leads out of it.
  const path = pathOf(request.url);
  const route = routes.get(path) ?? probe(routes, path);
  // By default HAProxy checks health by OPTIONS of `/` or `*`: it wants to know whether to send people here.
  const isOptions = method === "OPTIONS";
  const asked = isOptions && (path === "/" || path === "*") ? routes.get("/readyz") : route;
  if (asked === undefined)
    return json(404, { error: "not_found", message: "There is nothing at this path. There are /, /health, /livez, /readyz and /metrics." });
  if (method !== "GET" && method !== "HEAD" && !isOptions) {
    return {
      ...json(405, { error: "method_not_allowed", message: "This path answers only GET, HEAD and OPTIONS." }),
      headers: { allow: METHODS },
    };
  }
  try {
    const reply = await asked(request);
    return isOptions ? { ...reply, body: "", headers: { ...UNCACHED, allow: METHODS } } : reply;
  } catch {
    return json(500, { error: "internal", message: "This page failed; the service goes on." });
  }
}

const METHODS = "GET, HEAD, OPTIONS";
/** Requests that a socket may send before the first of them is answered. */
const PIPELINED_MAX = 8;

/** The probes behind a proxy that leaves its prefix in the path. Other pages are not found there, as proxies close them to strangers by path. */
function probe(routes: ReadonlyMap<string, Route>, path: string): Route | undefined {
  const wanted = ["/livez", "/readyz"].find((one) => isAt(path, one));
  return wanted === undefined ? undefined : routes.get(wanted);
}

/** Anybody may ask for a page, so asking must not cost much: within this time all requests get the page that was rendered for the first. */
const RENDERED_MS = 1000;

/** `state`: a page that was rendered in another state is not used any more. */
function renderedOnce(render: () => Promise<Reply>, state: () => string = () => ""): Route {
  let last: { readonly at: number; readonly state: string; readonly reply: Promise<Reply> } | undefined;
  return async () => {
    const now = performance.now();
    const current = state();
    if (last === undefined || now - last.at >= RENDERED_MS || last.state !== current) {
      const reply = render();
      last = { at: now, state: current, reply };
      // A failure is not kept.
      reply.catch(() => {
        last = undefined;
      });
    }
    const { at, reply } = last;
    const { headers, ...rest } = await reply;
    return { ...rest, headers: { ...headers, "x-age-ms": String(Math.round(performance.now() - at)) } };
  };
}

const UNCACHED = { "cache-control": "no-store" };

/** Names the instance that answers: for the Inspector, whose requests a load balancer may spread. Strangers are not told. */
export const INSTANCE_HEADER = "x-presence-instance";

const WHAT_THIS_IS = `This is a presence service: it tells people on a board who else is there and where they point.
WebSockets connect to this same address. For people who run it: /health, /livez, /readyz, /metrics, and /inspector/ where it is on.
The demo page is not served here: it is switched off (DEMO), or not there. The npm package leaves it out; a checkout builds it on "npm start".
`;

const HIDDEN: Reply = {
  ...json(401, {
    error: "unauthorized",
    message: "This page is for those who run the service: on ADMIN_PORT, or with a token of ADMIN_TOKEN (Authorization: Bearer …).",
  }),
  headers: { ...UNCACHED, "www-authenticate": "Bearer" },
};

const FOREIGN: Reply = text(
  421,
  "This page is not shown under this name. Open it by localhost or an IP address, or put its origin into ALLOWED_ORIGINS.\n",
);

function text(status: number, body: string): Reply {
  return { status, type: "text/plain; charset=utf-8", body, headers: UNCACHED };
}

function json(status: number, value: unknown): Reply {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value, null, 2)}\n`, headers: UNCACHED };
}

/** A degraded instance is ready: its people still see each other, and sending them elsewhere would not bring Redis back. */
function readiness({ status }: Pick<HealthReport, "status">): Reply {
  return text(isServing(status) ? 200 : 503, `${status}\n`);
}

/** A stranger may know whether to come here. */
function briefly({ status }: Pick<HealthReport, "status">): Reply {
  const isReady = isServing(status);
  return json(isReady ? 200 : 503, { status, ready: isReady, degraded: status === "degraded" });
}

function isServing(status: HealthReport["status"]): boolean {
  return status === "ok" || status === "degraded";
}

/** Anybody may ask for /health, and that must not flood Redis: one PING per second serves all requests. */
const PING_REUSED_MS = 1000;

/** Peers listed on /health, which strangers may see; those in trouble come first. All peers are counted. */
const PEERS_SHOWN_MAX = 32;

function healthRoute(dependencies: HttpDependencies): () => Promise<Reply> {
  let pingedAt = Number.NEGATIVE_INFINITY;
  let ping: ReturnType<typeof pinged> | undefined;
  return async () => {
    if (ping === undefined || performance.now() - pingedAt > PING_REUSED_MS) {
      pingedAt = performance.now();
      ping = pinged(dependencies.healthCheck());
    }
    const pingResult = await ping;
    const report = dependencies.report();
    const { p50, p99 } = dependencies.metrics.eventLoopDelay();
    const states = { up: 0, deaf: 0, suspect: 0, down: 0 };
    for (const { state } of report.peers) states[state]++;
    const byTrouble =
      report.peers.length <= PEERS_SHOWN_MAX ? report.peers : report.peers.toSorted((a, b) => TROUBLE[b.state] - TROUBLE[a.state]);
    const reply = json(isServing(report.status) ? 200 : 503, {
      ...report,
      peers: byTrouble.slice(0, PEERS_SHOWN_MAX).map((peer) => ({ ...peer, lastHeardMs: Math.round(peer.lastHeardMs) })),
      peersByState: states,
      redis: { ...report.redis, ...pingResult },
      eventLoop: { delayP50Ms: rounded(p50 * 1000), delayP99Ms: rounded(p99 * 1000) },
    });
    return { ...reply, body: Buffer.from(reply.body), headers: { ...UNCACHED, [INSTANCE_HEADER]: dependencies.instanceId } };
  };
}

const TROUBLE = { up: 0, deaf: 1, suspect: 2, down: 3 };

async function pinged(answer: Promise<number>): Promise<{ pingMs: number | null; pingError?: string }> {
  try {
    return { pingMs: rounded(await answer) };
  } catch (error) {
    return { pingMs: null, pingError: error instanceof Error ? error.message : String(error) };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
