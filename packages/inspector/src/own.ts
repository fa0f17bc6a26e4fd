/** The own connection of this page: it joins a board by the SDK over a `Line`, shows each frame, and can be cut, paused and made slow. */

import { type Board, createDriver, createPresence, type Presence } from "@presence-service/client";
import { PACKED } from "@presence-service/protocol";
import { byId, setText } from "./dom.ts";
import { FrameLog, readFrame, unpackedOf } from "./frames.ts";
import { type Direction, Line } from "./line.ts";
import { counted, short } from "./words.ts";

const LINE_WORDS = { connecting: "a WebSocket is opened", opened: "it is open", closed: "it is closed", cut: "it is cut" } as const;

export class OwnConnection {
  readonly #driver = createDriver();
  readonly #line = new Line(this.#driver, {
    passed: (direction, bytes) => this.#passed(direction, bytes),
    happened: (what, code) => {
      const at = Date.now();
      this.#turn = this.#turn.then(() =>
        this.#log.add({
          at,
          direction: "line",
          kind: LINE_WORDS[what],
          bytes: 0,
          text: code === undefined ? "" : `code ${code}`,
        }),
      );
    },
  });
  readonly #log = new FrameLog();
  readonly #form = byId<HTMLFormElement>("own-form");
  readonly #pause = byId<HTMLButtonElement>("own-pause");
  /** Unpacking takes a moment, and frames are shown in order. */
  #turn: Promise<void> = Promise.resolve();
  #presence: Presence | undefined;
  #board: Board | undefined;

  constructor() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#presence === undefined) this.#connect();
      else this.#disconnect();
    });
    byId("own-cut").addEventListener("click", () => this.#line.cut());
    this.#pause.addEventListener("click", () => {
      this.#line.isPaused = !this.#line.isPaused;
      this.#show();
    });
    byId<HTMLSelectElement>("own-slow").addEventListener("change", ({ target }) => {
      this.#line.delayMs = Number((target as HTMLSelectElement).value);
    });
    const pad = byId("own-pad");
    pad.addEventListener("pointermove", ({ clientX, clientY }) => {
      const { left, top, width, height } = pad.getBoundingClientRect();
      this.#board?.moveCursor((clientX - left) / width, (clientY - top) / height);
    });
    pad.addEventListener("pointerleave", () => this.#board?.hideCursor());
    // The number of frames that wait grows without an event.
    setInterval(() => this.#show(), 500);
    this.#show();
  }

  /** A board was chosen elsewhere on the page: it is offered here, unless we are on one. */
  suggest(boardId: string): void {
    if (this.#presence === undefined && boardId !== "") byId<HTMLInputElement>("own-board").value = boardId;
  }

  #connect(): void {
    this.#fail("");
    const value = (id: string) => byId<HTMLInputElement>(id).value;
    const isMember = byId<HTMLInputElement>("own-member").checked;
    const token = value("own-token");
    try {
      const url = new URL(value("own-path") || "../presence", location.href);
      // The token must not go elsewhere, and the content security policy would not let it.
      if (url.host !== location.host) throw new TypeError("The path leads to another host than this page's.");
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      this.#presence = createPresence({ url: url.href, driver: this.#line.driver, name: "inspector", ...(token !== "" && { token }) });
      const boardId = value("own-board");
      this.#board = isMember ? this.#presence.board(boardId, { username: value("own-name") }) : this.#presence.observe(boardId);
    } catch (error) {
      this.#disconnect();
      return this.#fail(error instanceof Error ? error.message : String(error));
    }
    this.#board.subscribe(() => this.#show());
    this.#board.on("error", ({ code, message }) => {
      const isRefused = code === "unauthorized";
      if (isRefused) byId<HTMLDetailsElement>("own-more").open = true;
      this.#fail(`${code}: ${message}${isRefused ? ". Disconnect, and enter the token of a user above." : ""}`);
    });
    this.#show();
  }

  #disconnect(): void {
    // Else the goodbye would wait too.
    this.#line.isPaused = false;
    this.#presence?.close();
    this.#presence = undefined;
    this.#board = undefined;
    this.#show();
  }

  #passed(direction: Direction, bytes: Uint8Array): void {
    const at = Date.now();
    // The SDK may use the bytes again.
    const copy = bytes.slice();
    const plain = copy[0] === PACKED && direction === "in" ? unpackedOf(copy, this.#driver.unpack) : copy;
    this.#turn = this.#turn.then(async () => this.#log.add(readFrame(direction, copy, await plain, at)));
  }

  #show(): void {
    const board = this.#board;
    const isOn = board !== undefined;
    setText(byId("own-connect"), isOn ? "Disconnect" : "Connect");
    for (const element of this.#form.querySelectorAll<HTMLInputElement>("fieldset input")) element.disabled = isOn;
    for (const id of ["own-cut", "own-pause"]) byId<HTMLButtonElement>(id).disabled = !isOn;
    const { isPaused, waiting } = this.#line;
    setText(this.#pause, isPaused ? "Let it go on" : "Pause");
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    byId("own-pad").hidden = board?.self == null;
    const state = byId("own-state");
    state.dataset["status"] = board?.status ?? "none";
    setText(state, isOn ? board.status : "not connected");
    const where = board?.instanceId === undefined ? "" : `at instance ${short(board.instanceId)}, `;
    const held = waiting > 0 ? `; ${counted(waiting, "frame waits", "frames wait")} on the line` : "";
    setText(byId("own-facts"), isOn ? `${where}${counted(board.memberCount, "member")} on the board${held}` : held.slice(2));
  }

  #fail(problem: string): void {
    setText(byId("own-problem"), problem);
  }
}
