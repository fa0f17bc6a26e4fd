/** The demo page: one board, its people with their instances, and their cursors. Connects the SDK with the parts beside this file. */

import { createPresence } from "@presence-service/client";
import { CursorLayer } from "./cursor-layer.ts";
import { connectionText, instancesText, personOf, type State } from "./people.ts";
import { boardId, chooseName, cleanName, initialName, madeUpName, neighbourPort, pageAddress, serverUrl, tellsPaths } from "./place.ts";
import { followPointer } from "./pointer.ts";
import { Reactions, readReaction } from "./reactions.ts";
import { RosterPanel } from "./roster-panel.ts";
import { watchService } from "./service.ts";

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
let name = initialName();
const board = enter();

/** The name in the page's address may be invalid; then the page takes another one. */
function enter() {
  const state = { instance: "" };
  try {
    return presence.board(boardId, { username: name, state });
  } catch (error) {
    name = madeUpName();
    complain(`You are ${name}: ${messageOf(error)}.`);
    return presence.board(boardId, { username: name, state });
  }
}

function complain(problem: string): void {
  byId("problem").textContent = problem;
  byId("problem").hidden = problem === "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// People and the connection.

/** The page shows that the service is unreachable, until it is connected. */
let isUnreachable = false;
/** The number of instances, as our instance last gave it: itself and those it hears. */
let knownInstances: number | undefined;
/** That served us when we last looked. */
let servedBy = "";
let askAgain = () => {};

function render(): void {
  const { self, others, users, status } = board;
  const ours = { status, instance: shortId(presence.instanceId) };
  const people = users.flatMap(({ members }) => members).map((member) => personOf(member, member === self, ours));
  roster.show(people);
  cursors.people(
    people.filter(({ isSelf }) => !isSelf).map((one) => ({ ...one, faded: one.status === "reconnecting" || one.status === "unknown" })),
  );

  if (isUnreachable && status === "connected") {
    isUnreachable = false;
    complain("");
  }
  byId("status").dataset["status"] = status;
  byId("status").textContent = connectionText(status, navigator.onLine);
  byId("degraded").hidden = status !== "degraded";
  byId("hint").hidden = others.length > 0;

  const { instance } = ours;
  if (instance !== "" && instance !== servedBy) {
    servedBy = instance;
    askAgain();
  }
  byId("instance").textContent = instance || "–";
  byId("instance").title = presence.instanceId ?? "";
  byId("instances").textContent = instancesText(status, knownInstances);
  if (self !== null && instance !== "" && self.state.instance !== instance) board.update({ instance });
}

function shortId(instanceId: string | undefined): string {
  return (instanceId ?? "").slice(0, 8);
}

board.subscribe(render);
for (const change of ["online", "offline"]) addEventListener(change, render);
render();

// Cursors and reactions.

let place = { x: 0.5, y: 0.5 };
followPointer(surface, {
  moved: (x, y, ago) => {
    place = { x, y };
    board.moveCursor(x, y, { path: tellsPaths, ago });
  },
  left: () => board.hideCursor(),
});

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const drawCursors = () =>
  board.cursors.subscribe(
    (moved) => {
      for (const { member, x, y, hidden } of moved) {
        if (hidden) cursors.hide(member.memberId);
        else cursors.move(member.memberId, x, y);
      }
    },
    { smooth: !reducedMotion.matches },
  );
let stopDrawing = drawCursors();
reducedMotion.addEventListener("change", () => {
  stopDrawing();
  stopDrawing = drawCursors();
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

board.on("error", ({ code, message }) => {
  // Without a network there is nothing to look for at the service; the sign at the top says what it is.
  if (code === "unreachable" && !navigator.onLine) return;
  complain(message);
  isUnreachable = code === "unreachable";
  // The SDK has gone back to the last accepted name.
  if (code === "bad_username" && board.self !== null) keepName(board.self.username);
});

// The page itself.

const nameField = byId("name") as HTMLInputElement;
nameField.value = name;
nameField.addEventListener("change", () => {
  const wanted = cleanName(nameField.value);
  try {
    if (wanted === "") return;
    board.rename(wanted);
    complain("");
    keepName(wanted);
  } catch (error) {
    complain(`Your name stays ${name}: ${messageOf(error)}.`);
  } finally {
    nameField.value = name;
  }
});
nameField.addEventListener("keydown", (event) => {
  if (event.key === "Enter") nameField.blur();
});

function keepName(chosen: string): void {
  name = chosen;
  nameField.value = chosen;
  chooseName(chosen);
  // Remove the name from the address, or a reload would bring it back.
  history.replaceState(null, "", pageAddress());
}

const toggle = byId("toggle");
toggle.addEventListener("click", () => toggle.setAttribute("aria-expanded", String(toggle.getAttribute("aria-expanded") !== "true")));

byId("board").textContent = boardId;
(byId("another-tab") as HTMLAnchorElement).href = pageAddress();

askAgain = watchService(({ isAlone, instances }) => {
  byId("alone").hidden = !isAlone;
  knownInstances = instances;
  render();
  const port = neighbourPort();
  // Only if there is a second instance. The ports are those of `npm run cluster`.
  byId("another-instance").hidden = port === undefined || instances < 2;
  byId("another-port").textContent = port ?? "";
  if (port !== undefined) (byId("another-instance") as HTMLAnchorElement).href = pageAddress(port);
});
