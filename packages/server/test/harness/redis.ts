/**
 * A real redis-server for a test, on a port of its own, without files. A test can kill, restart, pause and query it.
 */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { endWithProcess, type Scope } from "./scope.ts";

export type Published = { readonly channel: string; readonly bytes: Buffer };

export type Reply = string | number | null | readonly Reply[];

/** A working Redis answers in a millisecond; one that is stopped or hangs does not answer at all. */
const ANSWER_MS_MAX = 2000;

/** Whether this machine has another server of the same protocol; Debian has it from version 13 on. */
export const HAS_VALKEY = spawnSync("valkey-server", ["--version"]).status === 0;

export type RedisOptions = {
  /** Default: `redis-server`. */
  readonly program?: "redis-server" | "valkey-server";
  /** Only for tests about a certain port. */
  readonly port?: number;
  /** As `redis-server` takes them. */
  readonly args?: readonly string[];
  /** A file of settings, which it may write. */
  readonly config?: string;
};

export class RedisProcess {
  readonly port: number;
  readonly url: string;
  readonly #program: string;
  /** Further settings, as `redis-server` takes them. */
  readonly #args: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), "presence-redis-"));
  #child: ChildProcess | undefined;
  #output = "";

  private constructor(port: number, { program = "redis-server", args = [], config }: RedisOptions) {
    this.port = port;
    this.#program = program;
    this.#args = args;
    if (config !== undefined) {
      const file = join(this.#folder, "redis.conf");
      writeFileSync(file, config);
      this.#args = [file, ...args];
    }
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** Redis is ready when this returns; it ends with the test. */
  static async start(scope: Scope, options: RedisOptions = {}): Promise<RedisProcess> {
    const redis = new RedisProcess(options.port ?? (await freePort()), options);
    const forget = endWithProcess(() => redis.#child?.kill("SIGKILL"));
    scope.after(async () => {
      await redis.kill();
      rmSync(redis.#folder, { recursive: true, force: true });
      forget();
    });
    await redis.restart();
    return redis;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number {
    return this.#child?.pid ?? assert.fail("Redis is not running");
  }

  /** SIGKILL: connections break at once. No error if it is not running. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Starts it again, empty, on the same port; also after `kill()`. */
  async restart(): Promise<void> {
    await this.kill();
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", this.#folder];
    // A file of settings comes first.
    const args = this.#args[0]?.startsWith("--") === false ? [this.#args[0], ...own, ...this.#args.slice(1)] : [...own, ...this.#args];
    const child = spawn(this.#program, args, { stdio: ["ignore", "pipe", "inherit"] });
    child.once("error", (error) => {
      this.#output += `redis-server does not start (apt-get install redis-server?): ${error.message}`;
    });
    child.stdout.on("data", (text) => {
      this.#output += text;
    });
    this.#child = child;
    await eventually(
      async () => {
        if (child.pid === undefined || child.exitCode !== null) return false;
        return (await this.cli("PING")) === "PONG";
      },
      { what: () => `redis-server answers on port ${this.port}\n${this.#output.slice(-2000)}`, withinMs: 10_000 },
    );
  }

  /** SIGSTOP: connections stay open and the system goes on accepting new ones, but nothing is answered. */
  pause(): void {
    assert.ok(this.#child?.kill("SIGSTOP"), "there is no Redis to pause");
  }

  resume(): void {
    assert.ok(this.#child?.kill("SIGCONT"), "there is no Redis to resume");
  }

  /** One command on a connection of its own: `await redis.cli("CLIENT", "KILL", "TYPE", "pubsub")`. Rejects with Redis's error. */
  cli(...command: (string | Uint8Array)[]): Promise<Reply> {
    return askRedis(this.port, ...command);
  }

  /** Everything published on matching channels from now on; ends with the test. Redis counts it as a subscriber. */
  async watch(scope: Scope, pattern: string): Promise<readonly Published[]> {
    const published: Published[] = [];
    let isWatching = false;
    const socket = connect(this.port, "127.0.0.1");
    scope.after(() => void socket.destroy());
    socket.on("error", () => {});
    readReplies(socket, (reply) => {
      if (!Array.isArray(reply)) return;
      const [kind, , channel, message] = reply.map(String);
      if (kind === "psubscribe") isWatching = true;
      // In latin1 each character is one byte.
      if (kind === "pmessage") published.push({ channel: channel ?? "", bytes: Buffer.from(message ?? "", "latin1") });
    });
    socket.write(encodeCommand(["PSUBSCRIBE", pattern]));
    await eventually(() => isWatching, { what: `Redis shows what is published on ${pattern}` });
    return published;
  }

  /** Channels with a subscriber, sorted. */
  async channels(pattern = "*"): Promise<string[]> {
    const reply = await this.cli("PUBSUB", "CHANNELS", pattern);
    assert.ok(Array.isArray(reply));
    return reply.map(String).sort();
  }
}

/** Sends one command to the server on this port. */
export function askRedis(port: number, ...command: (string | Uint8Array)[]): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = Buffer.alloc(0);
    const settle = (finish: () => void) => {
      clearTimeout(deadline);
      socket.destroy();
      finish();
    };
    const fail = (error: Error) => settle(() => reject(error));
    const deadline = setTimeout(() => fail(new Error(`Redis did not answer ${command[0]} in ${ANSWER_MS_MAX} ms`)), ANSWER_MS_MAX);
    socket.on("error", fail);
    socket.on("close", () => fail(new Error(`Redis closed the connection at ${command[0]}`)));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const parsed = parseReply(received, 0);
      if (parsed === undefined) return;
      const { reply } = parsed;
      if (reply instanceof Error) fail(reply);
      else settle(() => resolve(reply));
    });
    socket.write(encodeCommand(command));
  });
}

function encodeCommand(parts: readonly (string | Uint8Array)[]): Buffer {
  const encoded = parts.flatMap((part) => [Buffer.from(`$${Buffer.byteLength(part)}\r\n`), Buffer.from(part), Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...encoded]);
}

/** Texts come as latin1, so that bytes survive. */
function readReplies(socket: Socket, take: (reply: Reply | Error) => void): void {
  let unread = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    for (let parsed = parseReply(unread, 0, "latin1"); parsed !== undefined; parsed = parseReply(unread, 0, "latin1")) {
      take(parsed.reply);
      unread = unread.subarray(parsed.end);
    }
  });
}

type Parsed = { readonly reply: Reply | Error; readonly end: number };

/** One RESP2 reply; undefined while it is incomplete. */
function parseReply(bytes: Buffer, start: number, texts: "utf8" | "latin1" = "utf8"): Parsed | undefined {
  const lineEnd = bytes.indexOf("\r\n", start, "latin1");
  if (lineEnd < 0) return undefined;
  const line = bytes.toString("utf8", start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case "+":
      return { reply: line, end };
    case "-":
      return { reply: new Error(line), end };
    case ":":
      return { reply: Number(line), end };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, end };
      return bytes.length < end + length + 2 ? undefined : { reply: bytes.toString(texts, end, end + length), end: end + length + 2 };
    }
    case "*": {
      const items: Reply[] = [];
      let at = end;
      for (let left = Number(line); left > 0; left--) {
        const item = parseReply(bytes, at, texts);
        if (item === undefined || item.reply instanceof Error) return item;
        items.push(item.reply);
        at = item.end;
      }
      return { reply: items, end: at };
    }
    default:
      return { reply: new Error(`not a Redis reply: ${line}`), end };
  }
}
