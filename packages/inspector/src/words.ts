/** Numbers and ids, as this page writes them. */

/** The first part of an instance's id, which the log and the demo page use too. */
export function short(instanceId: string): string {
  return instanceId.slice(0, 8);
}

/** `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d` */
export function duration(ms: number): string {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 119_500) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_170_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

/** Three digits that count, and k or M: `0.12`, `7.5`, `312`, `4.8 k`. */
export function amount(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const [scaled, unit] = value >= 999_500 ? [value / 1e6, " M"] : value >= 9_995 ? [value / 1e3, " k"] : [value, ""];
  const digits = scaled === 0 || scaled >= 100 || (unit === "" && Number.isInteger(scaled)) ? 0 : scaled >= 10 ? 1 : 2;
  return `${scaled.toFixed(digits)}${unit}`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
