/** The codecs against the golden vectors as committed, and docs/PROTOCOL.md against both. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decodeClientBinary, decodeServerBinary, encodeBinary } from "./binary.ts";
import { type ClassicMessage, decodeClassic, encodeClassic } from "./classic.ts";
import { CLOSE, closeReason, retryOf } from "./close-codes.ts";
import { fieldsOf } from "./fields.ts";
import { decodeClientJson, decodeServerJson, encodeJson } from "./json.ts";
import * as limits from "./limits.ts";
import { MESSAGE_FIELDS } from "./message-fields.ts";
import { type BinaryMessage, ERROR_CODES } from "./messages.ts";

type Direction = "client to server" | "server to client" | "both";
type Vector = { name: string; direction: Direction; message: BinaryMessage; hex: string; json: string };
type ClassicVector = { name: string; direction: Direction; message: ClassicMessage; hex: string };
type Invalid = { why: string; encoding: "presence.v2" | "presence.v2.json" | "classic"; direction: Direction; hex?: string; text?: string };

const messages: Vector[] = read("vectors/messages.json");
const growth: (Omit<Vector, "message"> & { message: BinaryMessage | null })[] = read("vectors/growth.json");
const classic: ClassicVector[] = read("vectors/classic.json");
const invalid: Invalid[] = read("vectors/invalid.json");
const document = readFileSync(new URL("../../../docs/PROTOCOL.md", import.meta.url), "utf8");

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

for (const { name, direction, message, hex, json } of messages) {
  test(`vector: ${name}`, () => {
    assert.equal(hexOf(encodeBinary(message)), hex);
    assert.equal(encodeJson(byId(message, json)), json);
    assertRead(direction, message, hex, json);
  });
}

for (const { name, direction, message, hex, json } of growth) {
  test(`vector of a later release: ${name}`, () => assertRead(direction, message ?? undefined, hex, json));
}

function assertRead(direction: Direction, message: BinaryMessage | undefined, hex: string, json: string): void {
  const fromClient = direction === "server to client" ? undefined : message;
  const fromServer = direction === "client to server" ? undefined : message;
  assert.deepEqual(decodeClientBinary(bytesOf(hex)), fromClient);
  assert.deepEqual(decodeServerBinary(bytesOf(hex)), fromServer);
  assert.deepEqual(withoutLater(decodeClientJson(json)), fromClient && byId(fromClient, json));
  assert.deepEqual(withoutLater(decodeServerJson(json)), fromServer && byId(fromServer, json));
}

/** The same message as JSON names its board. */
function byId(message: BinaryMessage, json: string): BinaryMessage {
  return "board" in message ? { ...message, board: "boardId" in message ? message.boardId : JSON.parse(json).board } : message;
}

/** A patch is handed on as it is: its reader skips the members' fields that it does not know. */
function withoutLater(message: BinaryMessage | undefined): BinaryMessage | undefined {
  if (message?.kind !== "user_updated") return message;
  const { later: _, "not yet": __, ...patch } = message.patch;
  return { ...message, patch };
}

for (const { name, message, hex } of classic) {
  test(`classic vector: ${name}`, () => {
    assert.equal(hexOf(encodeClassic(message)), hex);
    assert.deepEqual(decodeClassic(bytesOf(hex)), message);
  });
}

for (const { why, encoding, direction, hex = "", text = "" } of invalid) {
  test(`invalid vector, ${encoding}: ${why}`, () => {
    if (encoding === "classic") assert.equal(decodeClassic(bytesOf(hex)), undefined);
    if (encoding === "presence.v2" && direction !== "server to client") assert.equal(decodeClientBinary(bytesOf(hex)), undefined);
    if (encoding === "presence.v2" && direction !== "client to server") assert.equal(decodeServerBinary(bytesOf(hex)), undefined);
    if (encoding === "presence.v2.json" && direction !== "server to client") assert.equal(decodeClientJson(text), undefined);
    if (encoding === "presence.v2.json" && direction !== "client to server") assert.equal(decodeServerJson(text), undefined);
  });
}

