/** Reading what a Desk's client is told, and being a host whose answers are slow. */

import assert from "node:assert/strict";
import type { ServerMessage } from "@presence-service/protocol";
import type { Client, Desk } from "./desk.ts";

/** What is told in so much time, but heartbeats. */
export function told(desk: Desk, client: Client, ms = 1000): ServerMessage[] {
  desk.clock.advance(ms);
  client.connection.ponged(); // no silence is to be judged here
  return client.socket.takeMessages().filter(({ kind }) => kind !== "heartbeat");
}

/** `bad_board b`, or the kind of message. */
export function words(messages: readonly ServerMessage[]): string[] {
  return messages.map((message) => (message.kind === "error" ? `${message.code} ${message.ref}` : message.kind));
}

/** Answers in the order in which they were asked, when told. */
export function asked<T>() {
  const open: { readonly of: readonly unknown[]; readonly answer: (value: T) => void; readonly fail: (error: Error) => void }[] = [];
  const ask = (...of: unknown[]) => new Promise<T>((answer, fail) => open.push({ of, answer, fail }));
  const take = () => open.shift() ?? assert.fail("nothing was asked");
  return { ask, take, open };
}
