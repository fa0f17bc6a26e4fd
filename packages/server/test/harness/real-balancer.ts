/** HAProxy or nginx in front of instances, with the very configuration of `deploy/`: only names, ports and times are replaced. */

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { endWithProcess, type Scope } from "./scope.ts";

const DEPLOY = fileURLToPath(new URL("../../../../deploy", import.meta.url));

export const BALANCERS = {
  haproxy: { file: "haproxy/haproxy.cfg", idle: /timeout tunnel 2m/, idleOf: (seconds: number) => `timeout tunnel ${seconds}s` },
  nginx: { file: "nginx/nginx.conf", idle: /proxy_read_timeout 120s/, idleOf: (seconds: number) => `proxy_read_timeout ${seconds}s` },
} as const;

export type BalancerName = keyof typeof BALANCERS;

/** Answers its port once it passes requests on. `idleSeconds`: a WebSocket without a byte is cut after so long; not given: as configured. */
export async function startRealBalancer(
  scope: Scope,
  name: BalancerName,
  { instances, idleSeconds }: { readonly instances: readonly number[]; readonly idleSeconds?: number },
): Promise<number> {
  const { file, idle, idleOf } = BALANCERS[name];
  const port = await freePort();
  let text = readFileSync(join(DEPLOY, file), "utf8");
  const replace = (what: RegExp, by: string) => {
    if (!what.test(text)) throw new Error(`${file} has no ${what}`);
    text = text.replace(what, by);
  };
  for (const [nth, instance] of instances.entries()) replace(new RegExp(`presence-${nth + 1}:3001`, "g"), `127.0.0.1:${instance}`);
  if (/presence-\d:3001/.test(text)) throw new Error(`${file} has more instances than this test`);
  replace(/(bind |listen ):?8080/, `$1${name === "haproxy" ? "127.0.0.1:" : ""}${port}`);
  // So many file descriptors are not at hand everywhere.
  if (name === "haproxy") replace(/maxconn \d+/, "maxconn 1000");
  if (idleSeconds !== undefined) replace(idle, idleOf(idleSeconds));
  const folder = mkdtempSync(join(tmpdir(), `presence-${name}-`));
  if (name === "nginx") {
    // The distribution's folders for temporary files belong to a user that these tests may not have.
    const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
    text = text.replace("http {", `pid ${folder}/pid;\nhttp {\n${folders.join("\n")}`).replace("/dev/stdout", `${folder}/access.log`);
    mkdirSync(join(folder, "logs"));
  }
  const config = join(folder, "config");
  writeFileSync(config, text);
  const args = name === "haproxy" ? ["-db", "-f", config] : ["-p", folder, "-c", config, "-g", "daemon off; error_log stderr;"];
  const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` } });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
  child.once("error", (error) => (printed += error.message));
  const forget = endWithProcess(() => child.kill("SIGKILL"));
  scope.after(async () => {
    const ended = new Promise((resolve) => child.once("close", resolve));
    // nginx's workers end with their master at SIGTERM, and would outlive a SIGKILL of it.
    if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    forget();
    rmSync(folder, { recursive: true, force: true });
  });
  const answers = async () => (await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { connection: "close" } })).status === 200;
  await eventually(() => answers().catch(() => false), { what: () => `${name} passes requests on\n${printed}`, withinMs: 10_000 });
  return port;
}
