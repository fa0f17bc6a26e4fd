/**
 * The event log of a fault run: what each client did and was shown, and what was done to the service, one JSON line each. It is all that
 * the checker gets, so a log that was kept can be judged again. It imports nothing.
 */

/** The belief of one client about another person. A value is absent where the client's encoding does not tell it, or was not told it yet. */
export type Shown = {
  readonly status?: string;
  /** The number that the person said last, as far as is known. */
  readonly state?: number;
  /** The same of its cursor. */
  readonly place?: number;
};

/** The promises under one fault. Times count as `checker.ts` says. */
export type Bounds = {
  /** Leaves that were shown of people who are there. */
  readonly falseLeavesMax: number;
  /** The longest time that somebody is shown who is not there. */
  readonly ghostMsMax: number;
  /** The longest time that somebody is not shown who is there. */
  readonly blindMsMax: number;
  /** From the moment at which the fault is over until all rosters are right, and stay so. */
  readonly equalMsMax: number;
  /** A person without a connection for so long may be shown leaving: the grace (C2), or the time after which an instance is given up (R7.9). */
  readonly graceMs: number;
};

/** `who` stands for one person on one board; a name is never used again for somebody else. `via`: the instance that the client connects to. */
export type Event =
  /** The app has asked for the board: from now on others there may show the person. Absent: there is one board only. */
  | { readonly kind: "wants"; readonly who: string; readonly via: number; readonly board?: string }
  /** The client has its roster, and shows these. Also after each reconnect. */
  | { readonly kind: "here"; readonly who: string; readonly via: number; readonly shows: Readonly<Record<string, Shown>> }
  /** The client has lost its connection and is coming back. */
  | { readonly kind: "away"; readonly who: string }
  /** The person has left, for good. */
  | { readonly kind: "gone"; readonly who: string }
  | { readonly kind: "says"; readonly who: string; readonly state: number }
  | { readonly kind: "moves"; readonly who: string; readonly place: number }
  /** null: `whom` is shown leaving. */
  | { readonly kind: "sees"; readonly who: string; readonly whom: string; readonly shown: Shown | null; readonly reason?: string }
  | { readonly kind: "degraded"; readonly who: string; readonly on: boolean }
  /** A message that made no sense after those before. */
  | { readonly kind: "nonsense"; readonly who: string; readonly text: string }
  /**
   * A fault begins. `excuses`: it cuts the clients of this instance off, and they cannot know it. Neither what they see nor what is seen
   * of them is judged until it ends.
   */
  | {
      readonly kind: "fault";
      readonly topology: string;
      readonly fault: string;
      readonly bounds: Bounds;
      readonly excuses?: number;
    }
  /** The fault is over, or has done its work: the time until all is right counts from here. */
  | { readonly kind: "mended"; readonly fault: string }
  /** It was seen that the fault really happened. */
  | { readonly kind: "evidence"; readonly fault: string; readonly what: readonly string[] }
  /** It did not happen, or the run itself failed. */
  | { readonly kind: "failed"; readonly fault: string; readonly what: string }
  /** Nobody looks any more. `lagMs`: the longest time for which the clients' own process stood still meanwhile. */
  | { readonly kind: "watched"; readonly fault: string; readonly lagMs: number };

/** `at`: milliseconds on the one clock of all clients. */
export type Entry = { readonly at: number } & Event;

/** Reads a log that was kept. */
export function readLog(text: string): Entry[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Entry]));
}
