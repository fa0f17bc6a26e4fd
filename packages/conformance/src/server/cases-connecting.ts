/** Cases about a server: connections, sessions, heartbeats, and how connections end. */

import { createHash } from "node:crypto";
import { request } from "node:http";
import { request as secureRequest } from "node:https";
import type { BoardId, ResumeToken } from "@presence-service/protocol";
import { type Case, expect, expectEqual } from "../cases.ts";
import { Stopwatch } from "../stopwatch.ts";
import { pause } from "../waiting.ts";
import { type Host, newBoard, newSession, type Scene } from "./scene.ts";
import { Visitor } from "./visitor.ts";

/** Once each, whatever the encoding. */
export const UPGRADE_CASES: readonly Case<Host>[] = [
  {
    name: "of both subprotocols the binary one is taken",
    says: "If both are offered, `presence.v2` is taken.",
    async run({ url, token }) {
      const visitor = new Visitor(url, ["presence.v2.json", "presence.v2"], "presence.v2");
      await visitor.open();
      expectEqual(visitor.protocol, "presence.v2", "the subprotocol");
      visitor.say({ kind: "hello", ...(token !== undefined && { token }) });
      await visitor.heard("welcome");
      visitor.close(1000);
    },
  },
  {
    name: "unknown subprotocols are refused",
    says: "If only unknown ones are offered, the upgrade is refused with 400, and the body names the known ones.",
    async run({ url }) {
      const { status, body } = await upgrade(url, { "Sec-WebSocket-Protocol": "presence.v999, chat" });
      expectEqual(status, 400, "the status");
      expect(body.includes("presence.v2.json"), `the body does not name the known subprotocols: ${body}`);
    },
  },
  {
    name: "the encoding can be asked for in the URL",
    says: "with `?encoding=presence.v2` or `?encoding=presence.v2.json` and no subprotocol offered the service speaks that encoding",
    async run({ url, token }) {
      for (const encoding of ["presence.v2", "presence.v2.json"] as const) {
        const visitor = new Visitor(withQuery(url, `encoding=${encoding}`), [], encoding);
        await visitor.open();
        visitor.say({ kind: "hello", ...(token !== undefined && { token }) });
        await visitor.heard("welcome");
        visitor.close(1000);
      }
    },
  },
  {
    name: "an unknown encoding in the URL is refused",
    says: "an unknown encoding is refused in the same way",
    async run({ url }) {
      expectEqual((await upgrade(withQuery(url, "encoding=presence.v999"), {})).status, 400, "the status");
    },
  },
  {
    name: "a subprotocol counts more than the URL",
    says: "An offered subprotocol counts more than the URL.",
    async run({ url, token }) {
      const visitor = new Visitor(withQuery(url, "encoding=presence.v2"), ["presence.v2.json"], "presence.v2.json");
      await visitor.open();
      visitor.say({ kind: "hello", ...(token !== undefined && { token }) });
      await visitor.heard("welcome");
      visitor.close(1000);
    },
  },
];

