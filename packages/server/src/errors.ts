/**
 * What the world can do to us, as typed errors with stable codes: what failed, where, and what happens next.
 * Bad peers are values with a close code, our own mistakes are assertions; neither is here.
 */

export type ErrorCode =
  /** A publish was refused at once (no connection, or too much is unanswered), or its connection was lost before an answer. */
  | "BUS_DOWN"
  /** Redis answered a publish with an error: rights, read-only, memory. */
  | "BUS_REFUSED"
  /** No Redis answered during the start. */
  | "REDIS_UNREACHABLE"
  /** Settings are wrong; the message lists all of them. */
  | "BAD_SETTINGS"
  /** The port is taken or may not be used. */
  | "LISTEN_FAILED";

/** Exit status of the command for each, as operators expect them (sysexits.h: 69 unavailable, 78 configuration). */
export const EXIT_STATUS: Record<ErrorCode, number> = {
  BUS_DOWN: 69,
  BUS_REFUSED: 69,
  REDIS_UNREACHABLE: 69,
  BAD_SETTINGS: 78,
  LISTEN_FAILED: 69,
};

export class PresenceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "PresenceError";
    this.code = code;
  }
}
