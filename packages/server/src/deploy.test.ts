/** The files of `deploy/` that run the service: each can be read, and names only settings that exist, with values that are allowed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { commandOf, SETTINGS } from "./config.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const text = (path: string) => readFileSync(join(ROOT, "deploy", path), "utf8");

type Env = Readonly<Record<string, string>>;

/** The settings are those of the table, and a start with them would not be refused. Files that only exist there are left out. */
function assertSettings(env: Env, where: string): void {
  for (const name of Object.keys(env)) assert.ok(name in SETTINGS || name === "NODE_ENV", `${where}: ${name} is no setting`);
  const here = Object.fromEntries(Object.entries(env).filter(([name]) => !name.endsWith("_FILE")));
  assert.equal(commandOf({ argv: [], env: here, dotEnv: {} }).kind, "run", where);
}

function dockerfileEnv(): Env {
  const [, pairs = ""] = /^ENV (.*)$/m.exec(text("docker/Dockerfile")) ?? [];
  return Object.fromEntries(pairs.split(" ").map((pair) => pair.split("=") as [string, string]));
}

test("Dockerfile: its settings exist, and so does what it copies; it does not run as root", () => {
  assertSettings(dockerfileEnv(), "Dockerfile");
  for (const [, words = ""] of text("docker/Dockerfile").matchAll(/^COPY (?!--from)(.*) \S+$/gm))
    for (const path of words.split(" ")) assert.ok(existsSync(join(ROOT, path)), path);
  assert.match(text("docker/Dockerfile"), /^USER 1000:1000$/m);
});

test("compose: its settings exist; instances cannot write, and nothing but the balancer is open to other machines", () => {
  const { services, networks } = parse(text("docker/compose.yaml"), { merge: true });
  const instances = Object.keys(services).filter((name) => name.startsWith("presence-"));
  assert.equal(instances.length, 3);
  for (const name of instances) {
    const { environment, read_only: isReadOnly, cap_drop: dropped, ports } = services[name];
    assertSettings({ ...dockerfileEnv(), ...environment }, "compose.yaml");
    assert.deepEqual([isReadOnly, dropped, ports], [true, ["ALL"], undefined]);
  }
  for (const [name, { ports = [] }] of Object.entries<{ ports?: string[] }>(services))
    assert.ok(name === "haproxy" || ports.every((port) => port.startsWith("127.0.0.1:")), name);
  assert.equal(networks.bus.internal, true);
  assert.deepEqual(services.redis.networks, ["bus"]);
  for (const { volumes = [] } of Object.values<{ volumes?: string[] }>(services))
    for (const volume of volumes) assert.ok(existsSync(join(ROOT, "deploy/docker", volume.split(":")[0] ?? "")), volume);
});

test("Kubernetes: its settings exist, each object has a kind, and the policies are about the pods of the Deployment", () => {
  const objects = parseAllDocuments(text("kubernetes/presence.yaml")).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
  const of = (kind: string) => objects.find((object) => object.kind === kind) ?? assert.fail(`there is no ${kind}`);
  const { template, selector } = of("Deployment").spec;
  const [container] = template.spec.containers;
  const own: Env = Object.fromEntries(container.env.map(({ name, value }: { name: string; value: string }) => [name, value]));
  assertSettings({ ...dockerfileEnv(), ...of("ConfigMap").data, ...own }, "presence.yaml");
  const labels = template.metadata.labels;
  assert.deepEqual(
    [selector.matchLabels, of("Service").spec.selector, of("PodDisruptionBudget").spec.selector.matchLabels],
    [labels, labels, labels],
  );
  assert.deepEqual(of("NetworkPolicy").spec.podSelector.matchLabels, labels);
  assert.equal(of("HorizontalPodAutoscaler").spec.scaleTargetRef.name, of("Deployment").metadata.name);
  assert.deepEqual(
    [
      container.securityContext.readOnlyRootFilesystem,
      template.spec.securityContext.runAsNonRoot,
      container.lifecycle.preStop === undefined,
    ],
    [true, true, false],
  );
  assert.match(container.livenessProbe.httpGet.path, /livez/);
  assert.match(container.readinessProbe.httpGet.path, /readyz/);
});

test("systemd: its settings exist, and systemd itself finds no mistake where it is at hand", (t) => {
  const unit = text("systemd/presence-service.service");
  const env = Object.fromEntries([...unit.matchAll(/^Environment=([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value])) as Env;
  assert.ok("REDIS_URL_FILE" in env);
  assertSettings(env, "presence-service.service");
  const verify = spawnSync("systemd-analyze", ["verify", join(ROOT, "deploy/systemd/presence-service.service")], { encoding: "utf8" });
  if (verify.error !== undefined) return t.diagnostic("there is no systemd-analyze here");
  assert.deepEqual([verify.status, verify.stderr.split("\n").filter((line) => line.includes("presence-service"))], [0, []]);
});

test("each balancer knows the same three instances, hides single instances' pages, and has affinity by the same parameter", () => {
  assert.ok(parse(text("envoy/envoy.yaml")).static_resources.clusters.length > 0);
  assert.ok(parse(text("prometheus/prometheus.yml")).scrape_configs.length > 0);
  for (const [file, affinity] of [
    ["haproxy/haproxy.cfg", /balance url_param b$/m],
    ["nginx/nginx.conf", /default \$arg_b;/],
    ["envoy/envoy.yaml", /query_parameter: \{ name: b \}/],
    ["caddy/Caddyfile", /lb_policy query b /],
  ] as const) {
    assert.match(text(file), affinity);
    assert.match(text(file), /\(health\|metrics\)/);
    for (const nth of [1, 2, 3]) assert.match(text(file), new RegExp(`presence-${nth}\\b`), file);
  }
});
