/**
 * How the text of a setting becomes a value. Nothing here knows a setting or says what is wrong: each setting tells that by its `allowed`.
 */

/** The text is not allowed. Not `undefined`, which is the value of a setting that has none. */
export const WRONG = Symbol("wrong");

/** undefined: the setting is not set, and has no default. */
export type Read<T> = (text: string | undefined) => T | typeof WRONG;
export type ValueOf<R extends Read<unknown>> = Exclude<ReturnType<R>, typeof WRONG>;

/** A text that must be there. */
export function text(isAllowed: (text: string) => boolean = () => true): Read<string> {
  return (text) => (text !== undefined && isAllowed(text) ? text : WRONG);
}

/** Any text, or none. */
export const anyText: Read<string | undefined> = (text) => text;

export function like(form: RegExp): Read<string> {
  return text((given) => form.test(given));
}

export function oneOf<const T extends string>(words: readonly T[]): Read<T> {
  return (text) => words.find((word) => word === text) ?? WRONG;
}

/** A whole number in digits. */
export function whole({ min = 0, max }: { readonly min?: number; readonly max: number }): Read<number> {
  const isDigits = new RegExp(`^\\d{1,${String(max).length}}$`);
  return (text) => {
    if (text === undefined || !isDigits.test(text)) return WRONG;
    const number = Number(text);
    return number >= min && number <= max ? number : WRONG;
  };
}

export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (text) => (text === undefined ? undefined : read(text));
}

/** `made` of a text, and of an empty one where there is none. It answers undefined for a text that is wrong. */
export function madeOf<T>(made: (text: string) => T | undefined): Read<T> {
  return (text = "") => made(text) ?? WRONG;
}

/** The entries of a list whose separators are commas. */
export function listed(text: string): string[] {
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}
