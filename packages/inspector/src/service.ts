/**
 * Asks the service that this page comes from: the admin API, /health and /metrics. The token is kept in this object alone, so it ends with the
 * page: it is in no address, no storage and no log.
 */

/** `instance`: the one that answered; empty: not told. */
export type Answer<T> =
  | { readonly kind: "ok"; readonly body: T; readonly instance: string; readonly ageMs: number }
  | { readonly kind: "refused"; readonly status: number; readonly code: string; readonly detail: string }
  /** No answer came. */
  | { readonly kind: "silent" };

const ANSWER_MS_MAX = 5000;

export class Service {
  /** The page is at inspector/ below it. */
  readonly #base: URL;
  #token = "";

  constructor(page: string) {
    this.#base = new URL("../", page);
  }

  get hasToken(): boolean {
    return this.#token !== "";
  }

  set token(token: string) {
    this.#token = token.trim();
  }

  get<T>(path: string): Promise<Answer<T>> {
    return this.#ask(`admin/v1${path}`, {}, (response) => response.json());
  }

  act(method: "POST" | "DELETE", path: string): Promise<Answer<undefined>> {
    return this.#ask(`admin/v1${path}`, { method }, async () => undefined);
  }

  health<T>(): Promise<Answer<T>> {
    return this.#ask("health", {}, (response) => response.json(), 503);
  }

  metrics(): Promise<Answer<string>> {
    return this.#ask("metrics", {}, (response) => response.text());
  }

  /** `also`: a status that has the body of a success. */
  async #ask<T>(path: string, init: RequestInit, read: (response: Response) => Promise<T>, also = 200): Promise<Answer<T>> {
    try {
      const response = await fetch(new URL(path, this.#base), {
        ...init,
        cache: "no-store",
        headers: this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      const { status, headers } = response;
      if (response.ok || status === also)
        return {
          kind: "ok",
          body: await read(response),
          instance: headers.get("x-presence-instance") ?? "",
          ageMs: Number(headers.get("x-age-ms") ?? 0),
        };
      // A proxy may answer in words of its own.
      const problem = (await response.json().catch(() => ({}))) as { readonly code?: unknown; readonly detail?: unknown };
      return { kind: "refused", status, code: textOf(problem?.code), detail: textOf(problem?.detail) };
    } catch {
      return { kind: "silent" };
    }
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
