/**
 * Every decoder against bytes that nobody meant: valid messages that were cut, joined, stretched and altered, and noise. A decoder never throws,
 * answers in the time that its bytes are worth, and says the same of its own answer (where it has an encoder). Seeded: a failing input comes again.
 */

import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { deflateRawSync } from "node:zlib";
import {
  type CursorInput,
  decodeClassic,
  decodeClientBinary,
  decodeClientJson,
  decodeCursors,
  decodeServerBinary,
  decodeServerJson,
  encodeBinary,
  encodeClassic,
  encodeJson,
  mistakeInBinary,
  mistakeInJson,
  readCursor,
} from "@presence-service/protocol";
import { addressRule } from "../../src/address.ts";
import type { Channel } from "../../src/bus/bus.ts";
import { decodeRedisMessage, encodeRedisMessage } from "../../src/bus/envelope.ts";
import { Signing } from "../../src/bus/signing.ts";
import { parseDotEnv } from "../../src/config/dot-env.ts";
import { isAt, pathOf, queryOf } from "../../src/edge/paths.ts";
import { originRule } from "../../src/origins.ts";
import { speechFor, subprotocolOf, tokenOffered, withoutToken } from "../../src/speech/subprotocols.ts";
import { framesOfClients, readWebSocket } from "./fuzz-frames.ts";

/** A message of 64 KB may take this; pauses of the machine are above it, so a slow input is tried again before it counts. */
const SLOW_MS = 50;
const ALTERED_MAX = 6;

type Decoder = {
  readonly corpus: "binary" | "json" | "classic" | "bus" | "packed" | "frames" | "upgrades" | "text";
  /** Throws if something is wrong. */
  readonly decode: (bytes: Buffer) => void;
};

const CURSOR: CursorInput = { board: 0, x: 0, y: 0, path: undefined };
const signing = new Signing("a-secret-of-the-fuzzer-that-is-long-enough,another-secret-of-the-fuzzer-long-enough");
const isAllowed = originRule(["https://example.com"]);
const addressOf = addressRule(["10.0.0.0/8", "2001:db8::/32"]);

export const DECODERS: Readonly<Record<string, Decoder>> = {
  "presence.v2, of a client": { corpus: "binary", decode: (bytes) => again(decodeClientBinary(bytes), encodeBinary, decodeClientBinary) },
  "presence.v2, of the service": {
    corpus: "binary",
    decode: (bytes) => again(decodeServerBinary(bytes), encodeBinary, decodeServerBinary),
  },
  "presence.v2, a cursor": { corpus: "binary", decode: (bytes) => void readCursor(bytes, CURSOR) },
  "presence.v2, cursors": { corpus: "binary", decode: (bytes) => void decodeCursors(bytes) },
  "presence.v2, a mistake": { corpus: "binary", decode: (bytes) => void mistakeInBinary(bytes) },
  "presence.v2.json, of a client": {
    corpus: "json",
    decode: (bytes) => again(decodeClientJson(bytes.toString()), encodeJson, decodeClientJson),
  },
  "presence.v2.json, of the service": {
    corpus: "json",
    decode: (bytes) => again(decodeServerJson(bytes.toString()), encodeJson, decodeServerJson),
  },
  "presence.v2.json, a mistake": { corpus: "json", decode: (bytes) => void mistakeInJson(bytes.toString()) },
  classic: { corpus: "classic", decode: (bytes) => again(decodeClassic(bytes), encodeClassic, decodeClassic) },
  "the bus": {
    corpus: "bus",
    decode(bytes) {
      const decoded = decodeRedisMessage(bytes);
      // A message that was understood can be said again, and is understood again.
      if (decoded.ok && !decodeRedisMessage(encodeRedisMessage(decoded.value)).ok) throw new Error("not understood again");
    },
  },
  "the bus, packed": {
    corpus: "packed",
    decode(bytes) {
      decodeRedisMessage(Buffer.concat([PACKED_HEAD, bytes]));
    },
  },
  "the bus, signed": { corpus: "bus", decode: (bytes) => void signing.check("presence:global" as Channel, bytes) },
  "frames of a WebSocket": { corpus: "frames", decode: readWebSocket },
  "an upgrade request": { corpus: "upgrades", decode: readUpgrade },
  "X-Forwarded-For": { corpus: "text", decode: (bytes) => void addressOf("10.1.2.3", bytes.toString("latin1")) },
  ".env": { corpus: "text", decode: (bytes) => void parseDotEnv(bytes, ["WS_PORT", "REDIS_URL"]) },
};

