/**
 * What must not reach a log, an error or a health page: credentials, and characters that move a terminal's cursor.
 * Works on text, so that it also catches what a driver or a proxy put into its own message.
 */

/** The URL without user, password and query; of text that is no URL, everything that could be a password. */
export function redactUrl(text: string): string {
  // Greedy up to the last @: a password with an @ or a slash in it is malformed, and still a password.
  return text.replace(/^([a-z][a-z0-9+.-]*:)?(\/\/)?.*@/is, "$1$2***@").replace(/\?.*$/s, "?***");
}

/** The same for text in which URLs and tokens may occur. */
export function redactText(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/"'@]*(?:@[^\s/"'@]*)*@/gi, "$1***@")
    .replace(/([?&](?:access_|resume_)?token=)[^\s&"']*/gi, "$1***");
}

/** C0 and C1 controls, DEL, line separators and the marks that turn the direction of text: a log line stays one line and reads as it was written. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

export function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
