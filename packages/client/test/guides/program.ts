/** A program of a guide, run by Node in the folder of the guide, as its reader runs it. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { eventually } from "../../../server/test/harness/index.ts";
import { endWithProcess, type Scope } from "../../../server/test/harness/scope.ts";

export class Program {
  /** Of both outputs, so far. */
  readonly lines: string[] = [];
  /** Resolves to the code with which it has ended. */
  readonly ended: Promise<number | null>;
  readonly stop: (signal: NodeJS.Signals) => void;

  constructor(scope: Scope, folder: string, name: string, env: Readonly<Record<string, string>> = {}, args: readonly string[] = []) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", name, ...args], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    this.ended = new Promise((resolve) => child.once("close", resolve));
    this.stop = (signal) => void child.kill(signal);
    const forget = endWithProcess(() => child.kill("SIGKILL"));
    scope.after(async () => {
      child.kill("SIGKILL");
      await this.ended;
      forget();
    });
  }

  async printed(line: string): Promise<void> {
    await eventually(() => this.lines.includes(line), {
      what: () => `it prints "${line}"; it printed\n${this.lines.join("\n")}`,
      withinMs: 15_000,
    });
  }
}
