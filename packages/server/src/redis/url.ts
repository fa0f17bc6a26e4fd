/**
 * The one rule for Redis URLs: those of a single standalone server. Checks only the form; the start finds out whether Redis answers
 * there. A database number is allowed and means nothing, as pub/sub ignores it.
 */

/** undefined: not a URL of that form. */
export function redisUrlOf(text: string): URL | undefined {
  if (!URL.canParse(text) || /\s/.test(text)) return undefined;
  const url = new URL(text);
  const isStandalone = /^rediss?:$/.test(url.protocol) && /^[^,]+$/.test(url.hostname);
  // A path that is no database number names a Sentinel master.
  return isStandalone && /^\/?\d*$/.test(url.pathname) && url.port !== "0" && url.search === "" && url.hash === "" ? url : undefined;
}
