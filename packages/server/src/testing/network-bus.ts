/** The bus of a whole instance on the simulated Redis of a World: the contract of bus/bus.ts over network.ts. Bytes pass through unchanged. */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import { type Bus, type BusListener, BusRefused, type Channel, type Channels, type Link } from "../bus/bus.ts";
import type { Input } from "../core/effects.ts";
import type { BusMessage } from "../core/messages.ts";
import { PresenceError } from "../errors.ts";
import type { Network, Channel as Wire } from "./network.ts";

/** The network shares a message between instances, and freezes it: bytes cannot be frozen, so they are behind a function. */
type Carried = { readonly kind: "bytes"; readonly bytes: () => Uint8Array };

type Pending = { readonly taken: (receivers: number | undefined) => void; readonly failed: (error: PresenceError) => void };

const REFUSED = { reason: "NOPERM", gist: "a right is missing", advice: "" };

export class NetworkBus implements Bus {
  readonly mode = "standalone";
  readonly address = "simulated";
  readonly isSpread = false;
  readonly #index: number;
  readonly #network: Network;
  readonly #global: Channel;
  readonly #wanted = new Set<Channel>();
  #listener: BusListener | undefined;
  #started: () => void = () => {};
  /** Of the current publisher, in order. */
  #pending: Pending[] = [];
  readonly #up = new Set<Link>();
  readonly #numbers: Record<Link, number> = { publisher: 0, subscriber: 0 };

  /** `run`: lets the process handle what has come, now or when it goes on. Attached in the order of the instances. */
  constructor(
    at: { readonly index: number; readonly instanceId: InstanceId },
    network: Network,
    channels: Channels,
    run: (act: () => void) => void,
  ) {
    this.#index = at.index;
    this.#network = network;
    this.#global = channels.global;
    network.attach(at.instanceId, (read) =>
      run(() => {
        const input = read();
        if (input !== undefined) this.#hear(input);
      }),
    );
  }

  get publisherLink(): number {
    return this.#numbers.publisher;
  }

  /** The channels that are wanted. */
  get channels(): ReadonlySet<Channel> {
    return this.#wanted;
  }

  at(link: Link): string | undefined {
    return this.#up.has(link) ? this.address : undefined;
  }

  start(listener: BusListener): Promise<void> {
    this.#listener = listener;
    return new Promise((resolve) => {
      this.#started = resolve;
    });
  }

  publish(channel: Channel, message: Uint8Array): Promise<number | undefined> {
    if (!this.#up.has("publisher")) return Promise.reject(new PresenceError("BUS_DOWN", "no connection"));
    const bytes = message.slice();
    const carried: Carried = { kind: "bytes", bytes: () => bytes };
    return new Promise((taken, failed) => {
      this.#pending.push({ taken, failed });
      this.#network.publish(this.#index, this.#wireOf(channel), carried as unknown as BusMessage);
    });
  }

  subscribe(channel: Channel): void {
    this.#wanted.add(channel);
    this.#network.subscribe(this.#index, this.#wireOf(channel));
  }

  unsubscribe(channel: Channel): void {
    this.#wanted.delete(channel);
    this.#network.unsubscribe(this.#index, this.#wireOf(channel));
  }

  resubscribe(channel: Channel): void {
    if (this.#wanted.has(channel)) this.#network.resubscribe(this.#index, this.#wireOf(channel));
  }

  recycle(link: Link): void {
    this.#network.recycle(this.#index, link);
  }

  oldestUnansweredMs(): Millis {
    return this.#network.oldestUnansweredMs(this.#index);
  }

  async healthCheck(): Promise<Millis> {
    return 0;
  }

  async close(): Promise<void> {}

  #hear(input: Input): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    switch (input.kind) {
      case "heard":
        return listener.message(this.#channelOf(input.boardId), (input.message as unknown as Carried).bytes());
      case "subscribed":
        return listener.subscribed(this.#channelOf(input.boardId));
      case "subscribe_refused":
        return listener.refused({ ...REFUSED, channel: this.#channelOf(input.boardId), attempt: 1, retryMs: 1000 });
      case "published":
        return this.#pending.shift()?.taken(input.receivers);
      case "publish_refused":
        return this.#pending.shift()?.failed(new BusRefused(REFUSED));
      case "link_up":
        this.#up.add(input.link);
        listener.linkUp(input.link, ++this.#numbers[input.link]);
        if (this.#up.size === 2) this.#started();
        return;
      case "link_down":
        this.#up.delete(input.link);
        if (input.link === "publisher")
          for (const { failed } of this.#pending.splice(0)) failed(new PresenceError("BUS_DOWN", "the connection was lost"));
        return listener.linkDown(input.link, "lost");
      default:
    }
  }

  /** To the network each channel but the global one is like a board's. */
  #wireOf(channel: Channel): Wire {
    return channel === this.#global ? undefined : (channel as unknown as BoardId);
  }

  #channelOf(boardId: BoardId | undefined): Channel {
    return boardId ?? this.#global;
  }
}
