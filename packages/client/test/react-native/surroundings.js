/**
 * Plays the native side of React Native to Hermes, for react-native.test.ts: timers, a log, and the modules that React Native's JavaScript asks for. Each act goes as a line to the test, which answers by a call. Hermes runs this before the bundle.
 */

const SIGN = String.fromCharCode(1);
globalThis.global = globalThis;
globalThis.tell = (...about) => globalThis.print(SIGN + JSON.stringify(about));
globalThis.attempt = (run) => {
  try {
    run();
  } catch (error) {
    globalThis.tell("threw", String(error), String(error?.stack));
  }
};
globalThis.nativeLoggingHook = (text, level) => level > 1 && globalThis.tell("log", text);

const timers = new Map();
let last = 0;
const timer =
  (repeats) =>
  (run, delayMs = 0, ...rest) => {
    last += 1;
    timers.set(last, { run, delayMs, rest, repeats });
    globalThis.tell("timer", last, delayMs);
    return last;
  };
globalThis.fire = (id) => {
  const due = timers.get(id);
  if (!due) return;
  if (due.repeats) globalThis.tell("timer", id, due.delayMs);
  else timers.delete(id);
  due.run(...due.rest);
};
globalThis.setTimeout = timer(false);
globalThis.setInterval = timer(true);
globalThis.setImmediate = (run, ...rest) => setTimeout(run, 0, ...rest);
globalThis.requestAnimationFrame = (run) => setTimeout(() => run(performance.now()), 16);
for (const name of ["clearTimeout", "clearInterval", "clearImmediate", "cancelAnimationFrame"])
  globalThis[name] = (id) => timers.delete(id);

const startedAt = Date.now();
const events = { addListener() {}, removeListeners() {} };
const modules = {
  AppState: {
    ...events,
    getConstants: () => ({ initialAppState: "active" }),
    getCurrentAppState: (told) => told({ app_state: "active" }),
  },
  DeviceInfo: { ...events, getConstants: () => ({ Dimensions: {} }) },
  ExceptionsManager: { reportException: ({ message, stack }) => globalThis.tell("threw", message, JSON.stringify(stack)) },
  NativeMicrotasksCxx: { queueMicrotask: (run) => globalThis.HermesInternal.enqueueJob(run) },
  NativePerformanceCxx: { now: () => Date.now() - startedAt, timeOrigin: () => startedAt },
  NativeReactNativeFeatureFlagsCxx: {
    enableIntersectionObserverByDefault: () => false,
    enableMutationObserverByDefault: () => false,
    enableResizeObserverByDefault: () => false,
  },
  PlatformConstants: {
    getConstants: () => ({ isTesting: false, reactNativeVersion: { major: 0, minor: 88, patch: 1 }, Version: 34 }),
  },
  RNGetRandomValues: {
    getRandomBase64(count) {
      const text = count === 16 ? globalThis.randomTexts.pop() : undefined;
      if (text === undefined) throw new Error(`the test has given no text of ${count} random bytes`);
      return text;
    },
  },
  SourceCode: { getConstants: () => ({ scriptURL: "" }) },
  WebSocketModule: {
    ...events,
    connect: (url, protocols, _options, id) => globalThis.tell("connect", id, url, protocols),
    send: (text, id) => globalThis.tell("text", id, text),
    sendBinary: (base64, id) => globalThis.tell("binary", id, base64),
    close: (code, reason, id) => globalThis.tell("close", id, code, reason),
  },
};
globalThis.__turboModuleProxy = (name) => modules[name];
globalThis.nativeModuleProxy = {};
globalThis.RN$Bridgeless = true;
const callable = {};
globalThis.RN$registerCallableModule = (name, make) => {
  callable[name] = make;
};
globalThis.emit = (name, event) => callable.RCTDeviceEventEmitter().emit(name, event);

// The Hermes of the npm registry is older than that of React Native 0.74, which has the rest of this file.

function at(index) {
  return this[index < 0 ? this.length + index : index];
}
function findLast(fits) {
  return [...this].reverse().find(fits);
}
const missing = (prototype, method) =>
  prototype[method.name] ?? Object.defineProperty(prototype, method.name, { value: method, configurable: true, writable: true });
missing(Array.prototype, at);
missing(Array.prototype, findLast);
missing(Object.getPrototypeOf(Uint8Array.prototype), at);

function Utf8Encoder() {}
Utf8Encoder.prototype.encode = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (unit) => unit.charCodeAt(0));
Utf8Encoder.prototype.encodeInto = (text, into) => {
  const bytes = Utf8Encoder.prototype.encode(text);
  into.set(bytes);
  return { read: text.length, written: bytes.length };
};
globalThis.TextEncoder ??= Utf8Encoder;