function again<M>(message: M | undefined, encode: (message: M) => Uint8Array | string, decode: (encoded: never) => M | undefined): void {
  if (message === undefined) return;
  const encoded = encode(message);
  if (decode(encoded as never) === undefined)
    throw new Error(`it was understood, and what is made of it is not: ${JSON.stringify(message)}`);
}

/** Reads all that is read of an upgrade request after Node has taken it apart: the target, the subprotocols, the origin and the host, a line each. */
function readUpgrade(bytes: Buffer): void {
  const [target, subprotocols = "", origin, host] = bytes.toString("latin1").split("\n");
  const headers = { "sec-websocket-protocol": subprotocols, origin, host };
  const query = queryOf(target);
  isAt(pathOf(target), "/ws");
  isAllowed(headers);
  const request = { headers } as unknown as IncomingMessage;
  const token = tokenOffered(request);
  // Stars stand for a token in the log.
  if (token !== undefined && !"***".startsWith(token) && withoutToken(subprotocols).includes(`presence.token.${token}`))
    throw new Error("a token would be logged");
  const speech = speechFor(request, query);
  const chosen = subprotocolOf(new Set(subprotocols.split(",").map((name) => name.trim())));
  if (chosen !== undefined && speech === undefined) throw new Error(`${chosen} would be answered, and not spoken`);
}

export type Found = { readonly decoder: string; readonly seed: number; readonly hex: string; readonly why: string };

/** Feeds the decoder `inputs` inputs. Answers the first one that is wrong; undefined: none. */
export function fuzz(name: string, inputs: number, seed: number): Found | undefined {
  const decoder = DECODERS[name];
  if (decoder === undefined) throw new Error(`there is no decoder ${name}`);
  const corpus = CORPORA[decoder.corpus];
  const random = randomOf(seed);
  for (let nth = 0; nth < inputs; nth += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, inputs - nth) }, () => inputOf(corpus, random));
    if (isFine(decoder, batch)) continue;
    for (const input of batch) {
      const why = wrongWith(decoder, input);
      if (why !== undefined) return { decoder: name, seed, hex: input.toString("hex"), why };
    }
  }
  return undefined;
}

/** Inputs whose time is taken together: the clock would cost more than most of them. */
const BATCH = 64;

function isFine({ decode }: Decoder, batch: readonly Buffer[]): boolean {
  const startedAt = performance.now();
  try {
    for (const input of batch) decode(input);
  } catch {
    return false;
  }
  return performance.now() - startedAt < SLOW_MS;
}

