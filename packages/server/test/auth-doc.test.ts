/** The lines of docs/AUTH.md that mint a token do so, in each language that is at hand; a token of each is believed. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { tokenRights } from "../src/identity/tokens.ts";
import { SILENT } from "../src/telemetry/log.ts";

const SECRET = "a-secret-of-these-tests-of-more-than-32-bytes";
const DOCUMENT = readFileSync(new URL("../../../docs/AUTH.md", import.meta.url), "utf8");

type Language = {
  readonly fence: string;
  readonly command: readonly string[];
  readonly file: string;
  readonly call: string;
  readonly before?: string;
};

/** `call` prints the token; `before` goes before the lines of the document. */
const LANGUAGES: readonly Language[] = [
  {
    fence: "js",
    command: [process.execPath],
    file: "token.mjs",
    call: `console.log(presenceToken("${SECRET}", { id: "ana", name: "Ana" }, { "doc-*": ["write"] }));`,
  },
  {
    fence: "python",
    command: ["python3"],
    file: "token.py",
    call: `print(presence_token("${SECRET}", {"id": "ana", "name": "Ana"}, {"doc-*": ["write"]}))`,
  },
  {
    fence: "go",
    command: ["go", "run"],
    file: "token.go",
    call: `func main() { println(PresenceToken("${SECRET}", "ana", "Ana", map[string][]string{"doc-*": {"write"}})) }`,
  },
  {
    fence: "php",
    command: ["php"],
    file: "token.php",
    before: "<?php\n",
    call: `echo presence_token("${SECRET}", "ana", "Ana", ["doc-*" => ["write"]]);`,
  },
  {
    fence: "ruby",
    command: ["ruby"],
    file: "token.rb",
    call: `puts presence_token("${SECRET}", "ana", "Ana", { "doc-*" => ["write"] })`,
  },
];

for (const { fence, command, file, call, before = "" } of LANGUAGES) {
  const [program = "", ...args] = command;
  const version = spawnSync(program, fence === "go" ? ["version"] : ["--version"]);
  const skip = version.error !== undefined && `${program} is not on the PATH`;
  test(`the lines for ${fence} mint a token that is believed`, { skip, timeout: 120_000 }, async (t) => {
    const lines = new RegExp(`\`\`\`${fence}\n([^]*?)\`\`\``).exec(DOCUMENT)?.[1] ?? assert.fail("the document has such lines");
    const folder = mkdtempSync(join(tmpdir(), "presence-token-"));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, file), `${before}${lines}\n${call}\n`);
    const { stdout, stderr, status } = spawnSync(program, [...args, join(folder, file)], { encoding: "utf8", cwd: folder });
    assert.equal(status, 0, stderr);
    const { authenticate, authorize } = tokenRights({
      secrets: [SECRET],
      publicKeys: "",
      jwksUrl: undefined,
      issuer: undefined,
      audience: undefined,
      lifeMaxS: 86_400,
      anonymous: [],
      log: SILENT,
    });
    // Go's println writes to stderr.
    const user = await authenticate((stdout || stderr).trim(), {} as IncomingMessage);
    assert.deepEqual([user?.userId, user?.username], ["ana", "Ana"]);
    assert(user !== undefined && authorize(user, "doc-7", { observe: false, watch: false }));
  });
}
