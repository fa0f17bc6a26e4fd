/** What the page can learn from the service's own `/health`, when it comes from the same origin. */

export type ServiceInfo = {
  /** It runs on memory: there are no other instances for it. */
  readonly isAlone: boolean;
  /** Itself and the others it hears. */
  readonly instances: number;
};

const ASK_EVERY_MS = 10_000;
/** An instance lists another one from its second heartbeat on, that is within a second. */
const PEERS_LISTED_MS = 1500;

/**
 * Tells at once and then every 10 s while the page is visible and online; says nothing while there is no answer. Returns what to call
 * when another instance serves the page: it asks again as soon as that one knows the others.
 */
export function watchService(tell: (info: ServiceInfo) => void): () => void {
  const ask = async () => {
    if (document.hidden || !navigator.onLine) return;
    const info = await askHealth();
    if (info !== undefined) tell(info);
  };
  void ask();
  setInterval(() => void ask(), ASK_EVERY_MS);
  document.addEventListener("visibilitychange", () => void ask());
  return () => void setTimeout(() => void ask(), PEERS_LISTED_MS);
}

async function askHealth(): Promise<ServiceInfo | undefined> {
  try {
    const response = await fetch("health", { cache: "no-store" });
    const { redis, peers } = await response.json();
    return { isAlone: redis.mode === "memory", instances: 1 + peers.filter((peer: { state: string }) => peer.state === "up").length };
  } catch {
    return undefined;
  }
}
