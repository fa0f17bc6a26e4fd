/**
 * The measured cluster: a Redis and instances of the service, or of another program, as processes of their own on this machine. It measures their cost and knows
 * nothing of the load. Linux only, since costs are read from /proc.
 */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The server of this repository, from its sources; or, with its whole path, what was built of it (`bin/presence-service.cjs`) or another version to compare with. */
const SERVER_CLI = process.env["PRESENCE_CLI"] ?? fileURLToPath(new URL("../../server/src/cli.ts", import.meta.url));
const READY_MS_MAX = 60_000;
const LOOK_EVERY_MS = 50;
/** USER_HZ, the unit of times in /proc: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

/** The program that an instance runs. */
export type Program = {
  /** Node, if it is not said. */
  readonly command?: string;
  readonly args: readonly string[];
  /** The environment beside that of this process. */
  readonly env: (port: number, redisUrl: string) => Readonly<Record<string, string>>;
  /** It answers 200 here once it is ready. */
  readonly readyPath: string;
};

export const OURS: Program = {
  args: SERVER_CLI.endsWith(".ts") ? ["--conditions=presence-source", SERVER_CLI] : [SERVER_CLI],
  env: (port, redisUrl) => ({ WS_PORT: String(port), REDIS_URL: redisUrl, LOG_LEVEL: "error", DEMO: "off" }),
  readyPath: "/readyz",
};

type Run = (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

export class Cluster {
  redis: Process;
  readonly instances: Instance[] = [];
  readonly #folder: string;
  readonly redisPort: number;
  readonly #run: Run;
  readonly #program: Program;

  private constructor(redis: Process, redisPort: number, folder: string, run: Run, program: Program) {
    this.redis = redis;
    this.redisPort = redisPort;
    this.#folder = folder;
    this.#run = run;
    this.#program = program;
  }

  /** The instances are ready when this returns. The caller must call `stop()`, also when it fails. With `core`, all processes share that one. */
  static async start(count: number, core?: number, program: Program = OURS): Promise<Cluster> {
    const run: Run = (command, args, options) =>
      core === undefined ? spawn(command, args, options) : spawn("taskset", ["--cpu-list", String(core), command, ...args], options);
    const folder = mkdtempSync(join(tmpdir(), "presence-bench-"));
    const redisPort = await freePort();
    const cluster = new Cluster(redisOn(redisPort, folder, run), redisPort, folder, run, program);
    try {
      for (let nth = 0; nth < count; nth++) await cluster.#launch();
      await Promise.all(cluster.instances.map((instance) => instance.ready()));
    } catch (error) {
      cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** One more instance, ready when this returns. */
  async add(): Promise<Instance> {
    const instance = await this.#launch();
    await instance.ready();
    return instance;
  }

  /** A new Redis in the place of one that was killed. It is about to listen when this returns. */
  replaceRedis(): void {
    this.redis = redisOn(this.redisPort, this.#folder, this.#run);
  }

  async #launch(): Promise<Instance> {
    const port = await freePort();
    const redisUrl = `redis://127.0.0.1:${this.redisPort}`;
    const { command = process.execPath, args, env, readyPath } = this.#program;
    const options: SpawnOptions = {
      env: { ...process.env, ...env(port, redisUrl) },
      cwd: this.#folder,
      stdio: ["ignore", "inherit", "inherit"],
    };
    const instance = new Instance(this.#run(command, args, options), port, readyPath);
    this.instances.push(instance);
    return instance;
  }

  /** Kills all processes at once; nothing has to be saved. */
  stop(): void {
    for (const child of [...this.instances, this.redis]) child.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function redisOn(port: number, folder: string, run: Run): Process {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  return new Process(run("redis-server", args, { stdio: "ignore" }));
}

export class Process {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on("error", (error) => console.error(`${child.spawnfile}: ${error.message}`));
  }

  /** 0: it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  /** CPU time of all its threads, in user and system mode, since its start. */
  cpuSeconds(): number {
    if (this.hasEnded) throw new Error(`a process has ended by itself: ${this.#child.spawnargs.join(" ")}`);
    return cpuSecondsOf(this.#child.pid ?? 0);
  }

  residentBytes(): number {
    return Number(readFileSync(`/proc/${this.#child.pid}/statm`, "latin1").split(" ")[1]) * PAGE_BYTES;
  }

  kill(): void {
    this.signal("SIGKILL");
  }

  protected signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

export class Instance extends Process {
  /** Asks it to stop. */
  stop(): void {
    this.signal("SIGTERM");
  }

  readonly port: number;
  readonly #readyPath: string;

  constructor(child: ChildProcess, port: number, readyPath: string) {
    super(child);
    this.port = port;
    this.#readyPath = readyPath;
  }

  async ready(): Promise<void> {
    const deadline = performance.now() + READY_MS_MAX;
    while (performance.now() < deadline && !this.hasEnded) {
      const answer = await fetch(`http://127.0.0.1:${this.port}${this.#readyPath}`).catch(() => undefined);
      if (answer?.ok) return;
      await wait(LOOK_EVERY_MS);
    }
    throw new Error(`the instance on port ${this.port} ${this.hasEnded ? "has ended" : "is not ready"}`);
  }
}

export function cpuSecondsOf(pid: number | "self"): number {
  // The command in parentheses may hold spaces. utime and stime are the 14th and 15th field of the line.
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * A port that no server has now. It is below the range that the system uses for outgoing connections (from 32768): thousands of clients
 * use those, and one of them would take the port before the server does.
 */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error(`no free port found between ${PORT_MIN} and ${PORT_MAX}`);
}
