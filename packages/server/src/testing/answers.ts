/** Helpers for Desk tests: read the messages to a client, and play a host that answers slowly. */

import assert from "node:assert/strict";
import type { ServerMessage } from "@presence-service/protocol";
import type { Client, Desk } from "./desk.ts";

/** The messages to a client within so much time, without heartbeats. */
export function told(desk: Desk, client: Client, ms = 1000): ServerMessage[] {
  desk.clock.advance(ms);
  client.connection.ponged(); // no silence is to be judged here
  return client.socket.takeMessages().filter(({ kind }) => kind !== "heartbeat");
}

/** One text per message: `bad_board b` for an error, else the kind. */
export function words(messages: readonly ServerMessage[]): string[] {
  return messages.map((message) => (message.kind === "error" ? `${message.code} ${message.ref}` : message.kind));
}

/** A host function whose calls are answered in order, when the test says so. */
export function asked<T>() {
  const open: { readonly of: readonly unknown[]; readonly answer: (value: T) => void; readonly fail: (error: Error) => void }[] = [];
  const ask = (...of: unknown[]) => new Promise<T>((answer, fail) => open.push({ of, answer, fail }));
  const take = () => open.shift() ?? assert.fail("nothing was asked");
  return { ask, take, open };
}
