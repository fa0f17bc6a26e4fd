import assert from "node:assert/strict";
import { test } from "node:test";
import { createDriver } from "./driver.ts";

class Socket {
  static last: Socket;
  binaryType = "blob";
  onopen: unknown = null;
  onmessage: unknown = null;
  onclose: unknown = null;
  onerror: unknown = null;
  readonly protocol: string;
  readonly calls: unknown[] = [];

  constructor(...offered: [url: string, protocol?: string]) {
    this.calls.push(...offered);
    this.protocol = offered[1] ?? "";
    Socket.last = this;
  }

  send(bytes: Uint8Array): void {
    this.calls.push(bytes);
  }

  close(code?: number): void {
    this.calls.push(code);
  }
}

test("the default driver works with any WebSocket class, in bytes, and ignores events after its own close", () => {
  const driver = createDriver({ WebSocket: Socket });
  const heard: unknown[] = [];
  const socket = driver.connect("ws://test", "presence.v2", {
    opened: (protocol) => heard.push(`opened ${protocol}`),
    received: (bytes) => heard.push([...bytes]),
    closed: (...why) => heard.push(why),
  });
  const { last } = Socket as {
    last: Socket & { onopen: () => void; onmessage: (event: unknown) => void; onclose: (event: unknown) => void };
  };
  assert.equal(last.binaryType, "arraybuffer");
  last.onopen();
  last.onmessage({ data: "text" });
  last.onmessage({ data: Uint8Array.of(8).buffer });
  last.onclose({ code: 4403, reason: "please read the rules" });
  assert.deepEqual(heard, ["opened presence.v2", [8], [4403, "please read the rules"]]);
  socket.send(Uint8Array.of(1));
  socket.close(1000);
  assert.deepEqual(last.calls, ["ws://test", "presence.v2", Uint8Array.of(1), 1000]);
  assert.equal(last.onclose, null);
});

test("no subprotocol is offered where none is asked for", () => {
  createDriver({ WebSocket: Socket }).connect("ws://test", undefined, { opened() {}, received() {}, closed() {} });
  assert.deepEqual(Socket.last.calls, ["ws://test"]);
});

test("in a page: events of the network, of the pointer and of the page's end are passed on, until the watching ends", (t) => {
  const [network, page, view] = [new EventTarget(), new EventTarget(), new EventTarget()];
  const globals = { navigator: { connection: network }, window: view, document: Object.assign(page, { hidden: false }) };
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : Reflect.deleteProperty(globalThis, name)));
  }
  const heard: string[] = [];
  const stop = createDriver({ WebSocket: Socket }).watchPage?.({
    awake: (isOnline) => heard.push(isOnline ? "online" : "awake"),
    active: () => heard.push("active"),
    blurred: () => heard.push("blurred"),
    hidden: (isHidden) => heard.push(isHidden ? "hidden" : "seen"),
    ended: () => heard.push("ended"),
  });
  const say = () => {
    for (const name of ["online", "offline", "pageshow", "keydown", "pointermove", "blur", "pagehide"]) view.dispatchEvent(new Event(name));
    page.dispatchEvent(new Event("visibilitychange"));
    network.dispatchEvent(new Event("change"));
  };
  say();
  const once = ["online", "awake", "awake", "active", "active", "blurred", "blurred", "ended", "seen", "awake", "awake"];
  assert.deepEqual(heard, once);
  stop?.();
  say();
  assert.deepEqual(heard, once);
});

test("outside of a page there is nothing to watch and nowhere to store; time passes and secrets differ", () => {
  const driver = createDriver({ WebSocket: Socket });
  assert.deepEqual([driver.watchPage, driver.sessions], [undefined, undefined]);
  const before = driver.now();
  assert.ok(driver.now() >= before);
  assert.notDeepEqual(driver.randomBytes(16), driver.randomBytes(16));
  const cancel = driver.setTimer(() => assert.fail("cancelled"), 0);
  cancel();
});

test("an equal problem is printed once per 10 s, and each different problem at once", (t) => {
  let ms = 0;
  const said: unknown[][] = [];
  t.mock.method(console, "error", (...words: unknown[]) => said.push(words));
  t.mock.method(performance, "now", () => ms);
  t.mock.method(Date, "now", () => ms);
  const driver = createDriver({ WebSocket: Socket });
  const [one, two] = [new Error("one"), new Error("two")];
  for (let at = 0; at < 100; at++) driver.report("too_fast");
  driver.report("a listener threw", one);
  driver.report("a listener threw", one);
  driver.report("a listener threw", two);
  assert.deepEqual(said, [["[presence] too_fast"], ["[presence] a listener threw", one], ["[presence] a listener threw", two]]);
  ms = 9_999;
  driver.report("too_fast");
  assert.equal(said.length, 3);
  ms = 10_000;
  driver.report("too_fast");
  assert.equal(said.length, 4);
});
