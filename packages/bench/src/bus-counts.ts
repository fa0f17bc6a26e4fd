/**
 * The traffic of the bus so far, as Redis itself and the instances count it: take the difference of two. Asking costs no more than it takes off again.
 */

import { connect, type Socket } from "node:net";
import type { Cluster } from "./cluster.ts";

export type BusCounts = {
  readonly at: number;
  /** PUBLISH and SPUBLISH, also of scripts. */
  readonly publishes: number;
  /** Redis read and wrote so many on all its connections, but for these questions. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages that Redis has delivered to the instances, own ones that came back included. Only ours count them. */
  readonly deliveries: number | undefined;
};

const QUESTIONS = ["INFO stats\r\n", "INFO commandstats\r\n"] as const;

export class BusMeter {
  readonly #cluster: Cluster;
  readonly #redis: Socket;
  #asked = 0;
  #answered = 0;

  private constructor(cluster: Cluster, redis: Socket) {
    this.#cluster = cluster;
    this.#redis = redis;
  }

  /** `close()` it at the end. */
  static open(cluster: Cluster): Promise<BusMeter> {
    return new Promise((resolve, reject) => {
      const redis = connect({ port: cluster.redisPort, host: "127.0.0.1", noDelay: true });
      redis.once("connect", () => resolve(new BusMeter(cluster, redis)));
      redis.on("error", reject);
    });
  }

  async take(): Promise<BusCounts> {
    // Redis counts a question as it reads it, and the answer once it is written.
    const asked = this.#asked + QUESTIONS[0].length;
    const answered = this.#answered;
    const stats = await this.#ask(QUESTIONS[0]);
    const commands = await this.#ask(QUESTIONS[1]);
    const deliveries = await Promise.all(this.#cluster.instances.map(({ port }) => deliveriesTo(port)));
    return {
      at: performance.now(),
      publishes: [...commands.matchAll(/^cmdstat_s?publish:calls=(\d+)/gm)].reduce((total, [, calls]) => total + Number(calls), 0),
      bytesIn: numberIn(stats, /^total_net_input_bytes:(\d+)/m) - asked,
      bytesOut: numberIn(stats, /^total_net_output_bytes:(\d+)/m) - answered,
      deliveries: deliveries.includes(undefined) ? undefined : deliveries.reduce((total: number, each) => total + (each ?? 0), 0),
    };
  }

  close(): void {
    this.#redis.destroy();
  }

  #ask(question: string): Promise<string> {
    this.#asked += question.length;
    this.#redis.write(question);
    return new Promise((resolve) => {
      let answer = "";
      const read = (chunk: Buffer) => {
        answer += chunk.toString("latin1");
        // `$<length>\r\n`, so many bytes, `\r\n`
        const [head, length] = /^\$(\d+)\r\n/.exec(answer) ?? [];
        if (head === undefined || answer.length < head.length + Number(length) + 2) return;
        this.#redis.off("data", read);
        this.#answered += answer.length;
        resolve(answer);
      };
      this.#redis.on("data", read);
    });
  }
}

async function deliveriesTo(port: number): Promise<number | undefined> {
  const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
    (answer) => (answer.ok ? answer.text() : ""),
    () => "",
  );
  const counts = [...text.matchAll(/^presence_bus_(?:received|echoes)_total(?:\{[^}]*\})? (\d+)/gm)];
  return counts.length === 0 ? undefined : counts.reduce((total, [, count]) => total + Number(count), 0);
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}
