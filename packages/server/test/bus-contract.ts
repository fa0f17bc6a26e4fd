/**
 * The delivery contract of `Bus` as tests, one sentence after the other, for every implementation. Each bus here has its Redis to
 * itself, if it uses one, so that numbers of subscribers count only this bus.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Bus, BusListener, FailedAttempt, Link, Refusal } from "../src/bus/bus.ts";
import { PresenceError } from "../src/errors.ts";
import { eventually, throughout } from "./harness/index.ts";

/** Records all calls of the bus, in order: `up publisher 1`, `subscribed a`, `down subscriber`; messages are kept apart. */
export class Recorder implements BusListener {
  readonly facts: string[] = [];
  readonly messages: { readonly channel: string; readonly message: Uint8Array }[] = [];
  readonly downs: string[] = [];
  readonly failed: FailedAttempt[] = [];
  readonly refusals: Refusal[] = [];
  /** Called in addition, for each message. */
  onMessage: (channel: string, message: Uint8Array) => void = () => {};
  onSubscribed: (channel: string) => void = () => {};
  /** Calls of the listener during a call that `outside` made. */
  readonly violations: string[] = [];
  #isInCall = false;

  message(channel: string, message: Uint8Array): void {
    this.#judge(`message on ${channel}`);
    this.messages.push({ channel, message });
    this.onMessage(channel, message);
  }

  subscribed(channel: string): void {
    this.#note(`subscribed ${channel}`);
    this.onSubscribed(channel);
  }

  linkUp(link: Link, number: number): void {
    this.#note(`up ${link} ${number}`);
  }

  linkDown(link: Link, reason: string): void {
    this.downs.push(reason);
    this.#note(`down ${link}`);
  }

  attemptFailed(attempt: FailedAttempt): void {
    this.failed.push(attempt);
  }

  refused(refusal: Refusal): void {
    this.refusals.push(refusal);
  }

  lost(channels: readonly string[]): void {
    this.#note(`lost ${[...channels].sort().join(" ")}`);
  }

  /** Makes a call to the bus, during which the bus must not call the listener. */
  outside<T>(call: () => T): T {
    this.#isInCall = true;
    try {
      return call();
    } finally {
      this.#isInCall = false;
    }
  }

  /** The texts of messages on a channel. */
  texts(channel: string): string[] {
    return this.messages.flatMap((heard) => (heard.channel === channel ? [Buffer.from(heard.message).toString()] : []));
  }

  count(fact: string): number {
    return this.facts.filter((noted) => noted === fact).length;
  }

  async until(fact: string, times = 1): Promise<void> {
    await eventually(() => this.count(fact) >= times, { what: () => `${times} × "${fact}" among: ${this.facts.join(", ")}` });
  }

