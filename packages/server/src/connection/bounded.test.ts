/**
 * Every message that the service can write is at most `SERVER_MESSAGE_BYTES_MAX` long and readable by its own decoder, in both encodings,
 * here and at another instance, with every value at its limit. A table over the kinds of messages: a new kind needs a case.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANNOUNCEMENT_BYTES_MAX,
  AREA_BYTES_MAX,
  AVATAR_BYTES_MAX,
  BOARD_ID_BYTES_MAX,
  BOARDS_PER_CONNECTION_MAX,
  type BoardId,
  decodeServerBinary,
  decodeServerJson,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  type JsonObject,
  ROSTER_MAX,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
  STATE_BYTES_MAX,
  USER_ID_BYTES_MAX,
  USERNAME_BYTES_MAX,
  utf8Bytes,
  WATCHED_BOARDS_MAX,
} from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { announcementOf } from "./operator.ts";

const BOARD = "~".repeat(BOARD_ID_BYTES_MAX) as BoardId;

/** Half a letter, which is no text: hosts and operators are refused it, and states may hold it. */
const HALF = "\ud800";
/** All texts are of one letter: escaped by JSON in six bytes, in two, or not at all; of one, two, three or four bytes; half a letter. */
const LETTERS = ["\u0001", '"', "\\", "a", "é", "\u2028", "€", "🎉", HALF];
/** Names that JSON writes longer, and such as every object has. */
const KEYS = ["\u0001", '"', "é", "toString", "\ud800", "a"];

function filled(letter: string, bytesMax: number): string {
  return letter.repeat(Math.floor(bytesMax / utf8Bytes(letter)));
}

/** Objects of exactly as many bytes as a state may have: one long text, many short fields, numbers that grow when written, or a deep one. */
function states(letter: string, key: string): JsonObject[] {
  const many = Object.fromEntries(Array.from({ length: 900 }, (_, nth) => [nth < 60 ? key + nth : String(nth), nth % 2 === 0 ? 0 : {}]));
  const numbers = { [key]: Array.from({ length: 170 }, (_, nth) => 1e20 + nth * 2 ** 20) };
  const deep = { [key]: JSON.parse(`${"[".repeat(30)}${"]".repeat(30)}`) };
  return [{}, many, numbers, deep].map((state) => padded(state as JsonObject, letter));
}

/** With a text of that letter, shortened until all of it is allowed. */
function padded(state: JsonObject, letter: string): JsonObject {
  const fields = Object.entries(state);
  while (fields.length > 1 && utf8Bytes(JSON.stringify(Object.fromEntries(fields))) > STATE_BYTES_MAX - 20) fields.pop();
  const bare = Object.fromEntries(fields) as JsonObject;
  const room = STATE_BYTES_MAX - utf8Bytes(JSON.stringify({ ...bare, pad: "" }));
  const each = utf8Bytes(JSON.stringify(letter)) - 2;
  return room < 0 ? bare : { ...bare, pad: letter.repeat(Math.floor(room / each)) };
}

type Values = { readonly letter: string; readonly state: JsonObject; readonly other: JsonObject };
const VALUES: readonly Values[] = LETTERS.map((letter, nth) => {
  const [key = "", next = ""] = [KEYS[nth % KEYS.length], KEYS[(nth + 1) % KEYS.length]];
  const [state = {}, other = {}] = [states(letter, key)[nth % 4], states(LETTERS[(nth + 1) % LETTERS.length] ?? "", next)[(nth + 1) % 4]];
  return { letter: letter === HALF ? "x" : letter, state, other };
});

/** The token of the nth user (below 0: of nobody), the letter of the avatar, and how long it holds. */
type Token = { readonly nth?: number; readonly letter?: string; readonly lifeMs?: number };

/** Two instances on one bus, and clients of both encodings at each. Whatever these are told is checked. */
class Scene {
  readonly here: Desk;
  readonly there: Desk;
  readonly values: Values;
  readonly viewers: Client[] = [];
  /** The kinds that were told, with the encoding. */
  readonly heard = new Set<string>();
  /** The longest message of each kind. */
  readonly bytesOf = new Map<string, number>();
  readonly errors: ServerMessage[] = [];
  readonly #clients: Client[] = [];

