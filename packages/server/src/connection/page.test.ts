/** `page` reaches every member of a board, in bounded messages, and costs its client what it costs the instance. docs/PROTOCOL.md */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Member, type MemberId, SERVER_MESSAGE_BYTES_MAX } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";

function ask(client: Client, count: number, after?: MemberId): { members: readonly Member[]; more: boolean } {
  client.socket.takeFrames();
  client.say({ kind: "page", board: client.ref("b"), count, ...(after !== undefined && { after }) });
  const size = Math.max(...client.socket.written.map(({ length }) => length));
  assert.ok(size <= SERVER_MESSAGE_BYTES_MAX, `${size} bytes`);
  const [paged] = client.socket.takeMessages();
  assert.ok(paged?.kind === "paged", paged?.kind);
  return paged;
}

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: pages are all members, each once, whoever comes and leaves meanwhile`, async () => {
    const desk = await Desk.open();
    const ana = desk.enter(encoding, "b", "Ana");
    const guests = Array.from({ length: 100 }, (_, at) => desk.enter("binary", "b", `guest ${at}`));
    const seen: string[] = [];
    for (let page = ask(ana, 10); ; page = ask(ana, 10, page.members.at(-1)?.memberId)) {
      assert.ok(page.members.length === 10 || !page.more);
      seen.push(...page.members.map(({ username }) => username));
      if (!page.more) break;
      guests.pop()?.leave("b");
      desk.enter("binary", "b", "late");
    }
    const timesSeen = (name: string) => seen.filter((one) => one === name).length;
    for (const name of ["Ana", ...guests.map((_, at) => `guest ${at}`)]) assert.equal(timesSeen(name), 1, name);
  });

  test(`${encoding}: a page holds as many members as fit into a message`, async () => {
    const desk = await Desk.open();
    const ana = desk.enter(encoding, "b", "Ana");
    for (let at = 0; at < 40; at++) {
      const guest = desk.enter("binary", "b", `guest ${at}`);
      guest.say({ kind: "update", board: guest.ref("b"), state: { text: "\u0001".repeat(650) } });
    }
    desk.clock.advance(100);
    const first = ask(ana, 1000);
    const second = ask(ana, 1000, first.members.at(-1)?.memberId);
    assert.deepEqual([first.more, second.more, first.members.length + second.members.length], [true, true, 31]);
  });
}

test("a page of a board that was not joined is refused", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json");
  ana.say({ kind: "page", board: ana.ref("b"), count: 1 });
  const [answer] = ana.socket.takeMessages();
  assert.deepEqual(answer?.kind === "error" && [answer.code, answer.ref], ["not_joined", "b"]);
});
