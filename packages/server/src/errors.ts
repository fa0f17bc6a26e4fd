/**
 * Failures of the world around an instance, as typed errors with stable codes: what failed, where, and what happens next.
 * A peer that misbehaves is a value with a close code, and a mistake of ours is an assertion; neither is here.
 */

export type ErrorCode =
  /** A publish was refused at once (no connection, or too much is unanswered), or its connection was lost before an answer. */
  | "BUS_DOWN"
  /** Redis answered a publish with an error: a right is missing, Redis is read-only, or it is out of memory. */
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
