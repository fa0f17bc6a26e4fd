/** Why a member is shown, in sentences and as a table of its entries. The sentences are pure; they say no more than the answer does. */

import type { Claim, Reasons } from "./answers.ts";
import { type Cell, showRows } from "./dom.ts";
import { counted, duration, short } from "./words.ts";

const STANDINGS = { live: "lives", fading: "has fallen silent", gone: "is given up" } as const;

/** `asked`: the instance that gave this answer. */
export function whyInWords({ shown, claims, endedAttempt }: Reasons, asked: string): string[] {
  if (shown === null) {
    const over =
      endedAttempt === null ? "" : ` All its attempts up to ${endedAttempt} are over: it left, was put off, or did not come back in time.`;
    return [
      claims.length === 0
        ? `It is not shown.${over}`
        : `It is not shown, though ${counted(claims.length, "entry", "entries")} of it are held.${over}`,
    ];
  }
  const sentences = [`It has been shown for ${duration(shown.forMs)}, by attempt ${shown.attempt}.`];
  const claim = claims.find(({ owner, attempt }) => owner === shown.owner && attempt === shown.attempt);
  if (shown.owner === null)
    sentences.push("Its session is moving: the entry that was shown is superseded, and the instance where it goes has not been heard yet.");
  else if (shown.owner === asked) {
    const connection = claim?.connection === undefined ? "" : ` (connection ${claim.connection} in the log)`;
    sentences.push(
      claim?.graceMs == null
        ? `It is connected to this instance${connection}.`
        : `Its connection to this instance is lost, and it may still come back for ${duration(claim.graceMs)}.`,
    );
  } else {
    sentences.push(`Instance ${short(shown.owner)} says so, which ${STANDINGS[claim?.standing ?? "gone"]}.`);
    if (claim !== undefined) sentences.push(...heardOf(claim));
  }
  const others = claims.length - (claim === undefined ? 0 : 1);
  if (others > 0)
    sentences.push(`${counted(others, "other entry is", "other entries are")} held; the highest attempt that has not ended is shown.`);
  return sentences;
}

function heardOf({ wordMs, heartbeatMs, isInDoubt }: Claim): string[] {
  const beat = heartbeatMs === null ? "" : `, and sent its last heartbeat ${duration(heartbeatMs)} ago`;
  return [
    `It last said ${duration(wordMs)} ago who is on this board${beat}.`,
    isInDoubt ? "Something it said may have been missed; it is being asked." : "Nothing that it said has been missed.",
  ];
}

export function showClaims(body: HTMLElement, claims: readonly Claim[], asked: string): void {
  const rows = claims.map(({ owner, attempt, seq, status, standing, wordMs, isInDoubt, graceMs }) => ({
    key: `${owner} ${attempt}`,
    cells: [
      ownerCell(owner, asked),
      String(attempt),
      String(seq),
      graceMs === null ? status : `${status}, ${duration(graceMs)} left`,
      isInDoubt ? `${standing}, in doubt` : standing,
      owner === asked ? "–" : `${duration(wordMs)} ago`,
    ],
  }));
  showRows(body, rows);
}

export function ownerCell(owner: string, asked: string): Cell {
  return { text: owner === asked ? `${short(owner)} this one` : short(owner), title: owner, class: "id" };
}

/** As far as the one that answered knows. */
export function shownAt({ instances }: Reasons): string {
  const words = (isShown: boolean | null) => (isShown === null ? "cannot be said from here" : isShown ? "shown" : "not shown");
  return instances.map(({ instanceId, state, isShown }) => `${short(instanceId)} (${state}): ${words(isShown)}`).join(" · ");
}
