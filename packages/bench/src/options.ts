/** Values of the options of the benchmarks. A wrong one is refused as an unknown option is, by scripts/usage.js. */

/** A number above 0, unless `min` is 0. */
export function numberOf(option: string, text: string, min?: 0): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && (min === 0 ? value >= 0 : value > 0)) return value;
  const wanted = min === 0 ? "from 0 on" : "above 0";
  throw wrong(`--${option} is ${text}; it must be a number ${wanted}`);
}

/** To be thrown. */
export function wrong(sentence: string): Error {
  return Object.assign(new Error(sentence), { code: "ERR_PARSE_ARGS_INVALID_OPTION_VALUE" });
}
