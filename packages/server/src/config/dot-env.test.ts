/** A file `.env`, however an editor has saved it, is read or refused with a sentence, and never ignored. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type DotEnv, parseDotEnv, readDotEnv } from "./dot-env.ts";

const SETTINGS = ["WS_PORT", "WS_HOST", "REDIS_URL", "REDIS_PREFIX", "LOG_LEVEL", "DEMO"];

function parsed(text: string | Buffer): DotEnv {
  return parseDotEnv(Buffer.from(text as string), SETTINGS);
}

const utf16le = (text: string) => Buffer.from(text, "utf16le");
const utf16be = (text: string) => utf16le(text).swap16();

test("any encoding that editors write is read, with or without a byte order mark", () => {
  const text = "WS_PORT=3002\nLOG_LEVEL=debug\n# Grüße\nREDIS_PREFIX=a";
  const forms = {
    "UTF-8": Buffer.from(text),
    "UTF-8 with BOM": Buffer.from(`\ufeff${text}`),
    "UTF-16 LE with BOM": utf16le(`\ufeff${text}`),
    "UTF-16 BE with BOM": utf16be(`\ufeff${text}`),
    "UTF-16 LE": utf16le(text),
    "UTF-16 BE": utf16be(text),
  };
  for (const [form, bytes] of Object.entries(forms)) {
    const { texts, problems, warnings } = parseDotEnv(bytes, SETTINGS);
    assert.deepEqual({ ...texts }, { WS_PORT: "3002", LOG_LEVEL: "debug", REDIS_PREFIX: "a" }, form);
    assert.deepEqual([problems, warnings], [[], []], form);
  }
  assert.deepEqual(parsed(""), { texts: parsed("").texts, problems: [], warnings: [] });
});

test("a file that is no text is refused with a sentence", () => {
  const cases = {
    "UTF-16 cut in the middle": utf16le("\ufeffWS_PORT=1").subarray(0, -1),
    "Latin-1": Buffer.from("WS_PORT=1 # Grüße", "latin1"),
    "UTF-32": Buffer.from([0xff, 0xfe, 0, 0, 0x57, 0, 0, 0]),
    "a binary file": Buffer.from("WS_PORT=1\n\0\0"),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    assert.match(parseDotEnv(bytes, SETTINGS).problems.join(), /\.env is not text in UTF-8 or UTF-16; save it as UTF-8/, what);
  }
});

test("line ends, export, quotes and comments are what they are elsewhere", () => {
  const { texts, problems, warnings } = parsed(
    "# c\r\nexport WS_PORT = 3002\r\n  REDIS_URL=\"redis://:a#b@h\"\rLOG_LEVEL='debug' # why\r\n",
  );
  assert.deepEqual({ ...texts }, { WS_PORT: "3002", REDIS_URL: "redis://:a#b@h", LOG_LEVEL: "debug" });
  assert.deepEqual([problems, warnings], [[], []]);
});

test("a setting without = is a problem, told by its line", () => {
  const { problems } = parsed("WS_PORT 3002\nexport LOG_LEVEL\n# WS_HOST is ours\nREDIS_URL: redis://:canary@h\nWS_PORTAL x\n");
  assert.deepEqual(
    problems.map((problem) => /line (\d+) names (\w+)/.exec(problem)?.slice(1)),
    [
      ["1", "WS_PORT"],
      ["2", "LOG_LEVEL"],
      ["4", "REDIS_URL"],
    ],
  );
  assert.doesNotMatch(problems.join(), /canary/);
});

test("names that look like settings get a warning, others are other programs' business", () => {
  const meant = {
    REDIS_URI: "REDIS_URL",
    WSPORT: "WS_PORT",
    "WS-PORT": "WS_PORT",
    ws_port: "WS_PORT",
    WS_PROT: "WS_PORT",
    "\u00a0WS_PORT": "WS_PORT",
    LOGLEVEL: "LOG_LEVEL",
    LOG_LEVLE: "LOG_LEVEL",
    REDISURL: "REDIS_URL",
    REDIS_HOST: "REDIS_URL",
    REDIS_PASSWORD: "REDIS_URL",
  };
  for (const [name, setting] of Object.entries(meant)) {
    const { warnings, problems } = parsed(`${name}=canary\n`);
    assert.equal(warnings.length, 1, name);
    assert.match(warnings[0] ?? "", new RegExp(setting), name);
    assert.doesNotMatch(warnings.join(), /canary/);
    assert.deepEqual(problems, []);
  }
  for (const name of ["PORT", "HOST", "DATABASE_URL", "NODE_ENV", "TZ", "REACT_APP_URL", "DEBUG", "X".repeat(5000)])
    assert.deepEqual(parsed(`${name}=1`).warnings, [], name);
});

test("no file is no trouble; a directory and a file that may not be read are", () => {
  const folder = mkdtempSync(join(tmpdir(), "presence-env-"));
  try {
    assert.deepEqual(readDotEnv(join(folder, "none"), SETTINGS), { texts: {}, problems: [], warnings: [] });
    mkdirSync(join(folder, "directory"));
    assert.match(readDotEnv(join(folder, "directory"), SETTINGS).problems.join(), /\.env is a directory, not a file/);
    writeFileSync(join(folder, "file"), "\ufeffWS_PORT=3002");
    assert.equal(readDotEnv(join(folder, "file"), SETTINGS).texts["WS_PORT"], "3002");
    assert.match(readDotEnv(join(folder, "file", "below"), SETTINGS).problems.join(), /\.env cannot be read \(ENOTDIR\)/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
