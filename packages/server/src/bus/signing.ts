/**
 * Signed messages (R14): every message carries a proof that its sender knows BUS_SECRET, and when it was said. This file knows a message
 * as bytes only: it decides whether they may be decoded. docs/REPLICATION.md, "Signed messages", shows the bytes.
 */

import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Channel } from "./bus.ts";

/** The first byte. It is no letter of any text, and no `0xb…` of an unsigned message. */
const SIGNED = 0xa1;
/**
 * 96 bits, more than the 80 that RFC 2104 asks for at least. A forger cannot try offline: each guess is a message through Redis, and
 * a million of them a second would take 10^15 years.
 */
const SIGNATURE_BYTES = 12;
/** Microseconds since 1970 fit into seven bytes until the year 2255. */
const STAMP_BYTES = 7;
const STAMP_AT = 1 + SIGNATURE_BYTES;
/** A signed message is longer by so much. */
export const SIGNED_BYTES = STAMP_AT + STAMP_BYTES;

/**
 * A message that was said longer ago than this is not believed (R14.6). A message that comes later than this is of no use: by then its sender
 * was judged down (R7.9).
 */
const STALE_US = 10_000_000;

const SECRETS_MAX = 4;
const SECRET_LENGTH_MIN = 32;
const SECRET_LENGTH_MAX = 256;
/** In place of a last secret: messages without a signature are taken, too. */
const UNSIGNED = "none";

export const SECRETS_ALLOWED = `1 to ${SECRETS_MAX} secrets of ${SECRET_LENGTH_MIN} to ${SECRET_LENGTH_MAX} printable ASCII characters, separated by commas, and possibly \`${UNSIGNED}\` as the last entry`;

/** Reads BUS_SECRET. undefined: its form is wrong. Empty text: nothing is signed or checked. */
export function readSecrets(text: string): { readonly secrets: readonly string[]; readonly takesUnsigned: boolean } | undefined {
  if (text === "") return { secrets: [], takesUnsigned: true };
  const entries = text.split(",").map((entry) => entry.trim());
  const takesUnsigned = entries.length > 1 && entries.at(-1) === UNSIGNED;
  const secrets = takesUnsigned ? entries.slice(0, -1) : entries;
  const isFit = (secret: string) => /^[!-~]+$/.test(secret) && secret.length >= SECRET_LENGTH_MIN && secret.length <= SECRET_LENGTH_MAX;
  return secrets.length <= SECRETS_MAX && secrets.every(isFit) ? { secrets, takesUnsigned } : undefined;
}

/**
 * `unsigned`: a signature is demanded, and there is none. `signature`: not by one of our secrets for this channel. `stale`: said too long ago,
 * or heard before.
 */
export type Distrust = "unsigned" | "signature" | "stale";

export type Checked =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly isSigned: boolean }
  | { readonly ok: false; readonly why: Distrust };

export class Signing {
  readonly #keys: readonly KeyObject[];
  readonly #takesUnsigned: boolean;
  readonly #wallUs: () => number;
  /** By so much the own clock was put forward, to that of the instance whose clock is ahead of all (R14.5). */
  #aheadUs = 0;
  #lastStamp = 0;
  /** The last stamp of each sender on each channel; of two spans of `STALE_US`, as older ones are refused by their age. */
  #heard = new Map<string, number>();
  #heardBefore = new Map<string, number>();
  #turnedAt = 0;

  /** `secrets` as `readSecrets` takes them. `wallUs`: a clock that never goes back, for tests. */
  constructor(secrets: string, wallUs = microseconds) {
    const read = readSecrets(secrets);
    if (read === undefined) throw new TypeError("wrong secrets");
    this.#keys = read.secrets.map(keyOf);
    this.#takesUnsigned = read.takesUnsigned;
    this.#wallUs = wallUs;
  }

  get isOn(): boolean {
    return this.#keys.length > 0;
  }

  /** Whether messages without a signature are believed. */
  get takesUnsigned(): boolean {
    return this.#takesUnsigned;
  }

