/**
 * A board with very many members, `npm run big-board -w packages/bench`: what it costs in a browser. Options:
 *
 *   --members N    on the board                       (10000)
 *   --movers N     of them move                       (500)
 *   --moves N      moves per second of each           (20)
 *   --seconds N    measured time of each phase        (8)
 *   --parts P      react or sdk                       (react)
 *   --profile      prints the functions in which the page spends its time
 */

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Cluster } from "../cluster.ts";
import { numberOf } from "../options.ts";
import { fixed, table } from "../report.ts";
import { Chrome, type Phase } from "./browser.ts";
import { Guest, gather, noneLost } from "./guest.ts";

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "10000" },
    movers: { type: "string", default: "500" },
    moves: { type: "string", default: "20" },
    seconds: { type: "string", default: "8" },
    parts: { type: "string", default: "react" },
    profile: { type: "boolean" },
  },
});
const members = numberOf("members", values.members);
const movers = numberOf("movers", values.movers);
const moves = numberOf("moves", values.moves);
const seconds = numberOf("seconds", values.seconds);
const parts = values.parts === "sdk" ? "sdk" : "react";

process.env["TRUSTED_PROXIES"] = "127.0.0.1";
const cluster = await Cluster.start(1);
const chrome = await Chrome.launch(!values.profile);
try {
  // They see no cursors: the page is measured, and not what ten thousand others are sent.
  const guests = Array.from({ length: members }, (_, nth) => new Guest(nth, { look: ["elsewhere"] }));
  const [{ port } = { port: 0 }] = cluster.instances;
  await gather(guests, [port]);
  await wait(2000);
  const viewer = await chrome.open(`ws://127.0.0.1:${port}/`, parts, members);
  console.log(`whole after ${fixed(await viewer.whole(), 0)} ms`);
  await wait(1000);
  const phases: Phase[] = [await viewer.measure("rest", seconds)];
  const stop = walk(guests.slice(0, movers), moves);
  await wait(2000);
  phases.push(await viewer.measure("moves", seconds));
  if (values.profile)
    console.log(
      (await viewer.profile(seconds))
        .slice(0, 40)
        .map(([name, ms]) => `${fixed(ms, 1)} ${name}`)
        .join("\n"),
    );
  stop();
  await wait(1000);
  noneLost(guests);
  const back = visit(members, port);
  phases.push(await viewer.measure("visits", seconds));
  if (values.profile)
    console.log(
      (await viewer.profile(seconds))
        .slice(0, 20)
        .map(([name, ms]) => `${fixed(ms, 1)} ${name}`)
        .join("\n"),
    );
  await back();
  const some = comeAndGo(guests.slice(0, 200), port);
  phases.push(await viewer.measure("comings and goings", seconds));
  if (values.profile)
    console.log(
      (await viewer.profile(seconds))
        .slice(0, 30)
        .map(([name, ms]) => `${fixed(ms, 1)} ${name}`)
        .join("\n"),
    );
  await some();
  const titles = Object.keys(phases[0] ?? {});
  console.log(
    table(
      titles,
      phases.map((phase) => Object.values(phase).map((value) => (typeof value === "number" ? fixed(value, 1) : value))),
    ),
  );
  if (viewer.problems.length > 0) console.log(viewer.problems.slice(0, 10));
} finally {
  await chrome.close();
  cluster.stop();
}

function walk(guests: readonly Guest[], movesPerSecond: number): () => void {
  let due = 0;
  let next = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    due += ((now - lastAt) / 1000) * movesPerSecond * guests.length;
    lastAt = now;
    for (; due >= 1; due--) {
      const nth = next++ % guests.length;
      const turn = now / 1000 + nth;
      guests[nth]?.move(
        Math.round(32768 + 30000 * Math.cos(turn) * ((nth % 10) / 10)),
        Math.round(32768 + 30000 * Math.sin(turn) * ((nth % 7) / 7)),
      );
    }
  }, 2);
  return () => clearInterval(timer);
}

/** Newcomers whom nobody is introduced to come and leave, 20 a second of each. */
function visit(first: number, port: number): () => Promise<void> {
  let nth = first;
  let isOver = false;
  const over = (async () => {
    while (!isOver) {
      const guest = new Guest(nth++, { look: ["elsewhere"] });
      await guest.enter(port);
      await wait(25);
      guest.leave();
      await wait(25);
      guest.drop();
    }
  })();
  return () => {
    isOver = true;
    return over;
  };
}

/** Members whom everybody was introduced to leave, and come again. */
function comeAndGo(guests: readonly Guest[], port: number): () => Promise<void> {
  let nth = 0;
  let isOver = false;
  const over = (async () => {
    while (!isOver) {
      const guest = guests[nth++ % guests.length];
      guest?.leave();
      await wait(25);
      guest?.drop();
      await guest?.enter(port);
      await wait(25);
    }
  })();
  return () => {
    isOver = true;
    return over;
  };
}
