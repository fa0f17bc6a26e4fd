/** The parameters that the SDK adds to the address of the service. */

/** A fragment, which a WebSocket's address must not have, is left for the runtime to complain about. */
export function withQuery(url: string, name: string, value: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}${name}=${value}`;
}

/** FNV-1a, of 32 bits. A load balancer needs no more, and the name of a board is not to be read in its log. */
export function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
