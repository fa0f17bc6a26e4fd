/** `parseState` as a function and as a schema. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { greet, joined, memberOf } from "./testing/service.ts";
import type { PresenceOptions, StandardSchema } from "./types.ts";

type State = { tool: "pen" | "select" };

/** As a library makes it: `tool` is checked, other keys are dropped. */
const schema: StandardSchema<State> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate(value) {
      const { tool } = value as { tool?: unknown };
      return tool === "pen" || tool === "select"
        ? { value: { tool } }
        : { issues: [{ message: "no tool", path: ["tool", { key: "name" }] }, { message: "and nothing else" }] };
    },
  },
};

async function shown(parseState: PresenceOptions<State>["parseState"]) {
  const driver = new FakeDriver();
  const presence = createPresence<State>({ url: "ws://test", driver, ...(parseState && { parseState }) });
  const board = presence.board("desk", { username: "me", state: { tool: "pen" } });
  await greet(driver);
  driver.socket.serve(joined("desk", [memberOf("ana", { state: { tool: "pen", x: 1 } }), memberOf("ben", { state: { tool: 7 } })]));
  return { states: board.others.map(({ state }) => state), reports: driver.reports };
}

test("a schema gives the state, and what it refuses is shown as {} and reported with its path", async () => {
  const { states, reports } = await shown(schema);
  assert.deepEqual(states, [{ tool: "pen" }, {}]);
  assert.match(reports.join(), /parseState refused a state.*tool: name: no tool; and nothing else/);
});

test("a schema that is a function as well is used as a schema", async () => {
  const callable = Object.assign(() => assert.fail("called"), schema);
  assert.deepEqual((await shown(callable)).states, [{ tool: "pen" }, {}]);
});

test("an asynchronous schema is refused with a reason, and shows nothing that was not checked", async () => {
  const later: StandardSchema<State> = { "~standard": { ...schema["~standard"], validate: async () => ({ value: { tool: "pen" } }) } };
  const { states, reports } = await shown(later);
  assert.deepEqual(states, [{}, {}]);
  assert.match(reports.join(), /must answer at once/);
});

test("the types of states follow the schema", () => {
  const presence = createPresence({ url: "ws://test", driver: new FakeDriver(), parseState: schema });
  const tool: "pen" | "select" | undefined = presence.board("desk", { state: { tool: "pen" } }).self?.state.tool;
  assert.equal(tool, undefined);
});
