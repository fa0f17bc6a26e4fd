/** Repeats something while the page can be seen. One run ends before the next one begins. */

/** Returns a function that runs it at once. */
export function repeat(everyMs: number, run: () => Promise<void>): () => void {
  let isRunning = false;
  let isWanted = false;
  const once = async () => {
    isWanted = isRunning;
    if (isRunning) return;
    isRunning = true;
    try {
      await run();
    } finally {
      isRunning = false;
    }
    if (isWanted) await once();
  };
  const ifSeen = () => {
    if (!document.hidden && !isRunning) void once();
  };
  setInterval(ifSeen, everyMs);
  document.addEventListener("visibilitychange", ifSeen);
  ifSeen();
  return () => void once();
}
