/**
 * Answers requests of those who run the service: who calls, whether they may, whether what they say has the right form, and then the call
 * itself. Of the pages of a browser only our own may call, the Inspector. It does not know what a call does: calls-*.ts do.
 */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import type { AddressOf } from "../address.ts";
import { busy } from "../compilers.ts";
import type { HostRule } from "../edge/hosts.ts";
import { INSTANCE_HEADER } from "../edge/http.ts";
import { pathOf, queryOf } from "../edge/paths.ts";
import { PresenceError } from "../errors.ts";
import { originRule } from "../origins.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import type { Call, Caller } from "./call.ts";
import { openApiOf } from "./openapi.ts";
import { Problem } from "./problem.ts";
import { type AdminTokens, bearerIn } from "./tokens.ts";

/** The rights of a user's token on boards; undefined: it is no token of ours. `issuedAt`, in milliseconds since 1970, as of `authenticate`. */
export type Administer = (
  token: string,
) => Promise<{ readonly userId: string; readonly issuedAt?: number | undefined; mayAdminister(boardId: string): boolean } | undefined>;

export type ApiOptions = {
  readonly instanceId: string;
  readonly calls: readonly Call[];
  readonly tokens: AdminTokens;
  /** Whoever reaches this listener may call: it is on loopback, and there is no token. */
  readonly isTrusted: boolean;
  readonly administer: Administer | undefined;
  /** The tokens of that user count no more. */
  readonly isVoid: (userId: string, issuedAt: number | undefined) => boolean;
  readonly isOwnHost: HostRule;
  readonly addressOf: AddressOf;
  readonly log: Logger;
};

const PREFIX = "/admin/v1";
/** The largest state and more. */
const BODY_BYTES_MAX = 16_384;
const LOG_EVERY_MS = 10_000;
/** Never logged: people wrote these. */
const CONTENT = new Set(["state", "text", "data", "username", "area", "avatar"]);

export function createApi(options: ApiOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { calls, log, addressOf } = options;
  const document = openApiOf(calls);
  const warn = rateLimited(log.warn.bind(log), LOG_EVERY_MS);

  const answer = async (request: IncomingMessage): Promise<{ status: number; body?: unknown }> => {
    const { method = "GET", headers } = request;
    const path = pathOf(request.url);
    if (isForeignPage(headers)) throw new Problem("forbidden", "Pages may not call the admin API, except the Inspector of this service.");
    const caller = await callerOf(options, request);
    if (caller === undefined) {
      warn(
        { address: addressOf(request.socket.remoteAddress, headers["x-forwarded-for"]?.toString()) },
        "a call of the admin API without a right token",
      );
      throw new Problem("unauthorized", "Send a token of ADMIN_TOKEN: Authorization: Bearer …", { "www-authenticate": "Bearer" });
    }
    if (path === `${PREFIX}/openapi.json` && method === "GET") return { status: 200, body: document };
    const { call, params } = find(calls, method, path.startsWith(`${PREFIX}/`) ? path.slice(PREFIX.length) : "");
    const said = {
      params: formed(call.params, params, "path"),
      query: formed(call.query, Object.fromEntries(queryOf(request.url)), "query"),
      body: call.body === undefined ? undefined : formed(call.body, await bodyOf(request), "body"),
    };
    const boardId = boardIn(said.params) ?? boardIn(said.body);
    if (!caller.isOperator && (call.right === "operator" || boardId === undefined || !caller.mayAdminister(boardId)))
      throw new Problem(
        "forbidden",
        call.right === "operator" ? "Only a token of ADMIN_TOKEN may do this." : "The token has no right admin on this board.",
      );
    if (call.isAction) {
      const { address, ...fields } = {
        address: addressOf(request.socket.remoteAddress, headers["x-forwarded-for"]?.toString()),
        ...harmless(said.params),
        ...harmless(said.query),
        ...harmless(said.body),
      };
      log.info({ by: caller.name, address, call: call.id, ...fields }, "an operator acts");
    }
    // A program may move an agent as often as people move.
    if (method !== "GET") busy();
    return call.act({ ...said, caller } as Parameters<Call["act"]>[0]);
  };

  return (request, response) => {
    answer(request)
      .then(({ status, body }) => send(response, status, "application/json", body, { [INSTANCE_HEADER]: options.instanceId }))
      .catch((error: unknown) => {
        const problem = problemOf(error);
        if (problem.problem === "internal") log.error({ err: error }, "a call of the admin API failed; the service goes on");
        send(response, problem.status, "application/problem+json", problem, problem.headers);
      })
      // The caller has gone.
      .catch(() => {});
  };
}

