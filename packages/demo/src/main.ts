/** The demo page: one board, everybody on it, their cursors, and which instance serves whom. Wires the SDK to the parts beside this file. */

import { createPresence } from "@presence-service/client";
import { CursorLayer } from "./cursor-layer.ts";
import { boardId, chooseName, cleanName, initialName, isSameOrigin, neighbourPort, pageAddress, serverUrl } from "./place.ts";
import { followPointer } from "./pointer.ts";
import { Reactions, readReaction } from "./reactions.ts";
import { type Person, RosterPanel } from "./roster-panel.ts";
import { watchService } from "./service.ts";

/** `instance`: the first part of the id of the instance that serves this page; others' is untrusted text. */
type State = { instance: string };
type Events = { reaction: { emoji: string; x: number; y: number } };

const byId = (id: string): HTMLElement => {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element;
};

const surface = byId("surface");
const cursors = new CursorLayer(byId("cursors"));
const roster = new RosterPanel({ list: byId("roster"), dots: byId("dots"), count: byId("count") });

const presence = createPresence<State, Events>({
  url: serverUrl,
  parseState: ({ instance }) => ({ instance: typeof instance === "string" ? shortId(instance) : "" }),
});
const board = presence.board(boardId, { username: initialName(), state: { instance: "" } });

// People and the connection.

function render(): void {
  const { self, others, status } = board;
  const people = [...(self === null ? [] : [person(self, true)]), ...others.map((member) => person(member, false))];
  roster.show(people);
  cursors.people(people.filter(({ isSelf }) => !isSelf).map((one) => ({ ...one, faded: one.status === "reconnecting" })));

  byId("status").dataset["status"] = status;
  byId("status").textContent = status;
  byId("degraded").hidden = status !== "degraded";
  byId("hint").hidden = others.length > 0;

  const instance = shortId(presence.instanceId);
  byId("instance").textContent = instance || "–";
  byId("instance").title = presence.instanceId ?? "";
  if (self !== null && instance !== "" && self.state.instance !== instance) board.update({ instance });
}

type Member = (typeof board.others)[number];

function person(member: Member, isSelf: boolean): Person {
  return {
    id: member.memberId,
    name: member.username,
    colour: member.color,
    status: member.status,
    instance: member.state.instance,
    isSelf,
  };
}

function shortId(instanceId: string | undefined): string {
  return (instanceId ?? "").slice(0, 8);
}

board.subscribe(render);
render();

// Cursors and reactions.

let place = { x: 0.5, y: 0.5 };
followPointer(surface, {
  moved: (x, y) => {
    place = { x, y };
    board.moveCursor(x, y);
  },
  left: () => board.hideCursor(),
});

board.cursors.subscribe((moved) => {
  for (const { member, x, y, hidden } of moved) {
    if (hidden) cursors.hide(member.memberId);
    else cursors.move(member.memberId, x, y);
  }
});

const reactions = new Reactions(surface, byId("reactions"), (emoji) => {
  const reaction = { emoji, ...place };
  reactions.show(reaction);
  board.broadcast("reaction", reaction);
});

board.on("reaction", ({ data }) => {
  const reaction = readReaction(data);
  if (reaction !== undefined) reactions.show(reaction);
});

board.on("error", ({ message }) => {
  byId("problem").textContent = message;
  byId("problem").hidden = false;
});

// The page itself.

const nameField = byId("name") as HTMLInputElement;
nameField.value = initialName();
nameField.addEventListener("change", () => {
  const name = cleanName(nameField.value);
  if (name === "") {
    nameField.value = initialName();
    return;
  }
  chooseName(name);
  // A session keeps its name. The page starts anew and resumes it under the new one: others see no coming and going.
  location.replace(pageAddress());
});
nameField.addEventListener("keydown", (event) => {
  if (event.key === "Enter") nameField.blur();
});

const toggle = byId("toggle");
toggle.addEventListener("click", () => toggle.setAttribute("aria-expanded", String(toggle.getAttribute("aria-expanded") !== "true")));

byId("board").textContent = boardId;
(byId("another-tab") as HTMLAnchorElement).href = pageAddress();

if (isSameOrigin) {
  watchService(({ isAlone, instances }) => {
    byId("alone").hidden = !isAlone;
    byId("instances").textContent = String(instances);
    const port = neighbourPort();
    // Only where there is somebody to find: the ports are those of `npm run cluster`.
    byId("another-instance").hidden = port === undefined || instances < 2;
    byId("another-port").textContent = port ?? "";
    if (port !== undefined) (byId("another-instance") as HTMLAnchorElement).href = pageAddress(port);
  });
}
