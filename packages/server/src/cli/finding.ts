/** A finding of the doctor: how it reads, for people and for scripts, and how bad it is. */

import { escapeUnprintable, redactText } from "../telemetry/redact.ts";

/** `note`: cannot be known, or is nothing to worry about. `warning`: works, and will hurt. `error`: does not work. */
export type Status = "ok" | "note" | "warning" | "error";

export type Finding = {
  /** One word. */
  readonly check: string;
  readonly status: Status;
  /** One line. */
  readonly text: string;
  /** One line: how to mend it. */
  readonly advice?: string;
};

const MARKS: Record<Status, string> = { ok: "✓", note: "·", warning: "!", error: "✗" };
const CHECK_WIDTH = 10;

/** One line, and a second one with the advice. */
export function findingInWords({ check, status, text, advice }: Finding): string {
  const lines = [`${MARKS[status]} ${check.padEnd(CHECK_WIDTH)} ${text}`];
  if (advice !== undefined && advice !== "") lines.push(`${" ".repeat(CHECK_WIDTH + 3)}→ ${advice}`);
  return lines.map((line) => `${escapeUnprintable(redactText(line))}\n`).join("");
}

export type Verdict = "well" | "warnings" | "errors";

export function verdictOn(findings: readonly Finding[]): Verdict {
  if (findings.some(({ status }) => status === "error")) return "errors";
  return findings.some(({ status }) => status === "warning") ? "warnings" : "well";
}

const VERDICT_IN_WORDS: Record<Verdict, string> = {
  well: "All is well.",
  warnings: "It works; see the lines with !.",
  errors: "It does not work; see the lines with ✗.",
};

/** The last line. */
export function verdictInWords(verdict: Verdict): string {
  return `\n${VERDICT_IN_WORDS[verdict]}\n`;
}

/** The whole report as one line of JSON. */
export function reportAsJson(findings: readonly Finding[]): string {
  return `${escapeUnprintable(redactText(JSON.stringify({ verdict: verdictOn(findings), findings })))}\n`;
}
