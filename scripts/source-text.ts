/**
 * TypeScript as text: its code with everything else blanked out, and its comments. So words, imports and sentences can be searched
 * without false hits. Not a parser: it knows tokens, no grammar.
 */

export type Import = { readonly specifier: string; readonly line: number };
export type Comment = { readonly text: string; readonly index: number };

/** The code of `source`, with spaces for comments, for the text inside quotes and for regular expressions. Length and lines stay. */
export function codeOf(source: string): string {
  return scan(source, () => {});
}

/** The comments with spaces for their markers, so that lengths stay; line comments that follow each other are one. */
export function commentsOf(source: string): Comment[] {
  const found: { start: number; end: number; isLine: boolean }[] = [];
  scan(source, (start, end) => {
    const last = found.at(-1);
    const isLine = source.startsWith("//", start);
    if (last?.isLine && isLine && /^\n *$/.test(source.slice(last.end, start))) last.end = end;
    else found.push({ start, end, isLine });
  });
  return found.map(({ start, end }) => ({
    text: source.slice(start, end).replace(/^ *(?:\/\*+|\*(?!\/)|\/\/)|\*\/$/gm, (marker) => " ".repeat(marker.length)),
    index: start,
  }));
}

function scan(source: string, sawComment: (start: number, end: number) => void): string {
  const kept = source.split("");
  const blank = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (kept[i] !== "\n") kept[i] = " ";
  };
  /** Open braces; true: a `${`, whose `}` continues a template. */
  const braces: boolean[] = [];
  for (let i = 0; i < source.length; ) {
    const start = i;
    const next = source[i + 1];
    switch (source[i]) {
      case "/":
        if (next === "/") i = endOr(source.indexOf("\n", i), source);
        else if (next === "*") i = endOr(source.indexOf("*/", i + 2) + 2, source, 1);
        else if (startsRegExp(kept, i)) i = endOfRegExp(source, i);
        else i++;
        if (next === "/" || next === "*") sawComment(start, i);
        if (i > start + 1) blank(start, i);
        break;
      case '"':
      case "'":
        i = endOfString(source, i);
        blank(start + 1, i - 1);
        break;
      case "`":
        i = endOfTemplateText(source, i + 1);
        blank(start + 1, i - 1);
        if (source[i - 1] === "{") braces.push(true);
        break;
      case "{":
        braces.push(false);
        i++;
        break;
      case "}":
        if (braces.pop() === true) {
          i = endOfTemplateText(source, i + 1);
          blank(start + 1, i - 1);
          if (source[i - 1] === "{") braces.push(true);
        } else i++;
        break;
      default:
        i++;
    }
  }
  return kept.join("");
}

/** Everything a file imports or re-exports, types included, also dynamically. */
export function importsOf(source: string): Import[] {
  const code = codeOf(source);
  const patterns = [
    /(?<![.\w$#])(?:import|export)\b[^;"'`()=]*?\bfrom\s*["']/g,
    /(?<![.\w$#])import\s*["']/g,
    /(?<![.\w$#])import\s*\(\s*["'`]/g,
  ];
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => {
      const start = match.index + match[0].length;
      const quote = source[start - 1] ?? '"';
      return { specifier: source.slice(start, source.indexOf(quote, start)), line: lineOf(source, match.index) };
    }),
  );
}

export function lineOf(source: string, index: number): number {
  return source.slice(0, index).split("\n").length;
}

function endOr(index: number, source: string, least = 0): number {
  return index <= least ? source.length : index;
}

function endOfString(source: string, start: number): number {
  let i = start + 1;
  while (i < source.length && source[i] !== source[start] && source[i] !== "\n") i += source[i] === "\\" ? 2 : 1;
  return i + 1;
}

/** Just after the closing backtick, or after the `{` of the next `${`. */
function endOfTemplateText(source: string, start: number): number {
  let i = start;
  while (i < source.length && source[i] !== "`") {
    if (source[i] === "$" && source[i + 1] === "{") return i + 2;
    i += source[i] === "\\" ? 2 : 1;
  }
  return i + 1;
}

/** A slash divides after a value and opens a regular expression elsewhere. */
function startsRegExp(kept: readonly string[], slash: number): boolean {
  let i = slash - 1;
  while (i >= 0 && /\s/.test(kept[i] ?? "")) i--;
  const before = kept.slice(Math.max(0, i - 10), i + 1).join("");
  return !/[\w$)\]}"'`]$/.test(before) || /(?:^|[^\w$.])(?:return|typeof|case|in|of|void|yield|await)$/.test(before);
}

function endOfRegExp(source: string, start: number): number {
  let isInClass = false;
  let i = start + 1;
  for (; i < source.length && source[i] !== "\n"; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[") isInClass = true;
    else if (source[i] === "]") isInClass = false;
    else if (source[i] === "/" && !isInClass) break;
  }
  i++;
  while (/[a-z]/.test(source[i] ?? "")) i++;
  return i;
}