  #note(fact: string): void {
    this.#judge(fact);
    this.facts.push(fact);
  }

  #judge(fact: string): void {
    if (this.#isInCall) this.violations.push(fact);
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function hasCode(code: PresenceError["code"], words = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof PresenceError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

export type ContractOptions = {
  /** Whether a publish resolves to a number of subscribers. Default: yes. */
  readonly isCounted?: boolean;
  /** Whether channels go over connections of their own, but for the one that all instances hear. Default: no. */
  readonly isSpread?: boolean;
};

/** `make` gives a bus that is not started yet, and closes it with the test. */
export function busContract(
  name: string,
  make: (scope: TestContext) => Promise<Bus> | Bus,
  { isCounted = true, isSpread = false }: ContractOptions = {},
): void {
  let markers = 0;
  /** Publishes that text; answers how many subscribers it reached: as the bus counts them, or else as they have received it. */
  const reached = async (bus: Bus, heard: Recorder, channel: string, text = "x"): Promise<number | undefined> => {
    const before = heard.texts(channel).length;
    const counted = await bus.publish(channel, bytes(text));
    if (isCounted) return counted;
    assert.equal(counted, undefined);
    bus.subscribe("marker");
    await heard.until("subscribed marker");
    const marker = `${markers++}`;
    await bus.publish("marker", bytes(marker));
    await eventually(() => heard.texts("marker").includes(marker), { what: "a message that was published later" });
    return heard.texts(channel).length - before;
  };

  const started = async (scope: TestContext, channels: readonly string[] = []): Promise<{ bus: Bus; heard: Recorder }> => {
    const heard = new Recorder();
    const bus = await make(scope);
    for (const channel of channels) bus.subscribe(channel);
    await bus.start(heard);
    return { bus, heard };
  };

  test(`${name}: start resolves when both links were reported up, after the subscriptions asked for by then`, async (t) => {
    const { bus, heard } = await started(t, ["a", "b"]);
    assert.deepEqual([...heard.facts].sort(), ["subscribed a", "subscribed b", "up publisher 1", "up subscriber 1"]);
    assert.equal(heard.facts.at(-1), "up subscriber 1");
    assert.equal(bus.publisherLink, 1);
  });

  // Moves on the channels of single instances rest on this (R25.10).
  if (!isSpread)
    test(`[R25.10] ${name}: messages stay in order across channels, those published in other turns too`, async (t) => {
      const channels = Array.from({ length: 20 }, (_, nth) => `presence:channel:${nth}`);
      const { bus, heard } = await started(t, channels);
      const said: string[] = [];
      for (let round = 0; round < 50; round++) {
        for (let nth = 0; nth < 20; nth++) {
          const channel = channels[(nth * 7 + round) % channels.length] as string;
          const text = `${said.length}${"x".repeat(nth === 3 ? 20_000 : 1)}`;
          said.push(`${channel} ${text.slice(0, 8)}`);
          void bus.publish(channel, bytes(text));
        }
        if (round % 3 === 0) await new Promise(setImmediate);
      }
      await eventually(() => heard.messages.length === said.length, { what: "all of them" });
      assert.deepEqual(
        heard.messages.map(({ channel, message }) => `${channel} ${Buffer.from(message).toString().slice(0, 8)}`),
        said,
      );
    });

  test(`${name}: own messages come back, byte for byte and in order, on the channels subscribed to`, async (t) => {
    const { bus, heard } = await started(t, ["presence:board:a/b@c~d:e", "presence:global"]);
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    const large = new Uint8Array(300_000).fill(7);
    for (const message of [all, new Uint8Array(0), bytes("\r\n$5\r\n>3\r\n"), large]) void bus.publish("presence:board:a/b@c~d:e", message);
    void bus.publish("presence:elsewhere", bytes("no"));
    await bus.publish("presence:global", bytes("last"));
    // Where channels are spread, one of them may be behind.
    if (isSpread) await eventually(() => heard.texts("presence:board:a/b@c~d:e").length === 4, { what: "the messages" });
    await eventually(() => heard.texts("presence:global").length === 1, { what: "the last message" });
    const board = heard.messages.filter(({ channel }) => channel !== "presence:global");
    assert.deepEqual(
      board.map(({ channel }) => channel),
      Array(4).fill("presence:board:a/b@c~d:e"),
    );
    assert.deepEqual(
      board.map(({ message }) => message.length),
      [256, 0, 10, 300_000],
    );
    assert.ok(Buffer.from(all).equals(board[0]?.message ?? bytes("nothing")));
    assert.ok(Buffer.from(large).equals(board[3]?.message ?? bytes("nothing")));
  });

  test(`${name}: a publish ${isCounted ? "resolves to the number of subscribers reached" : "reaches who is subscribed"}`, async (t) => {
    const { bus, heard } = await started(t, ["a"]);
    assert.equal(await reached(bus, heard, "a"), 1);
    assert.equal(await reached(bus, heard, "b"), 0);
    bus.subscribe("b");
    await heard.until("subscribed b");
    assert.equal(await reached(bus, heard, "b"), 1);
  });

  test(`${name}: a listener may keep a message, and a publisher may reuse its bytes once the publish has settled`, async (t) => {
    const { bus, heard } = await started(t, ["a"]);
    const reused = new Uint8Array(1000);
    for (let n = 0; n < 300; n++) {
      reused.fill(n % 256);
      await bus.publish("a", reused);
    }
    await eventually(() => heard.messages.length === 300, { what: "300 messages" });
    for (const [n, { message }] of heard.messages.entries()) assert.ok(Buffer.alloc(1000, n % 256).equals(message), `message ${n}`);
  });

  test(`${name}: a subscription is wanted until unsubscribe, both idempotent, and reported each time it took effect`, async (t) => {
    const { bus, heard } = await started(t, ["end"]);
    for (let times = 0; times < 3; times++) bus.subscribe("a");
    await heard.until("subscribed a");
    bus.subscribe("a");
    for (let times = 0; times < 3; times++) bus.unsubscribe("a");
    bus.unsubscribe("never wanted");
    await eventually(async () => (await reached(bus, heard, "a", "nobody's")) === 0, { what: "nobody is subscribed" });
    assert.equal(heard.count("subscribed a"), 1);

    bus.subscribe("a");
    await heard.until("subscribed a", 2);
    await bus.publish("a", bytes("mine"));
    await eventually(() => heard.texts("a").at(-1) === "mine", { what: "the message after the second subscription" });
  });

  test(`${name}: of several calls for a channel in one turn the last one counts`, async (t) => {
    const { bus, heard } = await started(t, ["held", "dropped"]);
    bus.subscribe("brief");
    bus.unsubscribe("brief");
    bus.unsubscribe("held");
    bus.subscribe("held");
    bus.unsubscribe("dropped");
    bus.subscribe("dropped");
    bus.unsubscribe("dropped");
    bus.subscribe("new");
    bus.unsubscribe("new");
    bus.subscribe("new");
    await heard.until("subscribed held", 2);
    await heard.until("subscribed new");
    const receivers = await Promise.all(["brief", "held", "dropped", "new"].map((channel) => reached(bus, heard, channel)));
    assert.deepEqual(receivers, [0, 1, 0, 1]);
  });

  test(`${name}: a channel unsubscribed and subscribed again before the first confirmation stays subscribed`, async (t) => {
    const { bus, heard } = await started(t);
    for (let turn = 0; turn < 20; turn++) {
      bus.subscribe("a");
      await nextTurn();
      bus.unsubscribe("a");
      if (turn % 3 === 0) await nextTurn();
    }
    bus.subscribe("a");
    bus.subscribe("end");
    await heard.until("subscribed end");
    assert.equal(await reached(bus, heard, "a"), 1);
    await eventually(() => heard.texts("a").length === 1, { what: "the message" });
  });

  test(`${name}: resubscribe renews a wanted subscription and reports it, and is ignored for other channels`, async (t) => {
    const { bus, heard } = await started(t, ["a"]);
    bus.resubscribe("b");
    bus.resubscribe("a");
    await heard.until("subscribed a", 2);
    assert.equal(await reached(bus, heard, "a"), 1);
    assert.equal(await reached(bus, heard, "b"), 0);
    await eventually(() => heard.texts("a").length === 1, { what: "one message" });
    assert.equal(heard.count("subscribed b"), 0);
  });

  test(`${name}: a recycled publisher goes down and up once, with the next link number`, async (t) => {
    const { bus, heard } = await started(t, ["a"]);
    heard.facts.length = 0;
    bus.recycle("publisher");
    await heard.until("up publisher 2");
    assert.deepEqual(heard.facts, ["down publisher", "up publisher 2"]);
    assert.equal(bus.publisherLink, 2);
    assert.equal(await reached(bus, heard, "a"), 1);
  });

  test(`${name}: a recycled subscriber is up once all wanted subscriptions took effect again`, async (t) => {
    const channels = Array.from({ length: 200 }, (_, index) => `board:${index}`);
    const { bus, heard } = await started(t, [...channels, "presence:global"]);
    heard.facts.length = 0;
    bus.recycle("subscriber");
    await heard.until("up subscriber 2");
    assert.equal(heard.facts[0], "down subscriber");
    assert.equal(heard.facts.at(-1), "up subscriber 2");
    // Channels of other connections are not touched.
    const renewed = isSpread ? ["presence:global"] : [...channels, "presence:global"];
    assert.deepEqual(heard.facts.slice(1, -1).sort(), renewed.map((channel) => `subscribed ${channel}`).sort());
    const receivers = await Promise.all(channels.map((channel) => reached(bus, heard, channel)));
    assert.deepEqual(new Set(receivers), new Set([1]));
    await eventually(() => channels.every((channel) => heard.texts(channel).length === 1), { what: "a message on each channel" });
    assert.equal(bus.publisherLink, 1);
  });

  test(`${name}: links recycled from within a message handler come up again, and no message is delivered twice`, async (t) => {
    const { bus, heard } = await started(t, ["a"]);
    heard.onMessage = () => {
      heard.onMessage = () => {};
      bus.recycle("subscriber");
      bus.recycle("publisher");
    };
    for (let n = 0; n < 100; n++) bus.publish("a", bytes(`before ${n}`)).catch(() => {});
    await heard.until("up subscriber 2");
    await heard.until("up publisher 2");
    await bus.publish("a", bytes("after"));
    await eventually(() => heard.texts("a").at(-1) === "after", { what: "a message after it" });
    assert.equal(new Set(heard.texts("a")).size, heard.texts("a").length);
    assert.deepEqual([heard.count("down subscriber"), heard.count("down publisher")], [1, 1]);
  });

  test(`${name}: at rest nothing is unanswered, and a health check takes some milliseconds`, async (t) => {
    const { bus } = await started(t);
    await bus.publish("a", bytes("x"));
    assert.equal(bus.oldestUnansweredMs(), 0);
    const ms = await bus.healthCheck();
    assert.ok(ms >= 0 && ms < 1000, `${ms} ms`);
  });

  test(`${name}: the listener is never called from within a call to the bus`, async (t) => {
    const heard = new Recorder();
    const bus = await make(t);
    heard.outside(() => bus.subscribe("early"));
    await heard.outside(() => bus.start(heard));
    const calls = [
      () => bus.subscribe("a"),
      () => bus.publish("early", bytes("x")),
      () => bus.resubscribe("early"),
      () => bus.unsubscribe("a"),
      () => bus.recycle("subscriber"),
      () => bus.recycle("publisher"),
    ];
    for (const call of calls) await heard.outside(call);
    await heard.until("up publisher 2");
    await heard.until("up subscriber 2");
    await heard.outside(() => bus.close());
    assert.deepEqual(heard.violations, []);
  });

  test(`${name}: before start and after close the bus is down, and calls have no effect`, async (t) => {
    const heard = new Recorder();
    const bus = await make(t);
    assert.equal(bus.publisherLink, 0);
    assert.equal(bus.oldestUnansweredMs(), 0);
    await assert.rejects(bus.publish("a", bytes("x")), hasCode("BUS_DOWN"));
    await assert.rejects(bus.healthCheck(), hasCode("BUS_DOWN"));
    bus.subscribe("a");
    await bus.start(heard);

    const underWay = bus.publish("a", bytes("x"));
    await Promise.all([bus.close(), bus.close()]);
    assert.equal(await underWay, isCounted ? 1 : undefined, "a publish under way is waited for");
    const told = heard.facts.length + heard.messages.length;
    await assert.rejects(bus.publish("a", bytes("x")), hasCode("BUS_DOWN"));
    await assert.rejects(bus.healthCheck(), hasCode("BUS_DOWN"));
    bus.subscribe("b");
    bus.resubscribe("a");
    bus.unsubscribe("a");
    bus.recycle("publisher");
    bus.recycle("subscriber");
    await bus.close();
    await throughout(() => heard.facts.length + heard.messages.length === told, {
      what: "the listener is not called after close",
      forMs: 200,
    });
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
