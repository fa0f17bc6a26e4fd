/**
 * Our own pages, as Vite has built them: the demo and the Inspector. Their files are served from memory, under a content security policy that lets
 * them load nothing from elsewhere. It knows nothing of what is on them.
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { isSlashed } from "./paths.ts";

export type Reply = {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly headers?: Record<string, string>;
};
export type Route = (request: IncomingMessage) => Reply | Promise<Reply>;

/** `at`: `/`, or the path of a folder without the slash at its end. The first of `folders` that has been built is served; if none has, nothing is. */
export type Page = { readonly at: string; readonly folders: readonly URL[] };

export const DEMO: Page = { at: "/", folders: [new URL("../../../demo/dist/", import.meta.url)] };
/** A built server has it in its own folder, so that it comes with the package. */
export const INSPECTOR: Page = {
  at: "/inspector",
  folders: [new URL("../inspector/", import.meta.url), new URL("../../../inspector/dist/", import.meta.url)],
};

export function isBuilt({ folders }: Page): boolean {
  return folders.some((folder) => existsSync(new URL("index.html", folder)));
}

export function pageRoutes(pages: readonly Page[]): [string, Route][] {
  return pages.flatMap(({ at, folders }) => {
    const files = folders.map(fileRoutes).find((routes) => routes.length > 0) ?? [];
    const below = at === "/" ? "" : at;
    const index = files.find(([name]) => name === "index.html")?.[1];
    const routes = files.map(([name, route]): [string, Route] => [`${below}/${name}`, route]);
    return index === undefined ? routes : [...routes, [at, at === "/" ? index : slashed(at, index)]];
  });
}

/** A page in a folder names its files relative to it, so that it works behind a proxy that adds a prefix: hence its address ends with a slash. */
function slashed(at: string, index: Route): Route {
  const location = `${at.slice(at.lastIndexOf("/") + 1)}/`;
  const redirect = { status: 308, type: "text/plain; charset=utf-8", body: "", headers: { location, "cache-control": "no-cache" } };
  return (request) => (isSlashed(request.url) ? index(request) : redirect);
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** All files of the page come from this server, and its WebSockets go there. No other page may hold it in a frame. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; connect-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/** Routes of the files in a folder, which are few and small: read once, served from memory. None if the folder does not exist. */
function fileRoutes(folder: URL): [string, Route][] {
  const root = fileURLToPath(folder);
  let files: string[];
  try {
    const entries = readdirSync(root, { recursive: true, withFileTypes: true });
    files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
  return files.map((file): [string, Route] => {
    const name = relative(root, file).replaceAll(sep, "/");
    return [name, fileRoute(name, readFileSync(file))];
  });
}

function fileRoute(name: string, body: Buffer): Route {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  const headers = {
    etag,
    // Names under assets/ contain a hash of the content; the page that names them is always asked for anew.
    "cache-control": name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
  };
  const type = TYPES[extname(name)] ?? "application/octet-stream";
  return (request) =>
    request.headers["if-none-match"] === etag ? { status: 304, type, body: "", headers } : { status: 200, type, body, headers };
}
