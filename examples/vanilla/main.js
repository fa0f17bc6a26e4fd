/** Who is here and where they point, on a plain page. */

import { createPresence, elementSpace } from "@presence-service/client";

const username = new URLSearchParams(location.search).get("name") ?? `Guest ${Math.ceil(Math.random() * 99)}`;
const presence = createPresence({ url: import.meta.env.VITE_PRESENCE_URL ?? "ws://localhost:3001" });
const board = presence.board("example", { username });

// One's own pointer: a fraction of the page, so it is right in windows of any size.
const page = document.querySelector("#page");
const space = elementSpace(page);
page.addEventListener("pointermove", (event) => board.moveCursor(...space.placeOf(event)));
page.addEventListener("pointerleave", board.hideCursor);

// The others' pointers. A member who leaves comes as hidden.
const cursors = new Map();
board.cursors.subscribe((moved) => {
  for (const { member, x, y, hidden } of moved) {
    const cursor = cursors.get(member.memberId) ?? addCursor(member);
    cursor.style.translate = `${x * 100}cqw ${y * 100}cqh`;
    if (!hidden) continue;
    cursor.remove();
    cursors.delete(member.memberId);
  }
});

// Everything else: told after each change of it, never for a cursor.
board.subscribe(() => {
  document.querySelector("#people").replaceChildren(...board.users.map(avatar));
  document.querySelector("#status").textContent = board.status === "connected" ? "" : board.status;
});

function addCursor({ memberId, username, color }) {
  const cursor = Object.assign(document.createElement("div"), { className: "cursor", textContent: username });
  cursor.style.setProperty("--color", color);
  cursors.set(memberId, cursor);
  page.append(cursor);
  return cursor;
}

function avatar({ username, color, isSelf }) {
  const title = isSelf ? `${username} (you)` : username;
  const item = Object.assign(document.createElement("li"), { title, textContent: username.slice(0, 1) });
  item.setAttribute("aria-label", title);
  item.style.setProperty("--color", color);
  return item;
}
