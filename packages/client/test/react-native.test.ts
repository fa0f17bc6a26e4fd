/**
 * The SDK and the hooks in Hermes, the JavaScript engine of React Native: packed, bundled by Metro with React Native's own configuration, and
 * connected to an instance through React Native's own `WebSocket`. The native side is played by this process (`react-native/hermes.ts`), so
 * nothing here says that a phone draws. `npm run runtimes -- react-native` installs what it needs. Runs alone: Metro uses all cores.
 */

import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { eventually, Instance } from "../../server/test/harness/index.ts";
import { createPresence } from "../src/index.ts";
import { Guide } from "./guides/guide.ts";
import { packApp, run } from "./packed.ts";
import { Hermes } from "./react-native/hermes.ts";

const APP = join(tmpdir(), "presence-runtimes/react-native");
const HERE = join(import.meta.dirname, "react-native");
const BIN = `${process.platform === "darwin" ? "osx" : "linux64"}-bin`;
const HERMES = join(APP, "node_modules/hermes-engine-cli", BIN, "hermes");
const skip = existsSync(HERMES) ? false : "React Native and Hermes take 350 MB, and are not installed: npm run runtimes -- react-native";

before(
  async () => {
    if (skip) return;
    const packed = await packApp([]);
    try {
      rmSync(join(APP, "node_modules/@presence-service"), { recursive: true, force: true });
      mkdirSync(join(APP, "node_modules/@presence-service"));
      for (const name of ["protocol", "client", "react"])
        cpSync(join(packed.folder, "node_modules/@presence-service", name), join(APP, "node_modules/@presence-service", name), {
          recursive: true,
        });
    } finally {
      packed.remove();
    }
    for (const name of ["app.js", "bundle.cjs"]) copyFileSync(join(HERE, name), join(APP, name));
    writeFileSync(join(APP, "native.ts"), Guide.named("runtimes").files().get("native.ts") ?? "");
    await run(process.execPath, ["bundle.cjs"], { cwd: APP, env: { ...process.env, NODE_OPTIONS: "" } });
  },
  { timeout: 600_000 },
);

test("the compiler of the newest Hermes takes the bundle", { skip, timeout: 60_000 }, async () => {
  const compiler = join(APP, "node_modules/hermes-compiler/hermesc", BIN, "hermesc");
  await run(compiler, ["-O", "-w", "-emit-binary", "-out", join(APP, "bundle.hbc"), join(APP, "bundle.js")]);
});

test("an app in Hermes and a page see each other, over a lost socket and the background", { skip, timeout: 120_000 }, async (t) => {
  const instance = await Instance.start(t, { redisUrl: "memory:" });
  const presence = createPresence({ url: instance.wsUrl });
  const board = presence.board("b", { username: "Ben" });
  const hermes = new Hermes(HERMES, join(HERE, "surroundings.js"));
  t.after(() => {
    hermes.end();
    presence.close();
  });
  const phone = () => board.others.find(({ username }) => username === "Ana 📱");
  const cursors: string[] = [];
  board.cursors.subscribe((moved) => {
    for (const { x, y, hidden } of moved) cursors.push(hidden ? "hidden" : `${x.toFixed(1)} ${y.toFixed(1)}`);
  });
  const until = (what: string, check: () => boolean) =>
    eventually(check, { what: () => `${what}; Hermes told: ${hermes.told.join("\n")}`, withinMs: 20_000 });

  hermes.load(join(APP, "bundle.js"));
  hermes.run(`phone.start(${JSON.stringify(instance.wsUrl)})`);
  await until("both are shown", () => phone()?.state["tool"] === "thumb" && hermes.told.includes("shown Ben"));

  board.moveCursor(0.3, 0.4);
  hermes.run('phone.board.moveCursor(0.1, 0.2); phone.board.update({ tool: "ü📱" })');
  await until("cursors and states come over", () => phone()?.state["tool"] === "ü📱" && cursors.includes("0.1 0.2"));
  await until("the app gets cursors", () => hermes.told.includes("cursor Ben 0.3 0.4"));

  // `idleAfterMs` of the app is 2 s.
  await until("nobody touches the phone", () => phone()?.status === "idle");
  hermes.run("phone.driver.touched()");
  await until("a finger is on it", () => phone()?.status === "active");

  hermes.run("phone.board.moveCursor(0.9, 0.8)");
  await until("the cursor is shown", () => cursors.at(-1) === "0.9 0.8");
  hermes.emit("appStateDidChange", { app_state: "background" });
  await until("the app is in the background", () => phone()?.status === "idle" && cursors.at(-1) === "hidden");
  hermes.emit("appStateDidChange", { app_state: "active" });
  await until("the app is back", () => phone()?.status === "active");

  const { memberId } = phone() ?? assert.fail("the app is gone");
  for (const socket of hermes.sockets.values()) socket.close(3999);
  await until("it reconnects", () => phone()?.status === "reconnecting");
  await until("it is back as the same member", () => phone()?.status !== "reconnecting" && phone()?.memberId === memberId);

  hermes.run("phone.presence.close()");
  await until("it has left", () => phone() === undefined);
  assert.deepEqual(
    hermes.told.filter((line) => /^(?:threw|error|log)|Uncaught/.test(line)),
    [],
  );
});
