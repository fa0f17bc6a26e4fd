/**
 * The physical limit beside a run of ours: a C program sends the same bytes in as many writes to as many sockets, and does nothing else. It is compiled
 * where `cc` is at hand. The number of writes is that of reads in the generator, so it is no more than that of the service.
 */

import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Run, Sent } from "./figures.ts";

const SOURCE = fileURLToPath(new URL("../../peers/limit/limit.c", import.meta.url));

export class Limit {
  readonly #folder: string;
  readonly #cores: readonly string[];

  private constructor(folder: string, isPinned: boolean) {
    this.#folder = folder;
    this.#cores = isPinned ? ["0", "1"] : [];
  }

  /** Undefined without a C compiler. `remove()` it at the end. */
  static compile(isPinned: boolean): Limit | undefined {
    const folder = mkdtempSync(join(tmpdir(), "presence-limit-"));
    try {
      execFileSync("cc", ["-O2", "-o", join(folder, "limit"), SOURCE], { stdio: ["ignore", "ignore", "pipe"] });
      return new Limit(folder, isPinned);
    } catch (error) {
      rmSync(folder, { recursive: true });
      console.error(`without the physical limit: ${(error as Error).message.split("\n")[0]}`);
      return undefined;
    }
  }

  async run({ sockets, boardSize, seconds, writes, bytes, updates }: Sent): Promise<Run> {
    const frames = Math.max(1, Math.round(writes / boardSize));
    const args = [sockets, boardSize, seconds, frames, Math.round(bytes / writes)].map(String);
    const { stdout } = await promisify(execFile)(join(this.#folder, "limit"), [...args, ...this.#cores]);
    const [cpu = 0, took = 0, p50 = 0, p99 = 0] = stdout.split(/\s+/).map(Number);
    const bytesEach = bytes / updates;
    return {
      figures: { cpu: (cpu * 1e6) / updates, localP50: p50, localP99: p99, bytes: bytesEach, cores: cpu / took },
      generator: 0,
    };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
