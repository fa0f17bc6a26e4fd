/** Paths of requests in one form, so that a proxy that adds a slash, a prefix or the whole address changes nothing. */

/** Without query, scheme and host (RFC 9112, 3.2.2) and the slash at its end; never resolved: `..` and `%2e` stay what they are. */
export function pathOf(target = "/"): string {
  const [path = ""] = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  return path.replace(/(?<=[^/])\/$/, "") || "/";
}

export function queryOf(target = "/"): URLSearchParams {
  const at = target.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : target.slice(at + 1));
}

/** The path itself or below any prefix, as a proxy passes it on that takes none away: `/app/ws` for `/ws`. */
export function isAt(path: string, wanted: string): boolean {
  return path === wanted || (wanted !== "/" && path.startsWith("/") && path.endsWith(wanted));
}