  private constructor(here: Desk, there: Desk, values: Values) {
    this.here = here;
    this.there = there;
    this.values = values;
  }

  static async open(values: Values): Promise<Scene> {
    const { letter } = values;
    const authenticate = (token: string | undefined) => {
      const { nth = 0, letter: of = letter, lifeMs } = JSON.parse(token ?? "{}") as Token;
      if (nth < 0) return { userId: filled("a", USER_ID_BYTES_MAX + 8) };
      const userId = filled(letter, USER_ID_BYTES_MAX - 8) + nth;
      return { userId, avatar: filled(of, AVATAR_BYTES_MAX), ...(lifeMs && { expiresAt: here.clock.wallNow() + lifeMs }) };
    };
    const here: Desk = await Desk.open({ authenticate });
    const scene = new Scene(here, await Desk.open({ authenticate, beside: here }), values);
    for (const desk of [here, scene.there])
      for (const encoding of ["binary", "json"] as const) scene.viewers.push(scene.enter(desk, encoding));
    scene.read();
    return scene;
  }

  connect(desk: Desk, encoding: "binary" | "json"): Client {
    const client = desk.connect(encoding, { address: `192.0.2.${this.#clients.length}` });
    this.#clients.push(client);
    return client;
  }

  /** A member with everything at its limit. */
  enter(desk: Desk, encoding: "binary" | "json", token: Token = {}): Client {
    const client = this.connect(desk, encoding);
    client.hello({ token: JSON.stringify({ nth: this.#clients.length, ...token }) });
    this.join(client, 1, this.values.state);
    return client;
  }

  join(client: Client, attempt: number, state: JsonObject): void {
    const { letter } = this.values;
    const username = filled(letter === "\u0001" || letter === "\u2028" ? '"' : letter, USERNAME_BYTES_MAX);
    const area = filled(letter, AREA_BYTES_MAX);
    client.say({ kind: "join", boardId: BOARD, attempt, username, status: "active", state, area });
    this.here.clock.advance(250);
  }

  /** Reads what all clients were told, which fails where it is too long or cannot be read. */
  read(): ServerMessage[] {
    this.here.clock.advance(250);
    return this.#clients.flatMap(({ encoding, socket }) =>
      socket.takeFrames().map(({ isText, payload }) => {
        const start = payload.toString("latin1", 0, 100);
        assert.ok(payload.length <= SERVER_MESSAGE_BYTES_MAX, `a message of ${payload.length} bytes: ${start}`);
        const message = isText ? decodeServerJson(payload.toString()) : decodeServerBinary(payload);
        if (message === undefined) throw new Error(`not readable: ${start}`);
        if (message.kind === "error") this.errors.push(message);
        this.heard.add(`${message.kind} ${encoding}`);
        this.bytesOf.set(message.kind, Math.max(payload.length, this.bytesOf.get(message.kind) ?? 0));
        return message;
      }),
    );
  }
}

/** For each kind of message what makes the service say it, as long as it can be. */
const CASES: { readonly [K in ServerMessage["kind"]]: (scene: Scene) => unknown } = {
  welcome() {},
  joined() {},
  user_joined(scene) {
    scene.enter(scene.here, "binary");
  },
  roster(scene) {
    for (let nth = 0; nth < 20; nth++) scene.enter(scene.there, "json");
    for (const encoding of ["binary", "json"] as const) scene.enter(scene.here, encoding);
  },
  /** Every field changes, and every field of the state goes away for another one. */
  user_updated(scene) {
    for (const [nth, client] of scene.viewers.entries()) {
      client.say({ kind: "auth", token: JSON.stringify({ nth: nth + 1, letter: "\u0002" }) });
      scene.join(client, 2, scene.values.other);
    }
  },
  /** A crowd is lost at the other instance, with its connections. */
  statuses(scene) {
    const crowd = Array.from({ length: 20 }, () => scene.enter(scene.there, "binary"));
    for (const client of crowd) client.close(1006);
  },
  user_left(scene) {
    scene.enter(scene.here, "json").leave(BOARD);
  },
  cursors(scene) {
    for (const client of scene.viewers) client.move(BOARD, -2_147_483_647, 2_147_483_647);
  },
  presence_update(scene) {
    scene.enter(scene.there, "json");
  },
  event(scene) {
    const name = filled(scene.values.letter, EVENT_NAME_BYTES_MAX);
    for (const client of scene.viewers) {
      for (const data of [scene.values.state, filled("a", EVENT_DATA_BYTES_MAX - 2)])
        client.say({ kind: "broadcast", board: client.ref(BOARD), name, data });
    }
  },
  paged(scene) {
    for (let nth = 0; nth < 20; nth++) scene.enter(scene.there, "json");
    for (const client of scene.viewers) client.say({ kind: "page", board: client.ref(BOARD), count: ROSTER_MAX });
  },
  occupancy(scene) {
    const boards = Array.from({ length: WATCHED_BOARDS_MAX }, (_, nth) => `${"~".repeat(BOARD_ID_BYTES_MAX - 4)}${1000 + nth}` as BoardId);
    for (const client of scene.viewers)
      for (let at = 0; at < boards.length; at += 100) client.say({ kind: "watch", boards: boards.slice(at, at + 100) });
    scene.here.clock.advance(2500);
  },
  announcement(scene) {
    return scene.here.manager.tellAll(announcementOf(filled(scene.values.letter, ANNOUNCEMENT_BYTES_MAX)));
  },
  pace(scene) {
    for (const desk of [scene.here, scene.there]) desk.clock.busy = 1;
    for (let step = 0; step < 50; step++) {
      for (const client of scene.viewers) client.move(BOARD, step, 0);
      scene.here.clock.advance(100);
    }
  },
  degraded(scene) {
    scene.here.bus.isDown = true;
    scene.here.clock.advance(6000);
  },
  heartbeat(scene) {
    scene.here.clock.advance(6000);
  },
  error(scene) {
    for (const encoding of ["binary", "json"] as const) {
      scene.connect(scene.here, encoding).hello({ token: JSON.stringify({ nth: -1 }) });
      const client = scene.enter(scene.here, encoding);
      for (let nth = 0; nth < BOARDS_PER_CONNECTION_MAX; nth++) client.join("~".repeat(BOARD_ID_BYTES_MAX - 2) + nth, "x");
      client.say({ kind: "update", board: client.ref(BOARD), state: { more: "x".repeat(4000) } });
      const bad = { kind: filled(scene.values.letter, 8000), board: filled(scene.values.letter, 8000) };
      if (encoding === "json") client.connection.received(Buffer.from(JSON.stringify(bad)), false);
    }
  },
  goodbye(scene) {
    void scene.here.manager.stop();
  },
  token_expiring(scene) {
    for (const encoding of ["binary", "json"] as const) scene.enter(scene.here, encoding, { lifeMs: 20_000 });
    scene.here.clock.advance(12_000);
  },
};

for (const [kind, provoke] of Object.entries(CASES)) {
  test(`${kind}: with every value at its limit it is bounded and readable, in both encodings`, async (t) => {
    let bytesMax = 0;
    for (const values of VALUES) {
      const scene = await Scene.open(values);
      await provoke(scene);
      scene.read();
      for (const encoding of ["binary", "json"])
        assert.ok(
          scene.heard.has(`${kind} ${encoding}`),
          `no ${kind} in ${encoding} of ${JSON.stringify(values.letter)}; ${JSON.stringify(scene.errors.slice(0, 2)).slice(0, 300)}`,
        );
      bytesMax = Math.max(bytesMax, scene.bytesOf.get(kind) ?? 0);
    }
    t.diagnostic(`the longest has ${bytesMax} bytes`);
  });
}
