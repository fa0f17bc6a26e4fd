/** Requests above the rate of answers wait, and addresses take turns. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.ts";

test("a request waits for one answer to each other address, however many of them wait", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const ask = async (address: string) => {
    await turns.of(address);
    order.push(address);
  };
  const flood = Array.from({ length: 1000 }, () => ask("flood"));
  const probes = ["probe", "probe", "other"].map(ask);
  await Promise.all(probes);
  assert.ok(order.length < 500, `${order.length} were answered first`);
  await Promise.all(flood);
  assert.equal(order.length, 1003);
});
