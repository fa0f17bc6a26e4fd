/**
 * The switch for bots: how many are wanted, and how many the service has let in. The bots are in a worker, so that they take no frame from
 * the page that draws them.
 */

import { byId } from "./element.ts";
import type { PageId } from "./state.ts";

/** The worker is told the one and answers the other. `problem`: why some of them are not here; empty: none is missing, or they are coming. */
export type BotsWanted = {
  readonly count: number;
  readonly url: string;
  readonly board: string;
  readonly page: PageId;
  /** The instance that serves the page, and probably the bots too. */
  readonly instance: string;
};
export type BotsHere = { readonly count: number; readonly problem: string };

const NONE = "Each is a real client with a WebSocket of its own.";

export class Bots {
  readonly #field = byId<HTMLInputElement>("bots");
  readonly #output = byId("bots-here");
  #worker: Worker | undefined;

  /** `where` is asked whenever the number changes. */
  constructor(where: () => Omit<BotsWanted, "count">) {
    this.#field.value = "0";
    this.#show(NONE);
    this.#field.addEventListener("input", () => this.#show(`${this.#wanted} bots`));
    const want = () => this.#want({ count: this.#wanted, ...where() });
    this.#field.addEventListener("change", want);
    // They leave with the page, and are not waited for. The browser may bring the page back.
    addEventListener("pagehide", () => this.#worker?.postMessage({ count: 0, ...where() } satisfies BotsWanted));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#worker && want());
  }

  get #wanted(): number {
    return this.#field.valueAsNumber;
  }

  #want(wanted: BotsWanted): void {
    if (this.#worker === undefined) {
      this.#worker = new Worker(new URL("./bot-worker.ts", import.meta.url), { type: "module" });
      this.#worker.onmessage = ({ data }: MessageEvent<BotsHere>) => this.#tell(data);
      this.#worker.onerror = () => this.#show("The bots could not be started.");
    }
    this.#worker.postMessage(wanted);
  }

  #tell({ count, problem }: BotsHere): void {
    const isAll = count === this.#wanted;
    this.#output.dataset["here"] = String(count);
    this.#show(isAll ? (count === 0 ? NONE : `${count} bots`) : `${count} of ${this.#wanted} bots${problem === "" ? "…" : `: ${problem}`}`);
  }

  #show(text: string): void {
    this.#output.textContent = text;
  }
}