  /** The message as it is to be published on that channel. Without secrets it is the same. */
  sign(channel: Channel, message: Uint8Array): Uint8Array {
    const [key] = this.#keys;
    if (key === undefined) return message;
    // Each stamp is used once, also where the clock has not moved.
    this.#lastStamp = Math.max(this.#lastStamp + 1, this.#nowUs());
    const signed = Buffer.allocUnsafe(SIGNED_BYTES + message.length);
    signed[0] = SIGNED;
    signed.writeUIntBE(Math.floor(this.#lastStamp / 2 ** 48), STAMP_AT, 1);
    signed.writeUIntBE(this.#lastStamp % 2 ** 48, STAMP_AT + 1, 6);
    signed.set(message, SIGNED_BYTES);
    signatureOf(key, channel, signed.subarray(STAMP_AT)).copy(signed, 1, 0, SIGNATURE_BYTES);
    return signed;
  }

  /** Never throws. The bytes of the answer are a view of those given, without the signature. */
  check(channel: Channel, received: Uint8Array): Checked {
    const isSigned = received[0] === SIGNED && received.length >= SIGNED_BYTES;
    const bytes = isSigned ? received.subarray(SIGNED_BYTES) : received;
    if (!this.isOn) return { ok: true, bytes, isSigned };
    if (!isSigned) return this.#takesUnsigned ? { ok: true, bytes, isSigned } : { ok: false, why: "unsigned" };
    const claimed = Buffer.from(received.buffer, received.byteOffset, received.length);
    const signature = claimed.subarray(1, STAMP_AT);
    const content = claimed.subarray(STAMP_AT);
    const isOurs = this.#keys.some((key) => timingSafeEqual(signature, signatureOf(key, channel, content).subarray(0, SIGNATURE_BYTES)));
    if (!isOurs) return { ok: false, why: "signature" };
    return this.#isFresh(channel, claimed) ? { ok: true, bytes, isSigned } : { ok: false, why: "stale" };
  }

  /** A message whose signature is right teaches the time; it is fresh if it is neither old nor a repeat. */
  #isFresh(channel: Channel, signed: Buffer): boolean {
    const stamp = signed.readUIntBE(STAMP_AT, 1) * 2 ** 48 + signed.readUIntBE(STAMP_AT + 1, 6);
    const nowUs = this.#nowUs();
    if (stamp > nowUs) this.#aheadUs += stamp - nowUs;
    if (stamp < nowUs - STALE_US) return false;
    this.#turn();
    // The first bytes of the envelope are its version and its sender.
    const key = channel + signed.toString("latin1", SIGNED_BYTES + 1, SIGNED_BYTES + 17);
    if (stamp <= (this.#heard.get(key) ?? this.#heardBefore.get(key) ?? 0)) return false;
    this.#heard.set(key, stamp);
    return true;
  }

  #turn(): void {
    const nowUs = this.#nowUs();
    if (nowUs - this.#turnedAt < STALE_US) return;
    this.#turnedAt = nowUs;
    this.#heardBefore = this.#heard;
    this.#heard = new Map();
  }

  #nowUs(): number {
    return this.#wallUs() + this.#aheadUs;
  }
}

/** Bytes of the id that a message claims to be from, as a UUID: for logs, since nobody has proved it. undefined: too short to say. */
export function claimedSender(received: Uint8Array): string | undefined {
  const at = received[0] === SIGNED ? SIGNED_BYTES + 1 : 1;
  if (received.length < at + 16) return undefined;
  const hex = Buffer.from(received.buffer, received.byteOffset + at, 16).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function signatureOf(key: KeyObject, channel: Channel, content: Uint8Array): Buffer {
  // No channel holds a NUL, so no end of a channel can pass for the beginning of a message.
  return createHmac("sha256", key).update(`${channel}\0`).update(content).digest();
}

/** A secret is long and random (`SECRET_LENGTH_MIN`), so it needs no slow derivation. */
function keyOf(secret: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync("sha256", secret, "", "presence-service bus 1", 32)));
}

/** The wall clock at the start, and since then a clock that is never set: a step of the wall clock later changes nothing. */
function microseconds(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000);
}
