/** The address of the service that a page talks to: never another one than the page's own, so that no link can lead people to a stranger's. */

/** `asked`: another path on the same host, or nothing. An address elsewhere is ignored. */
export function serverUrl(asked: string | null, page: string): string {
  const own = new URL("./", page);
  const url = asked !== null && URL.canParse(asked, own) ? new URL(asked, own) : own;
  const chosen = url.host === own.host && /^(?:https?|wss?):$/.test(url.protocol) ? url : own;
  return `${own.protocol === "https:" ? "wss" : "ws"}://${own.host}${chosen.pathname}`;
}
