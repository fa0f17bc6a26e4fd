/** A page on a big board, measured while nobody does anything, while people move, and while people come and go. One instance serves it. */

import { setTimeout as wait } from "node:timers/promises";
import { ROSTER_MAX } from "@presence-service/protocol";
import { Cluster } from "../cluster.ts";
import { fixed } from "../report.ts";
import { Chrome, type Phase, type Viewer } from "./browser.ts";
import { Guest } from "./guest.ts";
import { fill } from "./service.ts";
import { walk } from "./walk.ts";

export type PageLoad = {
  readonly movers: number;
  readonly moves: number;
  readonly seconds: number;
  readonly parts: "react" | "sdk";
  readonly profile: boolean;
};

const TITLES = [
  "members",
  "load",
  "frames/s",
  "ms between frames: p50, p99, max",
  "long tasks, longest",
  "CPU of the main thread, ms/s: script, style and layout, all",
  "ms of it a frame",
  "moves/s told",
  "changes told",
  "heap MB",
  "DOM nodes",
];
const PROFILED = 25;
const PAUSE_MS = 25;
const BACK_WITHIN_MS = 2000;

/** Titles and cells of a row for each phase. */
export async function pageOf(members: number, load: PageLoad): Promise<(readonly [titles: readonly string[], row: readonly string[]])[]> {
  const { movers, moves, seconds, parts, profile } = load;
  const cluster = await Cluster.start(1);
  const chrome = await Chrome.launch(!profile);
  const rows: (readonly [readonly string[], readonly string[]])[] = [];
  try {
    const port = cluster.instances[0]?.port ?? 0;
    // They see no cursors: the page is measured, and not what all others are sent.
    const newGuest = (nth: number) => new Guest(nth, { look: ["elsewhere"] });
    const guests = await fill(members, [port], newGuest);
    const viewer = await chrome.open(`ws://127.0.0.1:${port}/`, parts, members);
    const wholeMs = await viewer.whole();
    const add = async (name: string) => {
      rows.push([TITLES, rowOf(members, await viewer.measure(name, seconds))]);
      if (profile) await printProfile(viewer, name, seconds);
    };
    await wait(1000);
    await add(`nothing (roster after ${fixed(wholeMs, 0)} ms)`);
    const walked = walk(guests.slice(0, movers), moves);
    await wait(2000);
    await add(`${movers} move`);
    walked.stop();
    await wait(1000);
    let nth = members;
    await during(
      async () => {
        const guest = newGuest(nth++);
        await guest.enter(port);
        await wait(PAUSE_MS);
        guest.leave();
        await wait(PAUSE_MS);
        guest.drop();
      },
      () => add("others than those listed come and go"),
    );
    await during(
      async () => {
        const guest = guests[nth++ % Math.min(ROSTER_MAX, members)];
        guest?.leave();
        await wait(PAUSE_MS);
        guest?.drop();
        await guest?.enter(port);
        await wait(PAUSE_MS);
      },
      () => add("members of the list come and go"),
    );
    const lost = guests.slice(0, ROSTER_MAX);
    await during(
      async () => {
        for (const guest of lost) guest.drop();
        await Promise.all(
          lost.map(async (guest, nth) => {
            await wait(500 + (BACK_WITHIN_MS * nth) / lost.length);
            await guest.enter(port);
          }),
        );
        await wait(BACK_WITHIN_MS);
      },
      () => add(`${lost.length} lose their connections and come back, again and again`),
    );
    if (viewer.problems.length > 0) throw new Error(`the page has problems: ${viewer.problems.slice(0, 3).join("; ")}`);
    for (const guest of guests) guest.drop();
    return rows;
  } finally {
    await chrome.close();
    cluster.stop();
  }
}

/** Repeats `act` until `measured` has ended. */
async function during(act: () => Promise<void>, measured: () => Promise<void>): Promise<void> {
  let isOver = false;
  const acted = (async () => {
    while (!isOver) await act();
  })();
  await measured();
  isOver = true;
  await acted;
}

function rowOf(members: number, phase: Phase): string[] {
  const { script, style, layout, task, framesPerSecond } = phase;
  return [
    String(members),
    phase.name,
    fixed(framesPerSecond, 0),
    `${fixed(phase.frameP50, 1)}, ${fixed(phase.frameP99, 1)}, ${fixed(phase.frameMax, 1)}`,
    phase.longTasks === 0 ? "0" : `${phase.longTasks}, ${fixed(phase.longestTask, 0)} ms`,
    `${fixed(script, 0)}, ${fixed(style + layout, 0)}, ${fixed(task, 0)}`,
    fixed(task / framesPerSecond, 1),
    fixed(phase.movesPerSecond, 0),
    String(phase.changes),
    fixed(phase.heapMb, 1),
    fixed(phase.nodes, 0),
  ];
}

async function printProfile(viewer: Viewer, name: string, seconds: number): Promise<void> {
  const lines = (await viewer.profile(seconds)).slice(0, PROFILED).map(([where, ms]) => `${fixed(ms, 1)} ms/s  ${where}`);
  console.log(`${name}:\n${lines.join("\n")}`);
}
