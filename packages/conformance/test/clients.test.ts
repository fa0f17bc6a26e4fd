/** Our SDK and the example clients are certified like any other. An example is skipped where its language is not installed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { reportOf } from "../src/cases.ts";
import { certifyClient } from "../src/client/certify.ts";
import type { Also } from "../src/client/play.ts";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

test("the SDK passes all cases for clients", async (t) => {
  await certify(`"${process.execPath}" --conditions=presence-source "${path("sdk-adapter.ts")}"`, t, ["watch"]);
});

test("the example client in Python passes all cases for clients", { skip: without("python3") }, async (t) => {
  await certify(`python3 "${path("../../../examples/clients/python/presence_client.py")}"`, t);
});

test("the example client in Go passes all cases for clients", { skip: without("go") }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "presence-client-"));
  t.after(() => rm(folder, { recursive: true }));
  const built = join(folder, "client");
  // The standard library is enough, so nothing is to be fetched, a newer toolchain neither.
  const env = { ...process.env, GOTOOLCHAIN: "local", GOPROXY: "off", GOFLAGS: "-mod=mod" };
  const { status, stderr } = spawnSync("go", ["build", "-o", built, "."], {
    cwd: path("../../../examples/clients/go"),
    env,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  await certify(`"${built}"`, t);
});

async function certify(command: string, t: TestContext, also: readonly Also[] = []): Promise<void> {
  const results = await certifyClient(command, undefined, also);
  assert.equal(results.failed.length, 0, reportOf(results));
  assert.equal(results.skipped.length > 0, also.length === 0, reportOf(results));
  assert.ok(results.passed.length > 50, reportOf(results));
  t.diagnostic(`${t.name}: ${reportOf(results).split("\n").at(-1)}`);
}

function without(program: string): string | false {
  const isThere = (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
  return isThere ? false : `${program} is not installed`;
}
