/** What the page can learn from the service's own `/health`, when it comes from the same origin. */

export type ServiceInfo = {
  /** It runs on memory: there are no other instances for it. */
  readonly isAlone: boolean;
  /** Itself and the others it hears. */
  readonly instances: number;
};

const ASK_EVERY_MS = 10_000;

/** Tells at once and then every 10 s while the page is visible; says nothing while there is no answer. */
export function watchService(tell: (info: ServiceInfo) => void): void {
  const ask = async () => {
    if (document.hidden) return;
    const info = await askHealth();
    if (info !== undefined) tell(info);
  };
  void ask();
  setInterval(() => void ask(), ASK_EVERY_MS);
  document.addEventListener("visibilitychange", () => void ask());
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
