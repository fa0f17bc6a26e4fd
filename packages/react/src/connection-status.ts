/** Says what is wrong with the connection, and nothing while nothing is. */

import type { PresenceStatus } from "@presence-service/client";
import { type CSSProperties, createElement, type ReactElement, type ReactNode, useEffect, useState } from "react";
import { useStatus } from "./hooks.ts";

const WORDS: Record<PresenceStatus, string> = {
  connecting: "Connecting…",
  connected: "",
  degraded: "Some people may be missing",
  reconnecting: "Connection lost. Trying again…",
  closed: "Not connected",
};
/** Most lost connections are back by then, and nobody needs to be told. */
const DELAY_MS = 5_000;

export type ConnectionStatusProps = {
  /** Texts of your own, as in another language; empty: nothing is said. */
  readonly words?: Partial<Record<PresenceStatus, string>> | undefined;
  /** A problem is told after so many milliseconds (5 000); `closed` at once. */
  readonly delayMs?: number | undefined;
  /** Draws it; `text` is empty while there is nothing to say. */
  readonly children?: ((status: PresenceStatus, text: string) => ReactNode) | undefined;
  readonly className?: string | undefined;
  readonly style?: CSSProperties | undefined;
};

/**
 * Says what is wrong with the connection, once it lasts, and nothing while nothing is. A polite live region: a screen reader says it when it has time.
 * It is always there, since one that appears with its text is not read.
 */
export function ConnectionStatus({ words, delayMs = DELAY_MS, children, className, style }: ConnectionStatusProps): ReactElement {
  const status = useLasting(useStatus(), delayMs);
  const text = words?.[status] ?? WORDS[status];
  return createElement(
    "div",
    { role: "status", className: className ?? "presence-status", "data-status": status, style },
    children ? children(status, text) : text,
  );
}

/** The status once it has lasted; a good one and the last one count at once. */
function useLasting(status: PresenceStatus, delayMs: number): PresenceStatus {
  const [told, setTold] = useState<PresenceStatus>("connected");
  const isAtOnce = status === "connected" || status === "closed" || delayMs <= 0;
  useEffect(() => {
    if (isAtOnce) return setTold(status);
    const timer = setTimeout(() => setTold(status), delayMs);
    return () => clearTimeout(timer);
  }, [status, isAtOnce, delayMs]);
  return isAtOnce ? status : told;
}
