/** A text colour that can be read on a member's colour. */

/** Black or white, whichever has more contrast (WCAG relative luminance; both are equal at 0.179). */
export function inkOn(color: string): "#000" | "#fff" {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => linear(Number.parseInt(color.slice(at, at + 2), 16) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}
