/**
 * The engine Hermes as a process that is told what to run on its standard input, and the native side of React Native around it: timers, and the
 * WebSockets of Node under the module `WebSocketModule`. `surroundings.js` is its other end.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { transformSync } from "esbuild";

export class Hermes {
  /** Lines of the app, and of what went wrong, as they came. */
  readonly told: string[] = [];
  readonly sockets = new Map<number, WebSocket>();
  readonly #process: ChildProcess;

  constructor(binary: string, surroundings: string) {
    this.#process = spawn(binary, ["-prompt=", "-Xmicrotask-queue"], { stdio: ["pipe", "pipe", "inherit"] });
    if (!this.#process.stdout) throw new Error("Hermes has no standard output");
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const from = line.indexOf("\u0001");
      if (from >= 0) this.#hear(JSON.parse(line.slice(from + 1)));
      else if (/Uncaught|Error/.test(line)) this.told.push(line);
    });
    // The module of react-native-get-random-values answers at once, so its bytes are there before it is asked.
    this.#say(`var randomTexts = ${JSON.stringify(Array.from({ length: 20 }, () => randomBytes(16).toString("base64")))}`);
    this.#eval(transformSync(readFileSync(surroundings, "utf8"), { target: "es2019", format: "iife" }).code);
  }

  load(bundle: string): void {
    this.#eval(readFileSync(bundle, "utf8"));
  }

  run(code: string): void {
    this.#say(`attempt(function () { ${code} })`);
  }

  /** An event of the native side. */
  emit(name: string, event: object): void {
    this.run(`emit(${JSON.stringify(name)}, ${JSON.stringify(event)})`);
  }

  end(): void {
    for (const socket of this.sockets.values()) socket.close();
    this.#process.kill("SIGKILL");
  }

  /** As one line, as the engine takes it. */
  #eval(program: string): void {
    this.#say(`(0, eval)(${JSON.stringify(program)})`);
  }

  #say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  #hear([what, ...about]: [string, ...unknown[]]): void {
    const id = Number(about[0]);
    switch (what) {
      case "timer":
        setTimeout(() => this.run(`fire(${id})`), Number(about[1])).unref();
        return;
      case "connect":
        return this.#connect(id, String(about[1]), about[2] as string[] | null);
      case "binary":
        return this.sockets.get(id)?.send(Buffer.from(String(about[1]), "base64"));
      case "close":
        return this.sockets.get(id)?.close(Number(about[1]), String(about[2]));
      default:
        this.told.push([what, ...about].join(" "));
    }
  }

  #connect(id: number, url: string, protocols: string[] | null): void {
    const socket = new WebSocket(url, protocols ?? []);
    socket.binaryType = "arraybuffer";
    this.sockets.set(id, socket);
    socket.onopen = () => this.emit("websocketOpen", { id, protocol: socket.protocol });
    socket.onmessage = ({ data }) => this.emit("websocketMessage", { id, type: "binary", data: Buffer.from(data).toString("base64") });
    socket.onclose = ({ code, reason, wasClean }) => {
      this.sockets.delete(id);
      if (wasClean) this.emit("websocketClosed", { id, code, reason });
      else this.emit("websocketFailed", { id, message: "lost" });
    };
  }
}
