/** A comparison as an SVG picture: for each measure a bar for each contender, as long as its median, with the range of its runs. */

import { fixed } from "../report.ts";
import { type Comparison, measuresIn, type Spread, spreadIn } from "./comparison.ts";
import { MEASURES, type MeasureName } from "./figures.ts";

const WIDTH = 760;
const NAMES_WIDTH = 130;
const VALUES_WIDTH = 90;
const BARS_WIDTH = WIDTH - NAMES_WIDTH - VALUES_WIDTH;
const ROW = 22;
const HEAD = 34;
const TITLE = 40;
/** Longer ones among these are drawn on a scale of powers of ten. */
const LOGARITHMIC_FROM = 30;
const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:15px}.measure{font-weight:600}
.bar{fill:#8c959f}.ours{fill:#0969da}.range{stroke:#1f2328;stroke-width:1.5}.page{fill:#fff}`;

export function plot(comparison: Comparison): string {
  const measures = measuresIn(comparison);
  let height = TITLE;
  const blocks = measures.map((name) => {
    const spreads = comparison.entries.map((entry) => ({ name: entry.name, ...spreadIn(entry, name) })).filter(({ count }) => count > 0);
    const drawn = `<g transform="translate(0 ${height})">${block(spreads, name)}</g>`;
    height += HEAD + spreads.length * ROW;
    return drawn;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(comparison.title)}">
<style>${STYLE}</style><rect class="page" width="100%" height="100%"/>
<text class="title" x="10" y="24">${escaped(comparison.title)}</text>
${blocks.join("\n")}
</svg>
`;
}

function block(spreads: readonly (Spread & { readonly name: string })[], measure: MeasureName): string {
  const { title, digits } = MEASURES[measure];
  const highest = Math.max(...spreads.map(({ high }) => high));
  const lowest = Math.min(...spreads.map(({ low }) => low).filter((low) => low > 0));
  const isLogarithmic = highest / lowest > LOGARITHMIC_FROM;
  const floor = Math.log10(lowest) - 0.5;
  const lengthOf = (value: number) => {
    if (!(value > 0)) return 0;
    return BARS_WIDTH * (isLogarithmic ? (Math.log10(value) - floor) / (Math.log10(highest) - floor) : value / highest);
  };
  const rows = spreads.map(({ name, median, low, high }, nth) => {
    const y = HEAD - 8 + nth * ROW;
    const [from, to] = [NAMES_WIDTH + lengthOf(low), NAMES_WIDTH + lengthOf(high)].map((x) => x.toFixed(1));
    return `<text x="10" y="${y + 13}">${escaped(name)}</text>
<rect class="bar${name.startsWith("ours") ? " ours" : ""}" x="${NAMES_WIDTH}" y="${y}" width="${lengthOf(median).toFixed(1)}" height="${ROW - 6}"/>
<line class="range" x1="${from}" x2="${to}" y1="${y + 8}" y2="${y + 8}"/><text x="${WIDTH - VALUES_WIDTH + 8}" y="${y + 13}">${fixed(median, digits)}</text>`;
  });
  const scale = isLogarithmic ? ", on a scale of powers of ten" : "";
  return `<text class="measure" x="10" y="16">${escaped(title + scale)}</text>\n${rows.join("\n")}`;
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
}
