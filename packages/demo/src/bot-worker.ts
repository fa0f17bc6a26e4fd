/** The worker of the bots: as many as are wanted, one after the other. Each is a real client with a WebSocket of its own. */

import { Bot } from "./bot.ts";
import type { BotsHere, BotsWanted } from "./bots.ts";

/** All of them move as often as a hand is told. */
const STEP_MS = 50;

const FULL = "the service lets in no more (CONNECTIONS_PER_ADDRESS)";

const SILENT = "nothing answers there. They come back by themselves.";

const bots: Bot[] = [];
let wanted: BotsWanted | undefined;
let told = "";

addEventListener("message", ({ data }: MessageEvent<BotsWanted>) => {
  wanted = data;
  // Those who came last leave first.
  for (const bot of bots.splice(data.count).reverse()) bot.leave();
});

setInterval(() => {
  if (wanted === undefined) return;
  // One comes after the other. So they have one order for all viewers, and a service that refuses one is not asked for all of them.
  if (bots.length < wanted.count && bots.every(({ isHere }) => isHere)) bots.push(new Bot(bots.length, wanted));
  const now = performance.now();
  for (const bot of bots) bot.step(now);
  const count = bots.filter(({ isHere }) => isHere).length;
  const problem = bots.find((bot) => bot.problem !== undefined)?.problem;
  // A browser does not tell why a WebSocket was refused. Where others are let in, the service can be reached.
  const isUnreachable = problem?.code === "unreachable";
  tell({ count, problem: isUnreachable ? (count > 0 ? FULL : SILENT) : (problem?.message ?? "") });
}, STEP_MS);

function tell(here: BotsHere): void {
  const words = JSON.stringify(here);
  if (words === told) return;
  told = words;
  postMessage(here);
}
