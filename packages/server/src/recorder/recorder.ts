/**
 * The flight recorder (docs/decisions/013): writes the last minutes of this instance to a file, when something went wrong or somebody asks.
 * `npm run sim -- --replay FILE` repeats them.
 */

import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { CoreOptions } from "../core/core.ts";
import type { Logger } from "../telemetry/log.ts";
import { VERSION } from "../version.ts";
import { RecordedCore, type Trouble } from "./recorded-core.ts";
import { FORMAT, recordingAsBytes } from "./recording.ts";

export type RecorderOptions = {
  /** Memory for the last minutes; 0: nothing is recorded. Two checkpoints of the core have to fit into half of it. */
  readonly bytes: number;
  /** Default: the system's directory for temporary files. */
  readonly dir?: string | undefined;
  /** Names, avatars, areas, states and what is said to others are recorded as they are. Default: placeholders. */
  readonly content?: boolean | undefined;
};

const BYTES_MIN = 2 ** 20;
const BYTES_MAX = 2 ** 30;
/** Trouble comes in series, and its beginning matters. */
const TROUBLE_EVERY_MS = 60_000;
/** Older files in the directory are deleted, whatever instance wrote them. */
export const FILES_MAX = 10;
const FILE = /^presence-recording-.*\.gz$/;

export class Recorder {
  readonly core: RecordedCore;
  readonly #options: RecorderOptions;
  readonly #log: Logger;
  #writing: Promise<string> | undefined;
  #troubleAt = Number.NEGATIVE_INFINITY;

  constructor(core: CoreOptions, options: RecorderOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    const { bytes, content = false } = options;
    this.core = new RecordedCore(core, { bytes, keepsContent: content, trouble: (why) => this.#troubled(why) });
  }

  /** Writes a file and answers its path. A call while another one is being written answers that one. Rejects if it cannot be written. */
  write(why: string): Promise<string> {
    this.#writing ??= this.#write(why).finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  #troubled(why: Trouble): void {
    if (performance.now() - this.#troubleAt < TROUBLE_EVERY_MS) return;
    this.#troubleAt = performance.now();
    // The effects of this input are carried out first.
    setImmediate(() => void this.write(why).catch(() => {}));
  }

  async #write(why: string): Promise<string> {
    const { instanceId } = this.core;
    const { dir = tmpdir() } = this.#options;
    const at = Date.now();
    const name = `presence-recording-${new Date(at).toISOString().replaceAll(":", "-")}-${instanceId.slice(0, 8)}.gz`;
    const file = join(dir, name);
    let isWhole: boolean;
    try {
      // Here, as it brings more of Node along than the whole recorder does: 3 MB.
      const { mkdir, writeFile } = await import("node:fs/promises");
      const segments = await this.core.recorded();
      isWhole = segments.some(({ checkpoint }) => checkpoint !== undefined);
      const bytes = recordingAsBytes({ format: FORMAT, version: VERSION, instanceId, why, at, segments });
      await mkdir(dir, { recursive: true });
      // Never over a file, or through a link, that somebody else has put there.
      await writeFile(file, await promisify(gzip)(bytes, { level: constants.Z_BEST_SPEED }), { flag: "wx", mode: 0o600 });
      await this.#tidy(dir);
    } catch (error) {
      this.#log.warn({ why, file, reason: error instanceof Error ? error.message : String(error) }, "cannot write a recording");
      throw error;
    }
    this.#log.warn(
      { why, file, ...(isWhole ? { replay: `npm run sim -- --replay ${file}` } : { log: `npm run sim -- --replay ${file} --trace 0` }) },
      isWhole
        ? "wrote a recording of the last minutes of this instance"
        : "wrote the last minutes of this instance as a log only: a checkpoint does not fit into RECORDER_BYTES or would take too long, so they cannot be replayed",
    );
    return file;
  }

  async #tidy(dir: string): Promise<void> {
    const { readdir, unlink } = await import("node:fs/promises");
    const files = (await readdir(dir)).filter((name) => FILE.test(name)).sort();
    // Files of other users stay.
    await Promise.allSettled(files.slice(0, -FILES_MAX).map((name) => unlink(join(dir, name))));
  }
}

export function isRecorderBytes(bytes: number): boolean {
  return bytes === 0 || (Number.isInteger(bytes) && bytes >= BYTES_MIN && bytes <= BYTES_MAX);
}
