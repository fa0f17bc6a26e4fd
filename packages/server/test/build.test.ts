/** What others install: the built packages run in a plain Node, without our sources and without the `presence-source` condition. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually, freePort } from "./harness/index.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** An app of two lines, in plain JavaScript. */
const APP = `
  import { createPresence } from "@presence-service/client";
  const [ana, ben] = ["Ana", "Ben"].map((username) => createPresence({ url: process.argv[1] }).board("doc-42", { username }));
  ana.subscribe(() => ana.others.length === 1 && (console.log(ana.others[0].username), process.exit(0)));
`;

test("`npm run build` makes packages that a plain Node runs", { timeout: 60_000 }, async (t) => {
  await run(process.execPath, ["scripts/build.js"], { cwd: ROOT });
  const port = await freePort();
  const env = { PATH: process.env["PATH"], REDIS_URL: "memory:", WS_PORT: String(port), DEMO: "off" };
  const service = spawn(process.execPath, ["packages/server/dist/cli.js"], { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => service.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: service.stdout }).on("line", (line) => lines.push(line));
  await eventually(() => lines.some((line) => line.includes("is ready")), {
    what: () => `it is ready\n${lines.join("\n")}`,
    withinMs: 15_000,
  });
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", APP, `ws://localhost:${port}`], {
    cwd: `${ROOT}/packages/server`,
    timeout: 15_000,
  });
  assert.equal(stdout, "Ben\n");
});
