/** The colours of people for whom the host gives none, and the order in which a person is given one of them (R18). */

/**
 * Each has a contrast of 3 or more on white and on black, so that cursors and avatars are seen on both. Text on them is black or white,
 * whichever has more contrast: 4.5 or more. As text themselves on white, the darker half is readable (4.5), and none of that half on black.
 * A search found the first eight, which differ from each other by 0.15 in OKLab (0.02 is just noticeable), and by 0.10 as people
 * with protanopia, deuteranopia or tritanopia see them; all sixteen by 0.11 and 0.05. They are ordered so that this holds for as many as are used.
 */
export const PALETTE: readonly string[] = [
  "#003cfc",
  "#fc600c",
  "#9c00b4",
  "#8478a8",
  "#c00000",
  "#24a86c",
  "#c06cfc",
  "#546054",
  "#784884",
  "#006c0c",
  "#fc00d8",
  "#cc4884",
  "#6c30d8",
  "#a86048",
  "#0084cc",
  "#a8903c",
];

/** Where no more people are on a board than this, they have colours that also the colour-blind tell apart. */
const FIRST_COLORS = 8;

export function isPicked(color: string): boolean {
  return PALETTE.includes(color);
}

/**
 * The first colour that is not taken: from the person's own place among the first eight on, then the others in order. undefined: all are
 * taken. So people mostly have the same colour on each board, and all boards at all instances begin with the best colours.
 */
export function freeColor(userId: string, isTaken: (color: string) => boolean): string | undefined {
  const from = hashOf(userId) % FIRST_COLORS;
  const first = PALETTE.slice(0, FIRST_COLORS);
  const inTurn = [...first.slice(from), ...first.slice(0, from), ...PALETTE.slice(FIRST_COLORS)];
  return inTurn.find((color) => !isTaken(color));
}

/** Where all are taken: by the person alone, so that no colour is given to many more people than another one. */
export function sharedColor(userId: string): string {
  return PALETTE[hashOf(userId) % PALETTE.length] as string;
}

/** FNV-1a. */
function hashOf(userId: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < userId.length; at++) hash = Math.imul(hash ^ userId.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