test("PROTOCOL.md: every example is a golden vector, and every message has one", () => {
  // A line of an example: bytes, then two spaces and their meaning.
  const examples = blocks("hex").map((block) => block.replace(/ {2,}.*$/gm, "").replace(/\s/g, ""));
  const texts = blocks("json").map((block) => JSON.stringify(JSON.parse(block)));
  for (const example of examples)
    assert.ok(
      [...messages, ...growth, ...classic].some(({ hex }) => hex === example),
      example,
    );
  for (const text of texts)
    assert.ok(
      messages.some(({ json }) => json === text),
      text,
    );
  for (const { message } of messages) {
    const ofKind = messages.filter(({ message: { kind } }) => kind === message.kind);
    assert.ok(
      ofKind.some(({ hex }) => examples.includes(hex)),
      `no bytes of ${message.kind}`,
    );
    assert.ok(
      ofKind.some(({ json }) => texts.includes(json)),
      `no JSON of ${message.kind}`,
    );
    assert.ok(document.includes(`\n### ${message.kind}\n`), `no heading for ${message.kind}`);
  }
  for (const { message } of classic) {
    assert.ok(
      classic.some((vector) => vector.message.kind === message.kind && examples.includes(vector.hex)),
      message.kind,
    );
  }
});

test("PROTOCOL.md: the types of messages are those of the table in message-fields.ts", () => {
  const types = [...document.matchAll(/^\| 0x([0-9a-f]{2}) \| \[(\w+)\]/gm)].map(([, type, kind]) => `${type} ${kind}`);
  assert.deepEqual(new Set(types), new Set(messages.map(({ hex, message }) => `${hex.slice(0, 2)} ${message.kind}`)));
});

test("PROTOCOL.md: the fields of each message are those of the table in message-fields.ts, and each optional one is in a vector", () => {
  for (const [kind, { body }] of Object.entries(MESSAGE_FIELDS)) {
    const expected = fieldsOf(body).map(([name, { key }]) => (key === undefined ? name : `${name} extra ${key}`));
    const rows =
      document
        .split(`\n### ${kind}\n`)[1]
        ?.split("\n##")[0]
        ?.matchAll(/^\| (?!field |---)(\w+) \| (.*?) \|/gm) ?? [];
    const written = [...rows].map(([, name, type]) => `${name}${/, extra \d+$/.exec(type ?? "")?.[0].replace(",", "") ?? ""}`);
    assert.deepEqual(written, expected, `the table under "${kind}" has other fields than the code`);
    for (const [name, { key }] of fieldsOf(body))
      if (key !== undefined)
        assert.ok(
          messages.some(({ message }) => message.kind === kind && name in message),
          `no vector of ${kind} has ${name}: add one to vectors/generate.ts`,
        );
  }
});

test("PROTOCOL.md: the close codes are those of close-codes.ts", () => {
  const rows = Object.entries(CLOSE).map(
    ([name, { code, retry, grace, meaning }]) => `| ${code} | ${name} | ${retry} | ${grace} | ${meaning} |`,
  );
  assert.deepEqual(rowsUnder("Close codes"), rows);
  assert.deepEqual(closeReason(4409), CLOSE.superseded);
  for (const code of [1013, 3000, 4003, 4099, 4100, 4399, 4500, 4999]) assert.deepEqual(closeReason(code), { ...CLOSE.lost, code });
  for (const { code, retry } of Object.values(CLOSE)) assert.equal(retryOf(code), retry, `${code} without the table`);
  for (const code of [4400, 4499]) assert.deepEqual([closeReason(code).retry, closeReason(code).grace], ["never", "full"]);
});

test("PROTOCOL.md: the limits are those of limits.ts", () => {
  const rows = rowsUnder("Limits").map((row) => row.split(" | ").slice(0, 2).join(" "));
  assert.deepEqual(new Set(rows), new Set(Object.entries(limits).map(([name, value]) => `| \`${name}\` ${value}`)));
});

test("PROTOCOL.md: every error has a heading, in order and with its number", () => {
  const found = [...section("Errors").matchAll(/^### (\w+)\n\nNumber (\d+)\./gm)].map(([, code, number]) => `${number} ${code}`);
  assert.deepEqual(
    found,
    ERROR_CODES.map((code, number) => `${number} ${code}`),
  );
});

function read<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));
}

function blocks(language: string): string[] {
  return [...document.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, block = ""]) => block);
}

function section(heading: string): string {
  return document.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
}

/** The rows of the one table under a heading, without its head. */
function rowsUnder(heading: string): string[] {
  return section(heading)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(1);
}