function wrongWith({ decode }: Decoder, input: Buffer): string | undefined {
  for (let tries = 0; ; tries++) {
    const startedAt = performance.now();
    try {
      decode(input);
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    const ms = performance.now() - startedAt;
    if (ms < SLOW_MS) return undefined;
    if (tries === 3) return `it took ${Math.round(ms)} ms`;
  }
}

function inputOf(corpus: readonly Buffer[], random: (below: number) => number): Buffer {
  const pick = () => corpus[random(corpus.length)] ?? Buffer.alloc(0);
  switch (random(12)) {
    case 0:
      return Buffer.from(Array.from({ length: random(64) }, () => random(256)));
    case 1: {
      const [one, other] = [pick(), pick()];
      return Buffer.concat([one.subarray(0, random(one.length + 1)), other.subarray(random(other.length + 1))]);
    }
    case 2: {
      const whole = pick();
      return whole.subarray(0, random(whole.length + 1));
    }
    case 3: {
      // A part again and again: lists and nesting that never end.
      const whole = pick();
      const from = random(whole.length + 1);
      const part = whole.subarray(from, from + 1 + random(8));
      return Buffer.concat([
        whole.subarray(0, from),
        ...Array<Buffer>(1 + random(random(20) === 0 ? 3000 : 20)).fill(part),
        whole.subarray(from),
      ]);
    }
    default: {
      const altered = Buffer.from(pick());
      for (let count = 1 + random(ALTERED_MAX); count > 0 && altered.length > 0; count--)
        altered[random(altered.length)] = EDGES[random(3 * EDGES.length)] ?? random(256);
      return altered;
    }
  }
}

/** Bytes at which lengths, flags and texts change. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x22, 0x5c, 0x7b, 0x5b, 0x2c, 0xc0, 0xed, 0xf4];

/** xorshift: the same inputs for the same seed, in every release of Node. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed ^ 0x9e3779b9) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

type Vector = { readonly hex?: string; readonly json?: string; readonly text?: string };
const vectors = (name: string): Vector[] =>
  JSON.parse(readFileSync(new URL(`../../../protocol/vectors/${name}.json`, import.meta.url), "utf8"));
const of = (part: "hex" | "json" | "text", names: readonly string[]) =>
  names.flatMap(vectors).flatMap((vector) => {
    const found = vector[part];
    return found === undefined ? [] : [Buffer.from(found, part === "hex" ? "hex" : "utf8")];
  });

/** The examples of docs/REPLICATION.md, each behind the same envelope. */
function busExamples(): Buffer[] {
  const text = readFileSync(new URL("../../../../docs/REPLICATION.md", import.meta.url), "utf8");
  const blocks = [...text.matchAll(/^```hex\n(.*?)^```/gms)].map(([, block = ""]) => block.replace(/ {2,}.*$/gm, "").replace(/\s/g, ""));
  return blocks.flatMap((hex) => [Buffer.from(hex, "hex"), Buffer.from(`b13f2a9c517d044e8b9a660c1d2e3f4a5b02${hex}`, "hex")]);
}

const bus = busExamples();
/** Magic, sender, a short link number, and the kind that says "packed". */
const PACKED_HEAD = Buffer.from("b13f2a9c517d044e8b9a660c1d2e3f4a5b027f", "hex");

const CORPORA: Readonly<Record<Decoder["corpus"], readonly Buffer[]>> = {
  binary: of("hex", ["messages", "growth", "invalid"]),
  json: [...of("json", ["messages", "growth"]), ...of("text", ["invalid"])],
  classic: of("hex", ["classic"]),
  bus: [...bus, ...bus.map((message) => Buffer.from(signing.sign("presence:global" as Channel, message)))],
  // Without what stands before it: that is the same for all.
  packed: bus.map((message) => deflateRawSync(message.subarray(PACKED_HEAD.length - 1))),
  frames: framesOfClients(),
  upgrades: [
    "/ws?encoding=presence.v2&board=a%20b\npresence.v2, presence.token.abc.def\nhttps://example.com\nexample.com:443",
    "/\n\nnull\n[::1]:3001",
    "https://example.com/app/ws/?token=x#y\npresence.v2.json\nhttps://example.org:8443\nlocalhost",
    "*\npresence.token.,presence.v3\nfile://\n",
  ].map((text) => Buffer.from(text)),
  text: [
    "203.0.113.9, 10.0.0.1",
    '"[2001:db8::1]:443", unknown, ::ffff:10.0.0.1',
    "for=192.0.2.60;proto=http",
    "WS_PORT=3001\nREDIS_URL='redis://localhost'\n# a comment\nexport X=\"y\"\r\n",
    "\ufeffWS_PORT = 3001",
  ].map((text) => Buffer.from(text)),
};
for (const [name, corpus] of Object.entries(CORPORA)) if (corpus.length < 4) throw new Error(`the corpus ${name} is empty`);
