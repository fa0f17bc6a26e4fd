/** The real service in this process, on a clock that the test moves, and clients of the real SDK that are connected to it. */

import { createPresence, type Driver, type JsonObject, type Presence, type PresenceOptions } from "@presence-service/client";
import { Desk } from "@presence-service/server/world";

/** Shorter than any pace of the service. */
const STEP_MS = 5;

type Wire = { readonly client: ReturnType<Desk["connect"]>; readonly deliver: () => void };

export class Service {
  readonly #desk: Desk;
  readonly #wires = new Set<Wire>();
  #secrets = 0;
  readonly reports: string[] = [];

  private constructor(desk: Desk) {
    this.#desk = desk;
  }

  static async open(): Promise<Service> {
    return new Service(await Desk.open());
  }

  presence<State extends object = JsonObject, Events extends object = JsonObject>(
    options: Partial<PresenceOptions<State>> = {},
  ): Presence<State, Events> {
    return createPresence<State, Events>({ url: "ws://test", driver: this.#driver(), ...options });
  }

  /** Cuts all connections, as a network does. */
  cut(): void {
    for (const { client } of this.#wires) client.socket.terminate();
  }

  async advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await settle();
      this.#desk.clock.advance(Math.min(STEP_MS, ms - passed));
      for (const wire of [...this.#wires]) wire.deliver();
    }
    await settle();
  }

  #driver(): Driver {
    const { clock } = this.#desk;
    return {
      connect: (_url, _protocol, events) => {
        const client = this.#desk.connect("binary");
        let isOpen = false;
        const wire: Wire = {
          client,
          deliver: () => {
            if (!isOpen) events.opened("presence.v2");
            isOpen = true;
            for (const { payload } of client.socket.takeFrames()) events.received(payload);
            const { closedWith, isTerminated } = client.socket;
            if (closedWith === undefined && !isTerminated) return;
            this.#wires.delete(wire);
            client.close(closedWith?.code ?? 1006);
            events.closed(closedWith?.code ?? 1006);
          },
        };
        this.#wires.add(wire);
        return {
          send: (bytes) => client.connection.received(Buffer.from(bytes), true),
          close: (code) => {
            if (this.#wires.delete(wire)) client.close(code);
          },
        };
      },
      now: () => clock.now(),
      setTimer: (run, delayMs) => clock.after(delayMs, run),
      random: () => 0.5,
      randomBytes: (count) => {
        this.#secrets++;
        return Uint8Array.from({ length: count }, (_, at) => (at < 4 ? this.#secrets >>> (8 * at) : 7));
      },
      report: (problem, error) => void this.reports.push(error === undefined ? problem : `${problem}: ${error}`),
    };
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