const isOfSameHost = originRule(undefined);

/**
 * A browser names the origin of a page with every call that could change something. It also says whether that is the origin of the address
 * that is called, as the page sees it; so a proxy may rewrite `Host`. Browsers leave that out where there is no TLS, except on this machine.
 */
function isForeignPage(headers: IncomingHttpHeaders): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  return origin !== undefined && (site === undefined ? !isOfSameHost(headers) : site !== "same-origin");
}

async function callerOf(
  { tokens, isTrusted, administer, isVoid, isOwnHost }: ApiOptions,
  { headers }: IncomingMessage,
): Promise<Caller | undefined> {
  const name = tokens.nameIn(headers.authorization);
  if (name !== undefined) return { name, isOperator: true, mayAdminister: () => true };
  const token = bearerIn(headers.authorization);
  const user = token === undefined ? undefined : await administer?.(token);
  if (user !== undefined && isVoid(user.userId, user.issuedAt)) return undefined;
  if (user !== undefined)
    return { name: `user ${user.userId}`, isOperator: false, mayAdminister: (boardId) => user.mayAdminister(boardId) };
  if (!isTrusted || token !== undefined) return undefined;
  if (!isOwnHost(headers.host)) throw new Problem("wrong_host", "Call it by localhost or an IP address.");
  return { name: "loopback", isOperator: true, mayAdminister: () => true };
}

function find(calls: readonly Call[], method: string, path: string): { call: Call; params: Record<string, string> } {
  const parts = path.split("/");
  const allowed: string[] = [];
  for (const call of calls) {
    const wanted = call.path.split("/");
    if (wanted.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const isFit = wanted.every((part, at) => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      const given = parts[at] ?? "";
      if (name === undefined) return part === given;
      params[name] = decoded(given);
      return given !== "";
    });
    if (!isFit) continue;
    if (call.method === method) return { call, params };
    allowed.push(call.method);
  }
  if (allowed.length > 0) throw new Problem("method_not_allowed", `This path has ${allowed.join(", ")}.`, { allow: allowed.join(", ") });
  throw new Problem("not_found", `There is no such call; see ${PREFIX}/openapi.json.`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Problem("bad_request", "The path is not percent-encoded as it should be.");
  }
}

function formed(form: z.ZodType, value: unknown, place: string): unknown {
  const parsed = form.safeParse(value);
  if (parsed.success) return parsed.data;
  const told = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${[place, ...path].join(".")}: ${message}`);
  throw new Problem("bad_request", told.join("; "));
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const type = request.headers["content-type"] ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type)) throw new Problem("wrong_type", "Send JSON, with Content-Type: application/json.");
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Problem("too_large", `A body may have ${BODY_BYTES_MAX} bytes.`, { connection: "close" });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Problem("bad_request", "The body is not JSON.");
  }
}

function boardIn(said: unknown): string | undefined {
  const { boardId } = (said ?? {}) as { readonly boardId?: unknown };
  return typeof boardId === "string" ? boardId : undefined;
}

/** The ids and numbers that were said, for the log. */
function harmless(said: unknown): object {
  return Object.fromEntries(Object.entries((said ?? {}) as object).filter(([name]) => !CONTENT.has(name)));
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof PresenceError)
    return new Problem("unavailable", "The bus did not take it, so perhaps only this instance knows. Call again.", { "retry-after": "1" });
  return new Problem("internal", "The service goes on; its log has the cause.");
}

function send(response: ServerResponse, status: number, type: string, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const text = body === undefined ? "" : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    ...(body === undefined ? {} : { "content-type": `${type}; charset=utf-8` }),
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    ...headers,
  });
  response.end(text);
}
