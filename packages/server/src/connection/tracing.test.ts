/** Spans of joins, for OpenTelemetry: one for each join, ended once by what became of it, without anything of a person; a tracer that fails hurts nobody. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Span as ApiSpan, type Tracer as ApiTracer, SpanStatusCode, trace } from "@opentelemetry/api";
import { boundsOf } from "../bounds.ts";
import { openTelemetryTracer } from "../cli/open-telemetry.ts";
import type { Attributes, Span, Tracer } from "../telemetry/tracing.ts";
import { Desk } from "../testing/desk.ts";
import type { User } from "./auth.ts";

type Told = { readonly name: string; readonly attributes: Attributes; code?: number; ends: number };

/** A tracer that keeps all spans. */
function tracer(): { readonly spans: Told[]; readonly startSpan: Tracer["startSpan"] } {
  const spans: Told[] = [];
  return {
    spans,
    startSpan(name, { attributes }) {
      const told: Told = { name, attributes: { ...attributes }, ends: 0 };
      spans.push(told);
      const span: Span = {
        setAttribute: (key, value) => Object.assign(told.attributes, { [key]: value }),
        setStatus: ({ code }) => Object.assign(told, { code }),
        end: () => void told.ends++,
      };
      return span;
    },
  };
}

const outcomes = (spans: readonly Told[]) => spans.map(({ name, attributes }) => `${name} ${attributes["presence.outcome"]}`);

test("a join is a span, from the message to its answer; to come back to one's own member is presence.resume", async () => {
  const traced = tracer();
  const desk = await Desk.open({ tracer: traced });
  const ana = desk.connect("binary");
  ana.hello();
  ana.join("b", "Ana Canary");
  assert.deepEqual(outcomes(traced.spans), ["presence.join undefined"]);
  desk.clock.advance(200);
  ana.close(1006);
  const again = desk.connect("json");
  again.hello({ resumeToken: ana.resumeToken });
  again.join("b", "Ana Canary", 2);
  desk.clock.advance(200);
  assert.deepEqual(outcomes(traced.spans), ["presence.join told", "presence.resume told"]);
  assert.ok(traced.spans.every(({ ends }) => ends === 1));
  assert.deepEqual(traced.spans[1]?.attributes, {
    "presence.board_id": "b",
    "presence.instance_id": desk.manager.instanceId,
    "presence.encoding": "json",
    "presence.observe": false,
    "presence.outcome": "told",
  });
  assert.doesNotMatch(JSON.stringify(traced.spans), /Canary|0000000000000001/);
});

test("a join that is refused, left, made anew or cut off ends its span, once, and only a failure of ours is an error", async () => {
  const traced = tracer();
  let answer = (_isGranted: boolean): void => {};
  const authorize = (_user: User, board: string) =>
    board === "broken"
      ? Promise.reject(new Error("the host fails"))
      : board === "slow"
        ? new Promise<boolean>((resolve) => {
            answer = resolve;
          })
        : board !== "closed";
  const desk = await Desk.open({ tracer: traced, authorize, bounds: boundsOf({ boardsPerAddress: 2 }) });
  desk.clock.advance(2_000);
  const ana = desk.connect("json");
  ana.hello();
  await nextTurn();
  const join = async (board: string, thenMs: number) => {
    ana.join(board, "ana");
    await nextTurn();
    desk.clock.advance(thenMs);
  };
  for (const board of ["closed", "broken", "one", "two", "three", "slow"]) await join(board, 1_000);
  ana.leave("slow");
  answer(true);
  await nextTurn();
  desk.clock.advance(1_000);
  // Both are heard before the answer to the first one leaves.
  ana.join("one", "ana");
  ana.join("one", "ana");
  await nextTurn();
  ana.close(1006);
  desk.clock.advance(200);
  assert.deepEqual(
    traced.spans.map(({ attributes, code, ends }) => [attributes["presence.board_id"], attributes["presence.outcome"], code, ends]),
    [
      ["closed", "bad_board", undefined, 1],
      ["broken", "unavailable", SpanStatusCode.ERROR, 1],
      ["one", "told", undefined, 1],
      ["two", "told", undefined, 1],
      ["three", "unavailable", SpanStatusCode.ERROR, 1],
      ["slow", "given_up", undefined, 1],
      ["one", "given_up", undefined, 1],
      ["one", "given_up", undefined, 1],
    ],
  );
});

test("a tracer that throws is logged, and the join goes on", async () => {
  const fail = () => {
    throw new Error("no exporter");
  };
  for (const broken of [{ startSpan: fail }, { startSpan: () => ({ setAttribute: fail, setStatus: fail, end: fail }) }] as const) {
    const desk = await Desk.open({ tracer: broken });
    const ana = desk.connect("json");
    ana.hello();
    ana.join("b", "ana");
    desk.clock.advance(200);
    assert.ok(ana.socket.takeMessages().some(({ kind }) => kind === "joined"));
    assert.equal(desk.lines.filter((line) => line.includes("tracer of OpenTelemetry has failed")).length, 1);
  }
});

test("the command uses the tracer of the provider that is registered with @opentelemetry/api, and none if there is none", async (t) => {
  assert.equal(await openTelemetryTracer(), undefined);
  const { startSpan, spans } = tracer();
  const given: ApiTracer = { startSpan: startSpan as unknown as (name: string) => ApiSpan, startActiveSpan: () => undefined as never };
  t.after(() => trace.disable());
  trace.setGlobalTracerProvider({ getTracer: (name) => (name === "presence-service" ? given : assert.fail(name)) });
  const desk = await Desk.open({ tracer: await openTelemetryTracer() });
  desk.enter("binary", "b", "ana");
  assert.deepEqual(outcomes(spans), ["presence.join told"]);
});
