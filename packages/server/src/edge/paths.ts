/** Paths of requests in one form, so that a proxy that adds a slash, a prefix or the whole address changes nothing. */

/** The path without query, scheme and host (RFC 9112, 3.2.2) and the slash at its end. It is not resolved: `..` and `%2e` stay as they are. */
export function pathOf(target = "/"): string {
  const [path = ""] = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  return path.replace(/(?<=[^/])\/$/, "") || "/";
}

/** Whether the path ends with a slash. */
export function isSlashed(target = "/"): boolean {
  return (target.split(/[?#]/, 1)[0] ?? "").endsWith("/");
}

export function queryOf(target = "/"): URLSearchParams {
  const at = target.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : target.slice(at + 1));
}

/** Whether the path is `wanted`, or `wanted` below any prefix that a proxy has left in the path: `/app/ws` for `/ws`. */
export function isAt(path: string, wanted: string): boolean {
  return path === wanted || (wanted !== "/" && path.startsWith("/") && path.endsWith(wanted));
}
