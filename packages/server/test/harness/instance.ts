/**
 * The real service as a process of its own, as an operator would start it. Its output is shown if the test fails.
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { endWithProcess, type Scope } from "./scope.ts";

/** The command from its sources; `PRESENCE_CLI=packages/server/bin/presence-service.cjs npm test` has the tests run what was built. */
export const CLI = resolve(process.env["PRESENCE_CLI"] ?? fileURLToPath(new URL("../../src/cli.ts", import.meta.url)));
/** It takes half a second on a quiet machine, and was seen to take more than 15 s on one with much other work. */
const READY_MS_MAX = 60_000;
/** The same value as in edge/http.ts. */
const RENDERED_MS = 1000;
/** So many lines of each instance are shown when a test fails; `lines` has all. */
const SHOWN_LINES_MAX = 40;
/** Settings in the environment of the tests, which instances must not inherit. */
const SETTINGS =
  /^(?:REDIS_|BUS_|WS_|LOG_|ADMIN_|WEBHOOK_|AUTH|ALLOWED_|TOKEN_IN_|DEMO|INSPECTOR|DRAIN_|TRUSTED_|[A-Z]+_PER_|CONNECTIONS_|HELLO_|RECORDER_|NODE_TEST_CONTEXT$|NODE_OPTIONS$|NODE_ENV$)/;

export type InstanceOptions = {
  /** Not given: the service's own default. */
  readonly redisUrl?: string;
  /** Not given: a free one. */
  readonly port?: number;
  /** Further settings; they win over the above. */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Another file of the command than `CLI`. */
  readonly cli?: string;
  /** The limit of its file descriptors; not given: the limit of these tests. */
  readonly filesMax?: number;
};

/** How a process ended: by itself with a code, or by a signal. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** The value of a series; fails if there is none. */
export type Metrics = (series: string) => number;

/** The part of `/health` that tests look at. */
export type Health = {
  readonly status: "starting" | "ok" | "degraded" | "draining";
  readonly degraded: { readonly all: boolean; readonly boards: number; readonly reason: string } | null;
  readonly instanceId: string;
  readonly redis: {
    readonly mode: string;
    readonly publisherAt: string | null;
    readonly subscriberAt: string | null;
    readonly publisher: "up" | "down";
    readonly subscriber: "up" | "down";
    readonly echoMs: number | null;
  };
  readonly peers: readonly { readonly instanceId: string; readonly state: "up" | "deaf" | "suspect" | "down" }[];
  readonly connections: number;
};

export class Instance {
  readonly port: number;
  /** `http://localhost:3001` */
  readonly url: string;
  /** `ws://localhost:3001` */
  readonly wsUrl: string;
  /** Its output so far, stdout and stderr, without line ends. */
  readonly lines: readonly string[];
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;

  /** With which strangers' answers become those for operators: only where its environment has one. */
  readonly #adminToken: string | undefined;

  private constructor(child: ChildProcess, port: number, lines: string[], adminToken: string | undefined) {
    this.#adminToken = adminToken;
    this.#child = child;
    this.port = port;
    this.url = `http://localhost:${port}`;
    this.wsUrl = `ws://localhost:${port}`;
    this.lines = lines;
    this.exited = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  }

  /** Starts one and waits until `/readyz` answers 200. If it ends before or takes too long, this fails and shows its output. */
  static async start(scope: Scope, options: InstanceOptions = {}): Promise<Instance> {
    const instance = await Instance.launch(scope, options);
    await instance.ready();
    return instance;
  }

  /** Starts one without waiting: for tests about starting. */
  static async launch(scope: Scope, { redisUrl, port, env, args = [], cli = CLI, filesMax }: InstanceOptions = {}): Promise<Instance> {
    const ownPort = port ?? (await freePort());
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !SETTINGS.test(name)));
    const redis = redisUrl === undefined ? {} : { REDIS_URL: redisUrl };
    const command = [process.execPath, "--conditions=presence-source", cli, ...args];
    const limited = filesMax === undefined ? command : ["sh", "-c", `ulimit -n ${filesMax}; exec "$0" "$@"`, ...command];
    const child = spawn(limited[0] ?? "", limited.slice(1), {
      env: { ...inherited, ...redis, WS_PORT: String(ownPort), ...env },
      // Not the repository, where a developer's `.env` would change the settings.
      cwd: tmpdir(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", (line) => lines.push(line));
    const instance = new Instance(child, ownPort, lines, env?.["ADMIN_TOKEN"]);
    const forget = endWithProcess(() => child.kill("SIGKILL"));
    scope.after(async () => {
      if (scope.passed === false) {
        console.log([`instance ${ownPort} printed (the end of ${lines.length} lines):`, ...lines.slice(-SHOWN_LINES_MAX)].join("\n"));
      }
      await instance.kill("SIGKILL");
      forget();
    });
    return instance;
  }

  get pid(): number {
    return this.#child.pid ?? assert.fail("it never started");
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async ready(): Promise<void> {
    const what = () => `instance on port ${this.port} is ready\n${this.lines.slice(-SHOWN_LINES_MAX).join("\n")}`;
    const state = await eventually(async () => (this.isRunning ? (await this.get("/readyz")).status === 200 && "ready" : "ended"), {
      what,
      withinMs: READY_MS_MAX,
    });
    assert.equal(state, "ready", what());
  }

  /** Each request uses a connection of its own. Rejects if no process listens. */
  get(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("connection", "close");
    return fetch(this.url + path, { ...init, headers, signal: AbortSignal.timeout(5000) });
  }

  async health(): Promise<Health> {
    return (await (await this.get("/health")).json()) as Health;
  }

  /** All series of `/metrics` by name and labels: `presence_bus_received_total{kind="delta"}`. */
  async metrics(): Promise<Metrics> {
    const text = await this.#freshPage("/metrics");
    const series = new Map<string, number>();
    for (const [, name, value] of text.matchAll(/^([a-z][^ \n]*) ([^ \n]+)$/gm)) series.set(String(name), Number(value));
    return (name) => series.get(name) ?? assert.fail(`/metrics has no ${name}`);
  }

  /** An instance renders this page at most once a second. This waits for a page that is not older than the call. */
  async #freshPage(path: string): Promise<string> {
    const askedAt = performance.now();
    for (;;) {
      const response = await this.get(
        path,
        this.#adminToken === undefined ? {} : { headers: { Authorization: `Bearer ${this.#adminToken}` } },
      );
      const [text, ageMs] = [await response.text(), Number(response.headers.get("x-age-ms"))];
      if (ageMs <= performance.now() - askedAt) return text;
      await wait(Math.max(1, RENDERED_MS - ageMs));
    }
  }

  /** One series of `/metrics`. */
  async metric(name: string): Promise<number> {
    return (await this.metrics())(name);
  }

  /** Sends the signal. After SIGKILL, SIGTERM and SIGINT it waits for the end and returns it; after others it returns undefined at once. */
  async kill(signal: NodeJS.Signals): Promise<Exit | undefined> {
    if (this.isRunning) this.#child.kill(signal);
    return ["SIGKILL", "SIGTERM", "SIGINT"].includes(signal) ? this.exited : undefined;
  }

  /** Resident memory in bytes. Linux only. */
  async residentBytes(): Promise<number> {
    const pages = (await readFile(`/proc/${this.pid}/statm`, "latin1")).split(" ")[1];
    return Number(pages) * 4096;
  }
}
