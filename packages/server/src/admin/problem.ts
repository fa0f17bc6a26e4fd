/** Errors of the admin API, as RFC 9457 describes them (problem+json). Each kind has a name that does not change, and a sentence that may. */

export const PROBLEMS = {
  bad_request: { status: 400, title: "The request is not of the form that this call takes" },
  unauthorized: { status: 401, title: "A token is needed" },
  forbidden: { status: 403, title: "This token does not give that right" },
  not_found: { status: 404, title: "There is nothing of that name here" },
  method_not_allowed: { status: 405, title: "This path has no such method" },
  elsewhere: { status: 409, title: "Another instance has it" },
  gone: { status: 410, title: "It has ended" },
  too_large: { status: 413, title: "The body is too large" },
  wrong_type: { status: 415, title: "The body has to be JSON" },
  wrong_host: { status: 421, title: "This name is not one of this service" },
  too_fast: { status: 429, title: "Too many calls" },
  internal: { status: 500, title: "A defect of ours" },
  unavailable: { status: 503, title: "Not at the moment" },
} as const;

export type ProblemName = keyof typeof PROBLEMS;

export class Problem extends Error {
  readonly problem: ProblemName;
  readonly headers: Readonly<Record<string, string>>;

  /** `detail`: for whoever called; it says what to do. */
  constructor(problem: ProblemName, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.problem = problem;
    this.headers = headers;
  }

  get status(): number {
    return PROBLEMS[this.problem].status;
  }

  toJSON(): object {
    const { status, title } = PROBLEMS[this.problem];
    return { type: `urn:presence-service:problem:${this.problem}`, title, status, code: this.problem, detail: this.message };
  }
}
