/**
 * Logging: one line per event, JSON for machines or text for people. Every line leaves through one place, which takes
 * credentials out and makes control characters harmless; so the code that logs need not care about either.
 */

import { pino } from "pino";
import { escapeUnprintable, redactText } from "./redact.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ["auto", "json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Fields come first and words second, as with pino; `console` works as well. */
export type LogMethod = {
  (message: string): void;
  (fields: object, message: string): void;
};

/** The part of a host's logger that the library uses. */
export interface Logger {
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
  /** If present, it saves the work of making lines that are not written. */
  isLevelEnabled?(level: string): boolean;
}

/** For hosts that give no logger. */
export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false };

/** While the reader of our output is stalled, lines wait in memory; above this much they are dropped. The event loop never waits for a reader. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;

export type LogOptions = {
  readonly level: LogLevel;
  /** `auto`: text on a terminal, JSON elsewhere. */
  readonly format: LogFormat;
  /** Takes whole lines, for tests; default: standard output. */
  readonly write?: (line: string) => void;
};

export function createLog(options: LogOptions): Logger {
  const asText = options.format === "text" || (options.format === "auto" && process.stdout.isTTY === true);
  const write = options.write ?? standardOutput();
  return pino(
    {
      level: options.level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS, censor: "***" },
    },
    // pino writes JSON with its escapes. Only strings can hold unprintable characters, and there the escapes of escapeUnprintable are valid.
    { write: (line: string) => write(asText ? textLine(line) : `${escapeUnprintable(redactText(line.trimEnd()))}\n`) },
  );
}

/** Fields that always hold a secret, at the top or one level down. */
const SECRET_FIELDS = ["token", "resumeToken", "password", "busSecret", "authorization", "cookie"].flatMap((field) => [
  field,
  `*.${field}`,
]);

function standardOutput(): (line: string) => void {
  const destination = pino.destination({ dest: 1, sync: false, maxLength: WAITING_BYTES_MAX });
  return (line) => void destination.write(line);
}

/** `12:34:56.789 warn  publish failed  board=b1 suppressed=12` */
function textLine(json: string): string {
  const { time, level, msg, pid: _pid, hostname: _hostname, err, ...fields }: Record<string, unknown> = JSON.parse(json);
  const words = Object.entries(fields).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  if (err instanceof Object && "stack" in err) words.push(String(err.stack).replaceAll("\n", " |"));
  const line = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${msg ?? ""}${words.length > 0 ? `  ${words.join(" ")}` : ""}`;
  return `${escapeUnprintable(redactText(line))}\n`;
}

/**
 * For warnings that may come by the thousand: writes the first of each message at once, then at most one per period, which says
 * how many were suppressed. `message` must be a constant, since each is remembered. It has no timer: warnings suppressed
 * after the last line of a burst are told with the next one, and show in the metrics.
 */
export function rateLimited(
  write: LogMethod,
  everyMs: number,
  now: () => number = () => performance.now(),
): (fields: object, message: string) => void {
  const seen = new Map<string, { at: number; suppressed: number }>();
  return (fields, message) => {
    const last = seen.get(message);
    if (last !== undefined && now() - last.at < everyMs) {
      last.suppressed++;
      return;
    }
    seen.set(message, { at: now(), suppressed: 0 });
    write(last !== undefined && last.suppressed > 0 ? { ...fields, suppressed: last.suppressed } : fields, message);
  };
}
