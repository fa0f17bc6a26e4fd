/** Finds the known name that somebody may have meant by an unknown one. Answers only with known names: the unknown one may be a secret. */

/** One typing mistake is allowed in four characters, and two in all. */
const CHARACTERS_PER_MISTAKE = 4;
const MISTAKES_MAX = 2;

/** The known name nearest to this one, letters and digits alone compared; undefined: none is near. */
export function similarTo(unknown: string, known: readonly string[]): string | undefined {
  const wanted = plain(unknown);
  const near = known
    .map((name) => ({ name, mistakes: distance(wanted, plain(name)) }))
    .filter(({ name, mistakes }) => mistakes <= Math.min(MISTAKES_MAX, plain(name).length / CHARACTERS_PER_MISTAKE));
  return near.sort((a, b) => a.mistakes - b.mistakes)[0]?.name;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** The number of letters to add, drop, replace or swap with the next (optimal string alignment). */
function distance(a: string, b: string): number {
  // A name that is much longer is far away. It may be of any length, so it is not compared.
  if (Math.abs(a.length - b.length) > MISTAKES_MAX) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, at) => at)];
  const cell = (row: number, at: number) => rows[row]?.[at] ?? 0;
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    rows.push(current);
    for (let at = 1; at <= b.length; at++) {
      const isSame = a[row - 1] === b[at - 1];
      const isSwapped = row > 1 && at > 1 && a[row - 1] === b[at - 2] && a[row - 2] === b[at - 1];
      current.push(
        Math.min(
          cell(row - 1, at) + 1,
          cell(row, at - 1) + 1,
          cell(row - 1, at - 1) + (isSame ? 0 : 1),
          isSwapped ? cell(row - 2, at - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return cell(a.length, b.length);
}
