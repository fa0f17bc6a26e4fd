/** The colours of people for whom the host gives none. Every instance gives the same person the same colour. */

/**
 * White text is readable on each colour, and each colour on white (contrast of 4.5 or more); on black all stay visible (2.2 or more). A
 * search found these sixteen, which are as far apart as possible, for common colour blindness too: no two differ by less than 0.11 in
 * OKLab, where 0.02 is just noticeable.
 */
export const PALETTE = [
  "#0000f8",
  "#a00800",
  "#208800",
  "#d810b0",
  "#005070",
  "#785040",
  "#9848f8",
  "#388078",
  "#e80800",
  "#7008a0",
  "#205008",
  "#c05070",
  "#3078c8",
  "#900058",
  "#805090",
  "#5040d0",
] as const;

/** A person's colour, the same at every instance (FNV-1a). */
export function colorOf(userId: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < userId.length; at++) hash = Math.imul(hash ^ userId.charCodeAt(at), 0x01000193);
  return PALETTE[(hash >>> 0) % PALETTE.length] ?? PALETTE[0];
}
