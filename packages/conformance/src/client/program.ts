/**
 * The client under test: a command that gets the URL and speaks lines of JSON, as docs/CLIENTS.md says. This keeps what it shows. A line
 * that is no JSON, or says something this kit does not know, is ignored.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { isObject, type Json, type JsonObject } from "@presence-service/protocol";
import { Waiting } from "../waiting.ts";

export type Seen = { readonly see: string; readonly board?: string; readonly [field: string]: Json | undefined };
type Command = { readonly do: string; readonly board?: string; readonly [field: string]: Json | undefined };

const EXIT_MS_MAX = 3000;

export class Program {
  readonly seen: Seen[] = [];
  readonly #said: string[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Waiting();
  readonly #exited: Promise<void>;

  constructor(command: string, url: string, tokens: readonly string[]) {
    const env = { ...process.env, PRESENCE_URL: url, PRESENCE_TOKENS: tokens.join(",") };
    // A process group of its own, so that the shell and the client end together.
    this.#child = spawn("/bin/sh", ["-c", `${command} "$0"`, url], { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.#exited = new Promise((resolve) => this.#child.once("close", () => resolve()));
    this.#child.stdin?.on("error", () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.#line(line));
    }
  }

  do(command: Command): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  until<T>(find: () => T | undefined | false, what: string, withinMs?: number): Promise<T> {
    return this.#waiting.until(find, what, () => [`the client printed, at the end:`, ...this.#said.slice(-14)].join("\n  "), withinMs);
  }

  /** The first such line, now or later, after the first `since` lines. */
  async sees(see: string, fits: (seen: Seen) => boolean = () => true, since = 0, withinMs?: number): Promise<Seen> {
    return this.until(() => this.all(see, since).find(fits), `the client sees ${see}`, withinMs);
  }

  all(see: string, since = 0): Seen[] {
    return this.seen.slice(since).filter((seen) => seen.see === see);
  }

  /** The last of these. */
  last(see: string, board: string): Seen | undefined {
    return this.seen.findLast((seen) => seen.see === see && seen.board === board);
  }

  /** The members it shows on a board, oneself included. */
  members(board: string): JsonObject[] {
    const members = this.last("roster", board)?.["members"];
    return Array.isArray(members) ? members.filter(isObject).map((one) => one as JsonObject) : [];
  }

  named(board: string, username: string): JsonObject | undefined {
    return this.members(board).find((one) => one["username"] === username);
  }

  /** Resolves when the roster shown is of exactly these people, in any order. */
  async shows(board: string, names: readonly string[], withinMs?: number): Promise<void> {
    const wanted = [...names].sort().join();
    const shown = () =>
      this.members(board)
        .map((one) => String(one["username"]))
        .sort()
        .join();
    await this.until(() => this.last("roster", board) !== undefined && shown() === wanted, `the roster of ${board} is ${wanted}`, withinMs);
  }

  /** The end of its commands: it leaves and ends by itself. */
  finish(): void {
    this.#child.stdin?.end();
  }

  /** `false`: it had to be killed. */
  async end(): Promise<boolean> {
    this.finish();
    const late = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), EXIT_MS_MAX);
      void this.#exited.then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    const isOver = await late;
    if (!isOver) this.#kill();
    await this.#exited;
    return isOver;
  }

  #kill(): void {
    try {
      process.kill(-(this.#child.pid ?? 0), "SIGKILL");
    } catch {
      this.#child.kill("SIGKILL");
    }
  }

  #line(line: string): void {
    this.#said.push(line.slice(0, 300));
    try {
      const seen: unknown = JSON.parse(line);
      if (isObject(seen) && typeof seen["see"] === "string") this.seen.push(seen as Seen);
    } catch {
      // A client may print other things.
    }
    this.#waiting.check();
  }
}
