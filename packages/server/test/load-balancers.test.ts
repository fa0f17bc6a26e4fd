/**
 * Three real instances behind the distribution's HAProxy and nginx, with the configurations of `deploy/`: WebSockets get through, people of a
 * board meet on one instance, health checks come as they come, an idle timeout and a drain are seen by nobody.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createPresence } from "@presence-service/client";
import { eventually, Instance, RawSocket, RedisProcess, type Scope } from "./harness/index.ts";
import { BALANCERS, type BalancerName, startRealBalancer } from "./harness/real-balancer.ts";

const NAMES = Object.keys(BALANCERS) as BalancerName[];
const INSTANCES = 3;
const BOARDS = 12;
/** Shorter than the 5 s after which an instance asks a client that somebody looks at. */
const IDLE_SECONDS = 2;

const cleanUps: (() => void | Promise<void>)[] = [];
const scope: Scope = { after: (cleanUp) => void cleanUps.push(cleanUp) };
const instances: Instance[] = [];
const ports: Record<BalancerName, number> = { haproxy: 0, nginx: 0 };

before(async () => {
  const redis = await RedisProcess.start(scope);
  const env = { TRUSTED_PROXIES: "127.0.0.1", CONNECTIONS_PER_ADDRESS: "500" };
  instances.push(...(await Promise.all(Array.from({ length: INSTANCES }, () => Instance.start(scope, { redisUrl: redis.url, env })))));
  for (const name of NAMES) ports[name] = await startRealBalancer(scope, name, { instances: instances.map(({ port }) => port) });
});
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

type Person = ReturnType<typeof enter>;

function enter(t: Scope, port: number, board: string, username: string, affinity = true) {
  const presence = createPresence({ url: `ws://127.0.0.1:${port}/ws`, affinity });
  t.after(() => presence.close());
  const handle = presence.board(board, { username });
  const left: string[] = [];
  handle.on("user_left", ({ member }) => void left.push(member.username));
  return { presence, handle, left };
}

function see(people: readonly Person[], others: number): Promise<unknown> {
  const what = () => `each sees ${others} others, not ${people.map(({ handle }) => handle.others.length)}`;
  return eventually(() => people.every(({ handle }) => handle.status === "connected" && handle.others.length === others), {
    what,
    withinMs: 10_000,
  });
}

function instancesOf(people: readonly Person[]): Set<string> {
  return new Set(people.map(({ presence }) => presence.instanceId ?? "none"));
}

for (const name of NAMES) {
  test(`${name}: people of many boards are spread over the instances, and those of each board see each other`, async (t) => {
    const port = ports[name];
    const people = Array.from({ length: BOARDS }, (_, nth) => [
      enter(t, port, `${name}-${nth}`, "Ana"),
      enter(t, port, `${name}-${nth}`, "Ben"),
      enter(t, port, `${name}-${nth}`, "Cleo", false),
    ]).flat();
    await see(people, 2);
    assert.ok(instancesOf(people).size > 1);
  });

  test(`${name}: all whose SDK writes the board into the URL are on the same instance`, async (t) => {
    const crowd = Array.from({ length: 9 }, (_, nth) => enter(t, ports[name], `${name}-meeting`, `person ${nth}`));
    await see(crowd, 8);
    assert.equal(instancesOf(crowd).size, 1);
  });

  test(`${name}: checks as they come are answered, and single instances' pages are not shown to strangers`, async () => {
    const ask = async (path: string, method = "GET") =>
      (await fetch(`http://127.0.0.1:${ports[name]}${path}`, { method, headers: { connection: "close" } })).status;
    for (const path of ["/", "/readyz", "/readyz/", "/livez", "/livez/"])
      for (const method of ["GET", "HEAD", "OPTIONS"]) assert.equal(await ask(path, method), 200, `${method} ${path}`);
    for (const path of ["/health", "/metrics", "/metrics/", "/METRICS", "//health"]) assert.equal(await ask(path), 404, path);
  });

  test(`${name}: an address is the client's, whatever it claims`, async (t) => {
    const headers = { "X-Forwarded-For": "10.1.2.3, 127.0.0.1" };
    assert.equal((await RawSocket.request(t, { port: ports[name], path: "/ws", headers })).status, 101);
  });
}

test("a WebSocket that a balancer cuts for being idle comes back, and nobody is shown leaving", { timeout: 40_000 }, async (t) => {
  await Promise.all(
    NAMES.map(async (name) => {
      const port = await startRealBalancer(t, name, { instances: instances.map(({ port }) => port), idleSeconds: IDLE_SECONDS });
      const pair = [enter(t, port, `${name}-quiet`, "Ana"), enter(t, port, `${name}-quiet`, "Ben")];
      await see(pair, 1);
      let cuts = 0;
      for (const { handle } of pair) handle.subscribe(() => handle.status === "reconnecting" && cuts++);
      await eventually(() => cuts > 0, { what: `${name} cuts an idle connection`, withinMs: 12_000 });
      await see(pair, 1);
      assert.deepEqual(
        pair.flatMap(({ left }) => left),
        [],
      );
    }),
  );
});

test("an instance that stops sends its people to the others, and nobody is shown leaving", { timeout: 40_000 }, async (t) => {
  const people = NAMES.flatMap((name) =>
    Array.from({ length: 6 }, (_, nth) => enter(t, ports[name], "office", `${name} ${nth}`, nth % 3 === 0)),
  );
  await see(people, people.length - 1);
  const [home] = instancesOf(people);
  const healths = await Promise.all(instances.map((one) => one.health()));
  const stopped = instances[healths.findIndex(({ instanceId }) => instanceId === home)] ?? assert.fail("no such instance");
  assert.deepEqual(await stopped.kill("SIGTERM"), { code: 0, signal: null });
  await see(people, people.length - 1);
  const inDoubt = () => people.some(({ handle }) => handle.others.some(({ status }) => status === "reconnecting"));
  await eventually(() => !inDoubt(), { what: "nobody is in doubt", withinMs: 10_000 });
  assert.deepEqual(
    people.flatMap(({ left }) => left),
    [],
  );
});
