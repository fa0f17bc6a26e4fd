/** The worker of the bots: as many as are wanted, started a few at a time. Each is a real client with a WebSocket of its own. */

import { Bot } from "./bot.ts";
import type { BotsHere, BotsWanted } from "./bots.ts";

/** One bot is started in each, and all of them move: as often as a hand is told. */
const STEP_MS = 40;
/** No bot is started while so many are connecting, so that a service that refuses them is not asked for all at once. */
const CONNECTING_MAX = 10;

const FULL = "the service lets in no more (CONNECTIONS_PER_ADDRESS)";

const bots: Bot[] = [];
let wanted: BotsWanted | undefined;
let told = "";

addEventListener("message", ({ data }: MessageEvent<BotsWanted>) => {
  wanted = data;
  // Those who came last leave first.
  for (const bot of bots.splice(data.count)) bot.leave();
});

setInterval(() => {
  if (wanted === undefined) return;
  const connecting = bots.filter(({ isHere }) => !isHere).length;
  if (bots.length < wanted.count && connecting < CONNECTING_MAX) bots.push(new Bot(bots.length, wanted));
  const now = performance.now();
  for (const bot of bots) bot.step(now);
  const count = bots.filter(({ isHere }) => isHere).length;
  const problem = bots.find((bot) => bot.problem !== undefined)?.problem;
  // A browser does not tell why a WebSocket was refused. Where others are let in, the service can be reached.
  const isFull = problem?.code === "unreachable" && count > 0;
  tell({ count, problem: isFull ? FULL : (problem?.message ?? "") });
}, STEP_MS);

function tell(here: BotsHere): void {
  const words = JSON.stringify(here);
  if (words === told) return;
  told = words;
  postMessage(here);
}
