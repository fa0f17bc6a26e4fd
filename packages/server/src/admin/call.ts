/**
 * One call of the admin API: its path, the form of what goes in and comes out, and what it does. From this one description come the
 * checks, the OpenAPI document and its part of the log.
 */

import type { z } from "zod";

/** Whoever calls. */
export type Caller = {
  /** For the log: the name of a token, a user, or `loopback`. */
  readonly name: string;
  /** May call everything. Others may call what is about a board on which they have the right `admin`. */
  readonly isOperator: boolean;
  mayAdminister(boardId: string): boolean;
};

export type Parts<P, Q, B> = { readonly params: P; readonly query: Q; readonly body: B; readonly caller: Caller };

export type Answer = { readonly status: number; readonly body?: unknown };

export type Call = {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** Below /admin/v1, with the names of parameters in braces. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** `operator`: tokens of ADMIN_TOKEN only. `board`: also the right `admin` on the board of the path or the body. */
  readonly right: "operator" | "board";
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | undefined;
  /** By status. undefined: no body. */
  readonly answers: { readonly [status: number]: z.ZodType | undefined };
  readonly problems: readonly string[];
  /** Written to the log with who called: whatever changes something. */
  readonly isAction: boolean;
  readonly act: (parts: Parts<never, never, never>) => Answer | Promise<Answer>;
};

type Definition<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> = Omit<
  Call,
  "params" | "query" | "body" | "isAction" | "act" | "problems"
> & {
  readonly params: P;
  readonly query: Q;
  readonly body: B | undefined;
  readonly problems?: readonly string[];
  readonly act: (parts: Parts<z.infer<P>, z.infer<Q>, z.infer<B>>) => Answer | Promise<Answer>;
};

export function call<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(definition: Definition<P, Q, B>): Call {
  const { problems = [], act } = definition;
  return { ...definition, problems, isAction: definition.method !== "GET", act: act as Call["act"] };
}
