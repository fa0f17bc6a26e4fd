/**
 * Keeps credentials, and characters that move a terminal's cursor, out of logs, errors and health pages. It works on text, so
 * that it also catches those that a driver or a proxy put into its own message.
 */

/** Schemes that are shown. Any other text before a `:` may be a user name or a password. */
const SCHEMES = /^(?:rediss?|rediss?-(?:sentinel|cluster)|valkeys?|unix|https?|wss?|memory):(?:\/\/)?/i;

/**
 * The address in a URL: scheme, hosts, ports, and database number or master. Only parts that certainly are one of these are kept; user, password,
 * path, query, fragment, and all parts that are in doubt become `***`.
 */
export function redactUrl(text: string): string {
  if (text === "memory:" || /^[a-z0-9.-]{1,255}:\d{1,5}$/i.test(text)) return text;
  const scheme = SCHEMES.exec(text)?.[0] ?? "";
  const rest = text.slice(scheme.length);
  // The last @ counts: a password with an @ or a slash in it is malformed, but still a password.
  const at = rest.lastIndexOf("@");
  const [, hosts = "", more = ""] = /^([^/?#]*)(.*)$/s.exec(rest.slice(at + 1)) ?? [];
  const places = hosts.split(",").map((text) => /^(\[[0-9a-f:.%]*\]|[a-z0-9._-]*)(:.*)?$/is.exec(text) ?? []);
  // `user:password` without a host looks like a host with a strange port.
  const isPlace = ([, host, port = ""]: (typeof places)[number]) => host !== undefined && (at >= 0 || /^(?::\d+)?$/.test(port));
  if (!scheme.endsWith("//") || !places.every(isPlace) || /[?#].*@/s.test(rest)) return `${scheme}***`;
  const shown = places.map(([, host = "", port = ""]) => `${host}${/^(?::(?:\d{1,5}|.{0,4}))?$/s.test(port) ? port : ":***"}`);
  // In these forms it is the name of a master (REDIS_URL), which is no secret.
  const isOfSentinels = /-sentinel:/i.test(scheme) || /^[^,]*:26379$/.test(hosts);
  const shownMore = (isOfSentinels ? /^\/[a-z0-9._-]{0,64}$/i : /^(?:\/\d{0,3})?$/).test(more)
    ? more
    : `${more.charAt(0).replace(/[^/?#]/, "")}***`;
  return `${scheme}${at >= 0 ? "***@" : ""}${shown.join()}${shownMore}`;
}

/**
 * Redacts URLs and tokens in a text. The forms of a URL, as our own sentences name them, hold no secret and are left as they are, and so is a
 * comma or a full stop after a URL.
 */
export function redactText(text: string): string {
  return text
    .replace(
      /(?!redis:\/\/\[user:password@\]host|redis(?:-sentinel)?:\/\/(?:sentinel-host:26379|host,host)\/mymaster)\b(?:rediss?|rediss?-(?:sentinel|cluster)|valkeys?):\/\/[^\s"'<>\\]*[^\s"'<>\\.,]/gi,
      redactUrl,
    )
    .replace(/(?!redis:\/\/\[user:password@\]host)(\b[a-z][a-z0-9+.-]*:\/\/)[^\s"'<>\\]*@/gi, "$1***@")
    .replace(/([?&](?:access_|resume_)?(?:token|password|secret)=)[^\s&"']*/gi, "$1***");
}

/** Redacts these secrets in a text as well, as they are or as JSON and `inspect` write them. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  const known = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]).filter((secret) => secret !== "");
  // The longest secret is replaced first, as one may be part of another.
  return redactText(known.sort((a, b) => b.length - a.length).reduce((shown, secret) => shown.replaceAll(secret, "***"), text));
}

/** C0 and C1 controls, DEL, line separators and the marks that turn the direction of text: a log line stays one line and reads as it was written. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

export function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
