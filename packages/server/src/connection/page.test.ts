/** `page` reaches every member of a board, in bounded messages, and costs its client what it costs the instance. docs/PROTOCOL.md */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, type Member, type MemberId, SERVER_MESSAGE_BYTES_MAX } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { PRICE } from "./budget.ts";

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

test("an observer pages as members do, and is on no page; before it was let in it is refused", async () => {
  const desk = await Desk.open();
  for (const name of ["Ana", "Ben", "Cleo"]) desk.enter("binary", "b", name);
  const observer = desk.enter("json");
  const observe = (board: string) => {
    observer.say({ kind: "join", boardId: board as BoardId, attempt: 1, username: "", status: "active", state: {}, observe: true });
    observer.say({ kind: "page", board: board as BoardId, count: 5 });
    desk.clock.advance(200);
    return observer.socket.takeMessages().map(({ kind }) => kind);
  };
  assert.deepEqual(observe("b"), ["error", "joined"]);
  const first = ask(observer, 2);
  const second = ask(observer, 2, first.members.at(-1)?.memberId);
  assert.deepEqual([first.more, second.more], [true, false]);
  assert.deepEqual([...first.members, ...second.members].map(({ username }) => username).sort(), ["Ana", "Ben", "Cleo"]);
});

test("a page is paid for by its bytes and by the members that have to be sorted", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "b", "Ana");
  for (let at = 0; at < 50; at++) desk.enter("binary", "b", `guest ${at}`);
  const spent: number[] = [];
  const { account } = ana.connection;
  const spend = account.spend.bind(account);
  account.spend = (work) => {
    spent.push(work);
    return spend(work);
  };
  const { members } = ask(ana, 50);
  const paid = spent.reduce((all, one) => all + one, 0);
  const bytes = JSON.stringify(members).length;
  assert.ok(paid >= PRICE.page + 51 * PRICE.memberSorted + bytes * PRICE.byteOfRoster, `paid ${paid} for ${bytes} bytes`);
});

test("a page of a board that was not joined is refused", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json");
  ana.say({ kind: "page", board: ana.ref("b"), count: 1 });
  const [answer] = ana.socket.takeMessages();
  assert.deepEqual(answer?.kind === "error" && [answer.code, answer.ref], ["not_joined", "b"]);
});
