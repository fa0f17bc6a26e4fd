/** Reads the service's `/health`, where that tells more than whether the instance is well. */

export type ServiceInfo = {
  /** It runs in memory, so it cannot have other instances. */
  readonly isAlone: boolean;
  /** Itself and the others it hears. */
  readonly instances: number;
};

const ASK_EVERY_MS = 10_000;
/** An instance lists another one from its second heartbeat on, that is within a second. */
const PEERS_LISTED_MS = 1500;

/**
 * Calls `tell` at once and then every 10 s while the page is visible and online; not while there is no answer. Returns a function to call
 * when another instance serves the page: it asks again as soon as that instance knows the others.
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
