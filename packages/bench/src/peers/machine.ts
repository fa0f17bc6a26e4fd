/** The machine and the versions that figures are of. Without them figures say little. */

import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";

export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  readonly redis: string;
  /** Of this repository; undefined: it is not one of git. */
  readonly commit: string | undefined;
  readonly at: string;
  /** Over the last minute, as the runs began: above 1 others were busy here too. */
  readonly loadBefore: number;
};

export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    redis: /v=(\S+)/.exec(said("redis-server", "--version") ?? "")?.[1] ?? "unknown",
    commit: said("git", "rev-parse", "--short", "HEAD")?.trim(),
    at: new Date().toISOString(),
    loadBefore: loadavg()[0] ?? 0,
  };
}

export function machineLine({ processor, cores, memoryGb, system, node, redis, commit, at, loadBefore }: Machine): string {
  const of = commit === undefined ? "" : `, commit ${commit}`;
  return `${processor}, ${cores} cores, ${memoryGb} GB, ${system}, Node ${node}, Redis ${redis}${of}; ${at.slice(0, 16).replace("T", " ")} UTC, load before ${loadBefore.toFixed(1)}`;
}

/** The output of a program; undefined: it cannot be run. */
export function said(command: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { stdio: ["ignore", "pipe", "ignore"] }).toString();
  } catch {
    return undefined;
  }
}
