/**
 * The command as it is built (docs/decisions/024): what an instance at rest loads, and that the parts of packages which are left out are missed by
 * nobody. With `PRESENCE_CLI` all other tests of processes run it too.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { SignJWT } from "jose";
import { bundle } from "../../../scripts/bundle.js";
import { certificates, eventually, freePort, Instance, RedisProcess, SessionClient } from "./harness/index.ts";

const run = promisify(execFile);
const SECRET = "a-secret-of-these-tests-of-more-than-32-bytes";
const ADMIN_TOKEN = "an-admin-token-of-these-tests-of-32-bytes";
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** 1.05 MB when it was made. A new package, or a part of one that is not left out any more, is to be noticed. */
const BYTES_MAX = 1_200_000;
const FILES = ["cli.cjs"];
/** Modules of Node that bring megabytes along, and that an instance without TLS, recordings and large boards has no use for. */
const UNUSED = ["fs/promises", "https", "internal/deps/undici/undici", "tls", "zlib"];

/** Writes what the process has loaded when it ends. */
const LISTING = `process.on("exit", () => {
  const files = Object.keys(require.cache).filter((path) => path !== __filename);
  const modules = process.moduleLoadList.map((name) => name.replace("NativeModule ", ""));
  require("node:fs").writeFileSync(process.env.LISTING, JSON.stringify({ files, modules }));
});`;

const folder = mkdtempSync(join(tmpdir(), "presence-command-"));
const command = join(folder, "command");
const cli = join(command, "cli.cjs");
before(() => bundle(command));
after(() => rmSync(folder, { recursive: true }));

test("an instance at rest loads one file, and nothing of Node that it does not use", { timeout: 60_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const listing = join(folder, "listing.json");
  const hook = join(folder, "listing.cjs");
  writeFileSync(hook, LISTING);
  const env = { LISTING: listing, NODE_OPTIONS: `--require=${hook}`, DEMO: "off", INSPECTOR: "off" };
  const instance = await Instance.start(t, { redisUrl: redis.url, cli, env });
  assert.deepEqual(await instance.kill("SIGTERM"), { code: 0, signal: null });
  const { files, modules }: { files: string[]; modules: string[] } = JSON.parse(readFileSync(listing, "utf8"));
  assert.deepEqual(files.map((file) => basename(file)).sort(), FILES);
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  assert.ok(bytes <= BYTES_MAX, `${bytes} bytes`);
  assert.deepEqual(
    UNUSED.filter((name) => modules.includes(name)),
    [],
  );
});

test("its files are ASCII, keep the names that stack traces show, and come with the licence of each package in them", () => {
  const files = readdirSync(command).filter((file) => file.endsWith(".cjs"));
  for (const file of files) {
    // In any other text Node keeps two bytes for each character.
    const text = readFileSync(join(command, file), "latin1");
    assert.equal(/[^\n\t\r -~]/.exec(text)?.[0], undefined, file);
  }
  assert.ok(readFileSync(cli, "utf8").includes("\nvar ConnectionManager = class {\n"));
  const notices = readFileSync(join(command, "THIRD-PARTY.txt"), "utf8").split(/^-{80}$/m);
  for (const name of ["@redis/client", "pino", "sonic-boom", "ws", "zod", "jose", "@prometheus-io/client"]) {
    const notice = notices.find((text) => text.trimStart().startsWith(`${name} `));
    assert.match(notice ?? "", /, (?:MIT|Apache-2\.0)\n[\s\S]*(?:WITHOUT WARRANTY|WITHOUT WARRANTIES)/, name);
  }
});

test("all that an instance loads when asked is there: TLS and users of Redis, tokens, admin API, webhooks, metrics, doctor", {
  timeout: 120_000,
}, async (t) => {
  const certificate = certificates(t);
  const tlsPort = await freePort();
  await RedisProcess.start(t, {
    args: [
      ...["--tls-port", String(tlsPort), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", join(certificate, "server.pem"), "--tls-key-file", join(certificate, "server.key")],
      ...["--tls-ca-cert-file", join(certificate, "ca.pem")],
      ...["--user", "presence", "on", ">a-password", "allchannels", "+@all"],
    ],
  });
  const events: string[] = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    events.push(...(JSON.parse(body) as { events: { type: string }[] }).events.map(({ type }) => type));
    response.writeHead(204).end();
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  t.after(() => receiver.close().closeAllConnections());
  const { port } = receiver.address() as { port: number };
  const redisUrl = `rediss://presence:a-password@127.0.0.1:${tlsPort}`;
  const dir = join(folder, "recordings");
  mkdirSync(dir);
  const env = {
    REDIS_TLS_CA: join(certificate, "ca.pem"),
    AUTH_SECRET: SECRET,
    ADMIN_TOKEN,
    WEBHOOK_URL: `http://127.0.0.1:${port}/`,
    WEBHOOK_SECRET,
    RECORDER_DIR: dir,
  };
  const [one, two] = await Promise.all([0, 1].map(() => Instance.start(t, { redisUrl, cli, env })));
  assert(one !== undefined && two !== undefined);
  const token = (sub: string) =>
    new SignJWT({ sub, name: sub, exp: Math.floor(Date.now() / 1000) + 3600, boards: { "doc-42": ["write"] } })
      .setProtectedHeader({ alg: "HS256" })
      .sign(new TextEncoder().encode(SECRET));
  const ana = await SessionClient.connect(t, one.wsUrl, { token: await token("ana") });
  const ben = await SessionClient.connect(t, two.wsUrl, { token: await token("ben") });
  await ana.join("doc-42", "ana");
  await ben.join("doc-42", "ben");
  await eventually(() => ana.names("doc-42").join() === "ben" && ben.names("doc-42").join() === "ana", { what: "they see each other" });
  await eventually(() => events.includes("member.joined"), { what: () => `the webhook comes: ${events.join()}`, withinMs: 15_000 });

  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const members = await (await one.get("/admin/v1/boards/doc-42/members", { headers })).json();
  assert.equal((members as { members: unknown[] }).members.length, 2);
  const json = { ...headers, "Content-Type": "application/json" };
  const wrong = await one.get("/admin/v1/announcements", { method: "POST", headers: json, body: "{}" });
  assert.equal(wrong.status, 400, await wrong.text());
  assert.equal(await one.metric('presence_members{scope="shown"}'), 2);
  assert.ok((await one.metric("presence_bus_echo_seconds_count")) > 0);

  await one.kill("SIGUSR2");
  await eventually(() => readdirSync(dir).some((name) => name.endsWith(".gz")), { what: "the recording is written" });
  const asked = { env: { PATH: process.env["PATH"], REDIS_URL: redisUrl, REDIS_TLS_CA: env.REDIS_TLS_CA, WS_PORT: "0" }, cwd: folder };
  const { stdout } = await run(process.execPath, [cli, "doctor", "--json"], asked).catch((error) => error as { stdout: string });
  const { findings } = JSON.parse(stdout) as { findings: { check: string; text: string }[] };
  assert.match(findings.find(({ check }) => check === "instances")?.text ?? stdout, /heard: 2/);
});
