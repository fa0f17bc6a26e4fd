/**
 * Spans of joins, for hosts and operators who trace with OpenTelemetry: from a client's join to the roster that answers it. Nothing of a person is in them.
 * It knows the shape of a tracer and not the package, so that nobody needs to install it.
 */

import { type Logger, rateLimited } from "./log.ts";

export type Attributes = Record<string, string | number | boolean>;

/** The part of a tracer of `@opentelemetry/api` that is used. */
export interface Tracer {
  startSpan(name: string, options: { readonly attributes: Attributes }): Span;
}

export interface Span {
  setAttribute(key: string, value: string): unknown;
  setStatus(status: { readonly code: number; readonly message?: string }): unknown;
  end(): void;
}

/** SpanStatusCode.ERROR of `@opentelemetry/api`. */
const ERROR = 2;
const EVERY_MS = 10_000;
const OUTCOME = "presence.outcome";

export class Tracing {
  readonly #tracer: Tracer;
  readonly #warn: ReturnType<typeof rateLimited>;

  constructor(tracer: Tracer, log: Logger) {
    this.#tracer = tracer;
    this.#warn = rateLimited(log.warn.bind(log), EVERY_MS);
  }

  /** undefined: the tracer has failed, which is logged and hurts nobody. */
  begin(name: "presence.join" | "presence.resume", attributes: Attributes): JoinSpan | undefined {
    let span: Span | undefined;
    this.guard(() => {
      span = this.#tracer.startSpan(name, { attributes });
    });
    return span && new JoinSpan(span, this);
  }

  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#warn({ error: String(error) }, "the tracer of OpenTelemetry has failed; spans are missing");
    }
  }
}

/** One join. Each way to end it may be called after another one, and then does nothing. */
export class JoinSpan {
  readonly #tracing: Tracing;
  #span: Span | undefined;

  constructor(span: Span, tracing: Tracing) {
    this.#span = span;
    this.#tracing = tracing;
  }

  /** The client was told the board. */
  told(): void {
    this.#end("told", false);
  }

  /** By the code of the error that the client got. Only `unavailable` is a failure of ours. */
  refused(code: string): void {
    this.#end(code, code === "unavailable");
  }

  /** The client left, joined again, or its connection ended, before it was told. */
  givenUp(): void {
    this.#end("given_up", false);
  }

  #end(outcome: string, isError: boolean): void {
    const span = this.#span;
    this.#span = undefined;
    if (span === undefined) return;
    this.#tracing.guard(() => {
      span.setAttribute(OUTCOME, outcome);
      if (isError) span.setStatus({ code: ERROR, message: outcome });
      span.end();
    });
  }
}
