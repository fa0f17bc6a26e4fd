/** The frames of the own connection, decoded: one line each, with the whole message to be unfolded. Tokens are not shown. */

import { type Bytes, decodeClientBinary, decodeServerBinary, PACKED } from "@presence-service/protocol";
import { byId, el, setText } from "./dom.ts";
import type { Direction } from "./line.ts";

export type Frame = {
  readonly at: number;
  readonly direction: Direction | "line";
  readonly kind: string;
  readonly bytes: number;
  /** The length that it has unpacked. */
  readonly unpacked?: number;
  /** The message as JSON, or words about it. */
  readonly text: string;
};

const SHOWN_MAX = 300;
const SUMMARY_LENGTH_MAX = 400;
const TEXT_LENGTH_MAX = 20_000;
const SECRETS = new Set(["token", "resumeToken"]);
/** Kinds that come all the time. */
const BUSY = new Set(["cursor", "cursors", "heartbeat"]);

/** `plain`: the bytes, unpacked if they were packed. */
export function readFrame(direction: Direction, bytes: Uint8Array, plain: Uint8Array, at: number): Frame {
  const message = direction === "in" ? decodeServerBinary(plain) : decodeClientBinary(plain);
  const { kind = "cannot be read", ...fields } = message ?? {};
  const text =
    message === undefined
      ? `bytes ${Array.from(plain.subarray(0, 64), (byte) => byte.toString(16).padStart(2, "0")).join(" ")}`
      : JSON.stringify(fields, (key, value) => (SECRETS.has(key) && typeof value === "string" ? "(not shown)" : value), 1);
  return { at, direction, kind, bytes: bytes.length, ...(plain !== bytes && { unpacked: plain.length }), text };
}

/** The bytes of a message that came packed; a failure gives the packed ones. */
export async function unpackedOf(bytes: Uint8Array, unpack: ((bytes: Bytes) => Promise<Bytes>) | undefined): Promise<Uint8Array> {
  if (bytes[0] !== PACKED || unpack === undefined) return bytes;
  try {
    return await unpack(bytes.slice(1));
  } catch {
    return bytes;
  }
}

export class FrameLog {
  readonly #list = byId("frames");
  readonly #hidesBusy = byId<HTMLInputElement>("frames-calm");
  readonly #stands = byId<HTMLInputElement>("frames-stand");
  readonly #fresh: Frame[] = [];
  #counts = { in: 0, out: 0, bytesIn: 0, bytesOut: 0 };
  #isDrawing = false;

  constructor() {
    byId("frames-clear").addEventListener("click", () => this.#list.replaceChildren());
  }

  add(frame: Frame): void {
    if (frame.direction === "in") {
      this.#counts.in++;
      this.#counts.bytesIn += frame.bytes;
    } else if (frame.direction === "out") {
      this.#counts.out++;
      this.#counts.bytesOut += frame.bytes;
    }
    // Those that come all the time would push all others out of the list.
    const isWanted = !this.#stands.checked && !(this.#hidesBusy.checked && BUSY.has(frame.kind));
    if (isWanted) this.#fresh.push(frame);
    // A list that nobody looks at does not grow.
    if (this.#fresh.length > SHOWN_MAX) this.#fresh.shift();
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#draw();
    });
  }

  #draw(): void {
    const isAtEnd = this.#list.scrollTop + this.#list.clientHeight >= this.#list.scrollHeight - 8;
    this.#list.append(...this.#fresh.splice(0).map(itemOf));
    while (this.#list.childElementCount > SHOWN_MAX) this.#list.firstElementChild?.remove();
    if (isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
    const { in: came, out, bytesIn, bytesOut } = this.#counts;
    setText(byId("frames-count"), `${came} in (${bytesIn} bytes), ${out} out (${bytesOut} bytes)`);
  }
}

const ARROWS = { in: "←", out: "→", line: "•" } as const;
const DIRECTIONS = { in: "from the service", out: "to the service", line: "the line" } as const;

function itemOf({ at, direction, kind, bytes, unpacked, text }: Frame): HTMLElement {
  const time = new Date(at).toISOString().slice(11, 23);
  const size = direction === "line" ? "" : unpacked === undefined ? `${bytes} B` : `${bytes} B, unpacked ${unpacked}`;
  const oneLine = text.replace(/\s+/g, " ");
  const head = [
    el("span", { class: "time" }, time),
    el("span", { class: "arrow", title: DIRECTIONS[direction] }, ARROWS[direction]),
    el("b", {}, kind),
    el("span", { class: "size" }, size),
    el("span", { class: "summary" }, oneLine === "{}" ? "" : oneLine.slice(0, SUMMARY_LENGTH_MAX)),
  ];
  const properties = { class: `frame ${direction}`, "data-kind": kind };
  if (direction === "line") return el("li", properties, el("div", { class: "head" }, ...head));
  const details = el("details", {}, el("summary", { class: "head" }, ...head));
  // Most are never unfolded.
  details.addEventListener(
    "toggle",
    () => details.append(el("pre", { tabindex: 0 }, text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text)),
    { once: true },
  );
  return el("li", properties, details);
}
