/**
 * How far what an instance shows was from the truth (rule R23 of docs/REPLICATION.md), beside what is promised in docs/OPERATIONS.md, "How true it is".
 * The judgement is pure; below it is the table.
 */

import { showRows } from "./dom.ts";
import { above, boundOf, countOf, type Histogram, type Samples, since } from "./exposition.ts";
import { counted, duration } from "./words.ts";

export type Truth = {
  readonly question: string;
  /** Since the instance started. */
  readonly answer: string;
  /** Within the last two minutes, or as long as the page is open. */
  readonly lately: string;
  readonly promise: string;
  /** undefined: nothing was measured, or nothing is promised that this measure could tell. */
  readonly isKept: boolean | undefined;
};

type Measure = {
  readonly question: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly promise: string;
  readonly words: (histogram: Histogram) => string;
  /** undefined: it cannot be said. */
  readonly isKept: (histogram: Histogram) => boolean | undefined;
};

const measured = (isKept: Measure["isKept"]) => (histogram: Histogram) => (countOf(histogram) === 0 ? undefined : isKept(histogram));
const times = (histogram: Histogram) => {
  const count = countOf(histogram);
  if (count === 0) return "none";
  const [most, all] = [boundOf(histogram, 0.99), boundOf(histogram, 1)];
  return most === all ? `${count}, all within ${seconds(all)}` : `${count}, 99 % within ${seconds(most)}, all within ${seconds(all)}`;
};
const spells = (histogram: Histogram) => {
  const count = countOf(histogram);
  return count === 0 ? "never" : `${counted(count, "time")}, ${duration(histogram.sum * 1000)} together`;
};

const MEASURES: readonly Measure[] = [
  {
    question: "Ghosts: shown after they had left",
    name: "presence_ghost_seconds",
    labels: { cause: "left" },
    promise: "0.05 s as a rule, 18 s at most",
    words: times,
    isKept: measured((histogram) => above(histogram, 18) === 0),
  },
  {
    question: "Ghosts: shown after their instance had died",
    name: "presence_ghost_seconds",
    labels: { cause: "lost" },
    promise: "5 s at most",
    words: times,
    isKept: measured((histogram) => above(histogram, 5) === 0),
  },
  {
    question: "Newcomers elsewhere, until shown here",
    name: "presence_join_visible_seconds",
    promise: "99 % within 0.05 s, while all is well",
    words: times,
    isKept: measured((histogram) => {
      const late = above(histogram, 0.05);
      // Of fewer than a hundred nobody can say whether one in a hundred is late.
      return late > 0 && countOf(histogram) < 100 ? undefined : late <= countOf(histogram) / 100;
    }),
  },
  {
    question: "Shown leaving, though they were there",
    name: "presence_false_leave_seconds",
    labels: { how: "kept" },
    promise: "never, unless an instance is cut off",
    words: spells,
    isKept: (histogram) => countOf(histogram) === 0,
  },
  {
    question: "Shown leaving, and back by themselves",
    name: "presence_false_leave_seconds",
    labels: { how: "resumed" },
    promise: "their instance was lost; no promise",
    words: spells,
    isKept: () => undefined,
  },
  {
    question: "Blind: nothing of the others was heard",
    name: "presence_blind_seconds",
    labels: { scope: "all" },
    promise: "ends 2 s after Redis is back",
    words: spells,
    isKept: () => undefined,
  },
  {
    question: "Blind on single boards",
    name: "presence_blind_seconds",
    labels: { scope: "board" },
    promise: "ends 3 s after a right comes back",
    words: spells,
    isKept: () => undefined,
  },
];

export function truthsOf(now: Samples, before: Samples): Truth[] {
  const answers = MEASURES.map(({ question, name, labels, promise, words, isKept }) => {
    const histogram = now.histogram(name, labels);
    const lately = since(histogram, before.histogram(name, labels));
    return { question, answer: words(histogram), lately: words(lately), promise, isKept: isKept(histogram) };
  });
  const divergences = now.value("presence_slice_divergences_total") ?? 0;
  const recent = divergences - (before.value("presence_slice_divergences_total") ?? 0);
  const told = (count: number) => (count === 0 ? "never" : counted(count, "time"));
  const contradicted: Truth = {
    question: "Slices that contradicted their owner",
    answer: told(divergences),
    lately: told(recent),
    promise: "never",
    isKept: divergences === 0,
  };
  return [...answers, contradicted];
}

/** Whether this instance hears the others at the moment. */
export function hearingNow(samples: Samples): string {
  const boards = samples.value("presence_degraded_boards") ?? 0;
  if (samples.value("presence_unheard") === 1) return "Others are heard, and none hears this instance.";
  if (samples.value("presence_degraded") === 1) return "This instance hears no other one at the moment.";
  if (boards > 0) return `Others are not heard on ${counted(boards, "board")} at the moment.`;
  return samples.sum("presence_peers") === 0 ? "This instance knows no other one." : "Other instances are heard.";
}

export function showTruths(body: HTMLElement, truths: readonly Truth[]): void {
  const verdict = (isKept: boolean | undefined) => (isKept === undefined ? "–" : isKept ? "✓ kept" : "✗ broken");
  const rows = truths.map(({ question, answer, lately, promise, isKept }) => ({
    key: question,
    class: isKept === false ? "broken" : "",
    cells: [question, verdict(isKept), promise, answer, lately],
  }));
  showRows(body, rows);
}

function seconds(bound: number | undefined): string {
  return bound === Number.POSITIVE_INFINITY ? "more than the last bound" : `${bound} s`;
}