/** First those that take long, so that the others run meanwhile. */
export const CONNECTION_CASES: readonly Case<Scene>[] = [
  {
    name: "a client that says nothing is lost",
    says: "A client that says nothing for 22.5 to 25 s is lost (4001), and its grace begins",
    async run(scene) {
      const [, guest] = await scene.pair();
      guest.isSilent = true;
      const watch = new Stopwatch();
      guest.say({ kind: "heartbeat" });
      await guest.closed(4001, 40_000);
      // A slow machine may be late, but must not be early.
      expect(watch.ms > 22_000 && watch.ranMs < 33_000, `it was closed after ${watch.ms / 1000} s`);
    },
  },
  {
    name: "the service sends heartbeats, and an answer is not answered",
    says: "The first `heartbeat` after one of the service's is its answer; any further one is a question and is answered by one `heartbeat`",
    async run(scene) {
      const guest = await scene.guest();
      guest.isSilent = true;
      const since = guest.received.length;
      await guest.heard("heartbeat", undefined, guest.welcome.heartbeatMs + 8000, since);
      guest.say({ kind: "heartbeat" });
      await pause(500);
      expectEqual(guest.all("heartbeat", since).length, 1, "heartbeats after the answer");
      guest.say({ kind: "heartbeat" });
      await guest.until(() => guest.all("heartbeat", since).length === 2, "a question is answered");
      guest.close(1000);
    },
  },
  {
    name: "a lost member is shown for graceMs, and is then gone",
    says: "a lost connection 15 s (`graceMs` of `welcome`)",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const from = Date.now();
      const since = ana.received.length;
      ben.close(4001);
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "reconnecting");
      const { reason } = await ana.heard("user_left", (left) => left.actor === actor, ana.welcome.graceMs + 5000, since);
      expectEqual(reason, "timeout", "the reason");
      const ms = Date.now() - from;
      expect(ms > ana.welcome.graceMs - 500, `it was gone after ${ms} ms, and graceMs is ${ana.welcome.graceMs}`);
      ana.close(1000);
    },
  },
  {
    name: "a silent member is shown as reconnecting where somebody else is, until its next message",
    says: "the others are shown it as `reconnecting` on all its boards, and with its former status from its next message on",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      ben.isSilent = true;
      const since = ben.received.length;
      await ben.heard("heartbeat", undefined, 7000, since);
      await ana.heard("user_updated", (update) => update.actor === actor && update.patch["status"] === "reconnecting", 9000);
      const before = ana.received.length;
      ben.say({ kind: "heartbeat" });
      await ana.heard("user_updated", (update) => update.actor === actor && update.patch["status"] === "active", undefined, before);
      expectEqual([ana.all("user_left").length, ben.ended], [0, undefined], "leaves, and the end of the connection");
      for (const guest of [ana, ben]) guest.close(1000);
    },
  },
  {
    name: "without hello the connection is closed",
    says: "within 5 s of connecting, or 4410",
    async run(scene) {
      await (await scene.stranger()).closed(4410, 9000);
    },
  },
  {
    name: "a page that goes away is shown for 3 s",
    says: "going away (1001, or no code: a reload, a closed tab) 3 s",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const from = Date.now();
      ben.close();
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "reconnecting");
      await ana.heard("user_left", (left) => left.actor === actor, 6000);
      const ms = Date.now() - from;
      expect(ms > 2500, `it was gone after ${ms} ms`);
      ana.close(1000);
    },
  },
  {
    name: "hello is answered by welcome, with the resumeToken of hello",
    says: "the one of `hello`, or a new one: keep it",
    async run(scene) {
      const guest = await scene.guest();
      expectEqual(guest.welcome.resumeToken, guest.session.resumeToken, "the resumeToken");
      const { heartbeatMs, graceMs, stateBytesMax } = guest.welcome;
      expect(heartbeatMs > 0 && graceMs > 0 && stateBytesMax > 0, `welcome has a 0: ${JSON.stringify(guest.welcome)}`);
      guest.close(1000);
    },
  },
  {
    name: "without a resumeToken the service makes one",
    says: "Without a resumeToken in `hello` the service\nmakes one and tells it in `welcome`.",
    async run(scene) {
      const tokens = new Set<string>();
      for (let nth = 0; nth < 2; nth++) {
        const guest = await scene.stranger();
        guest.say({ kind: "hello", ...(scene.host.token !== undefined && { token: scene.host.token }) });
        tokens.add((await guest.heard("welcome")).resumeToken);
        guest.close(1000);
      }
      expectEqual(tokens.size, 2, "different tokens");
    },
  },
  {
    name: "the memberId is made of the userId and the resumeToken",
    says: "The public `memberId` is the first half of SHA-256 over the userId (UTF-8; empty without\nauthentication) followed by the 16 bytes of the resumeToken",
    async run(scene) {
      const guest = await scene.guest();
      const { self, roster } = await guest.join("Ana");
      const member = roster.find(({ actor }) => actor === self)?.member;
      const userId = member?.userId === member?.memberId ? "" : (member?.userId ?? "");
      const hash = createHash("sha256").update(userId).update(guest.session.resumeToken, "hex").digest("hex");
      expectEqual(guest.welcome.memberId, hash.slice(0, 32), "the memberId");
      expectEqual(member?.memberId, guest.welcome.memberId, "the memberId in the roster");
      guest.close(1000);
    },
  },
  {
    name: "a join need not wait for welcome",
    says: "need not wait for welcome",
    async run(scene) {
      const guest = await scene.stranger();
      const { token } = scene.host;
      guest.say({ kind: "hello", resumeToken: guest.session.resumeToken, ...(token !== undefined && { token }) });
      await guest.join("Ana");
      guest.close(1000);
    },
  },
  {
    name: "a message before hello, and a second hello, are refused and nothing else",
    says: "or came before `hello`. It had no effect.",
    async run(scene) {
      const guest = await scene.stranger();
      guest.say({ kind: "join", boardId: scene.board, attempt: 1, username: "Ana", status: "active", state: {} });
      await guest.heard("error", ({ code }) => code === "bad_message");
      await guest.greet(scene.host.token);
      const since = guest.received.length;
      guest.say({ kind: "hello" });
      await guest.heard("error", ({ code }) => code === "bad_message", undefined, since);
      await guest.join("Ana");
      guest.close(1000);
    },
  },
  {
    name: "nobody sees a session that resumes leave or join",
    says: "Others see no leaving and no joining, at most a `reconnecting` in between.",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      ben.say({ kind: "cursor", board: scene.board, at: { x: 5, y: 6 } });
      await ana.heard("cursors");
      const since = ana.received.length;
      ben.close(4001);
      await ana.heard("user_updated", ({ patch }) => patch["status"] === "reconnecting");
      const again = await scene.guest(ben.session);
      expectEqual(again.welcome.memberId, ben.welcome.memberId, "the memberId");
      await again.join("Ben", { state: { back: true }, status: "idle" });
      await ana.until(() => ana.member(scene.board, actor) !== undefined && ana.all("user_updated", since).length >= 2, "Ben is updated");
      await ana.settled();
      expectEqual(ana.all("user_left", since).length + ana.all("user_joined", since).length, 0, "leaves and joins");
      const patches = ana.all("user_updated", since).map(({ patch }) => patch);
      expect(
        patches.some(({ status }) => status === "idle") && patches.some(({ state }) => JSON.stringify(state) === '{"back":true}'),
        `the state and status of the join are not told: ${JSON.stringify(patches)}`,
      );
      for (const guest of [ana, again]) guest.close(1000);
    },
  },
  {
    name: "a join whose attempt is not above all others is superseded",
    says: "a `join` whose attempt is not above all others that its session has on that board gets the error\n[`superseded`](#superseded)",
    async run(scene) {
      const session = newSession();
      const ana = await scene.member("Ana", { session });
      const other = await scene.guest({ ...session, attempt: 0 });
      other.say({ kind: "join", boardId: scene.board, attempt: session.attempt, username: "Ana", status: "active", state: {} });
      const { ref } = await other.heard("error", ({ code }) => code === "superseded");
      expectEqual(ref, scene.board, "ref");
      await ana.settled();
      expect(ana.ended === undefined, "the connection with the higher attempt was closed");
      for (const guest of [ana, other]) guest.close(1000);
    },
  },
  {
    name: "the connection that a newer join outranked is closed",
    says: "the connection that a newer join outranked is closed with 4409",
    async run(scene) {
      const ana = await scene.member("Ana");
      const newer = await scene.member("Ana", { session: ana.session });
      await ana.closed(4409);
      await newer.settled();
      expect(newer.ended === undefined, "the newer connection was closed, too");
      newer.close(1000);
    },
  },
  {
    name: "a repeated join on one connection needs a higher attempt",
    says: "a number that the client raises with every `join` the session sends",
    async run(scene) {
      const ana = await scene.member("Ana");
      ana.say({ kind: "join", boardId: scene.board, attempt: ana.session.attempt, username: "Anna", status: "active", state: {} });
      await ana.heard("error", ({ code }) => code === "superseded");
      ana.close(1000);
    },
  },
  {
    name: "closing with 1000 is leaving",
    says: "after `leave` or close code 1000 not at all",
    async run(scene) {
      const [ana, ben, actor] = await scene.pair();
      const since = ana.received.length;
      ben.close(1000);
      const { reason } = await ana.heard("user_left", (left) => left.actor === actor, 2000);
      expectEqual(reason, "left", "the reason");
      expectEqual(ana.all("user_updated", since).length, 0, "updates before it");
      ana.close(1000);
    },
  },
  {
    name: "two sessions with tokens of their own are two members",
    says: "A session is a client's life across reconnects.",
    async run(scene) {
      const board = newBoard();
      const ana = await scene.member("Ana", { board });
      const other = await scene.member("Ana", { board, session: { resumeToken: newSession().resumeToken as ResumeToken, attempt: 0 } });
      await ana.heard("presence_update", ({ members, board: told }) => told === (board as BoardId) && members === 2);
      for (const guest of [ana, other]) guest.close(1000);
    },
  },
];

function withQuery(url: string, query: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}${query}`;
}

/** The answer to an upgrade that is expected to be refused. */
function upgrade(url: string, headers: Record<string, string>): Promise<{ readonly status: number; readonly body: string }> {
  const send = url.startsWith("wss:") ? secureRequest : request;
  const all = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
  };
  return new Promise((resolve, reject) => {
    const asked = send(url.replace(/^ws/, "http"), { headers: { ...all, ...headers } }, (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (text: string) => {
        body += text;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    asked.on("upgrade", (_answer, socket) => {
      socket.destroy();
      resolve({ status: 101, body: "" });
    });
    asked.on("error", reject);
    asked.end();
  });
}
