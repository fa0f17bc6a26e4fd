/** The real service in this process, on a clock that the test moves, and clients of the real SDK that are connected to it. */

import { createPresence, type JsonObject, type Presence, type PresenceOptions } from "@presence-service/client";
import { createTestServer, type TestDriver, type TestServer } from "@presence-service/server/testing";

export class Service {
  readonly #server: TestServer;
  readonly #pages: TestDriver[] = [];

  private constructor(server: TestServer) {
    this.#server = server;
  }

  static async open(): Promise<Service> {
    return new Service(await createTestServer());
  }

  /** A client in a page of its own. */
  presence<State extends object = JsonObject, Events extends object = JsonObject>(
    options: Partial<PresenceOptions<State>> = {},
  ): Presence<State, Events> {
    const driver = this.#server.driver();
    this.#pages.push(driver);
    return createPresence<State, Events>({ url: "ws://test", driver, ...options });
  }

  /** The network of all pages is gone. */
  cut(): void {
    for (const page of this.#pages) page.disconnect();
  }

  /** The network is back. */
  mend(): void {
    for (const page of this.#pages) page.reconnect();
  }

  advance(ms: number): Promise<void> {
    return this.#server.advance(ms);
  }
}
