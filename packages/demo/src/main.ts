/** The demo page: one board of two pages, its people, and what they do. Connects the SDK with the parts beside this file. */

import { createPresence, type Stop } from "@presence-service/client";
import { AvatarStack } from "./avatar-stack.ts";
import { Bots } from "./bots.ts";
import { CursorLayer } from "./cursor-layer.ts";
import { byId, isShortcut } from "./element.ts";
import { FollowSign } from "./follow.ts";
import { NameField } from "./name-field.ts";
import { Notes } from "./notes.ts";
import { Notices } from "./notices.ts";
import { Pages } from "./pages.ts";
import { connectionText, displayName, instancesText, peopleOf, unreachableText } from "./people.ts";
import { boardId, initialName, initialNote, initialPage, keepNote, keepPage, madeUpName, serverUrl, tellsPaths } from "./place.ts";
import { followPointer } from "./pointer.ts";
import { Reactions, readReaction } from "./reactions.ts";
import { RosterPanel } from "./roster-panel.ts";
import { Selection } from "./selection.ts";
import { watchService } from "./service.ts";
import { areaOf, type Events, type Note, type PageId, pageOf, readState, type State, shortId } from "./state.ts";
import { offerWindows } from "./windows.ts";

const JUST_LEFT_MS = 5000;
/** As style.css has it. */
const PHONE = matchMedia("(max-width: 45em)");

const presence = createPresence<State, Events>({ url: serverUrl, parseState: readState, justLeftMs: JUST_LEFT_MS });
const notices = new Notices();
let name = initialName();
let page = initialPage();
const board = enter();
board.area(areaOf(page));

/** The name in the page's address may be invalid; then the page takes another one. */
function enter() {
  const note = initialNote();
  const state: State = { instance: "", ...(note && { note }) };
  try {
    return presence.board(boardId, { username: name, state });
  } catch (error) {
    name = madeUpName();
    notices.problem(`You are ${name}: ${error instanceof Error ? error.message : String(error)}.`);
    return presence.board(boardId, { username: name, state });
  }
}

// Ours, which the others see: a name, a page of the board, a place, a note, a selection.

const surface = byId("surface");
const nameField = new NameField(
  name,
  (wanted) => board.rename(wanted),
  (problem) => notices.problem(problem),
);
const pages = new Pages((chosen) => {
  unfollow();
  turnTo(chosen);
});
const notes = new Notes(byId("notes"), initialNote(), (note: Note | undefined) => {
  keepNote(note);
  board.update({ note: note ?? null });
});
const selection = new Selection(surface, (thing) => board.update({ selected: thing ?? null }));

let place = { x: 0.5, y: 0.5 };
followPointer(surface, {
  moved: (x, y, ago) => {
    place = { x, y };
    board.moveCursor(x, y, { path: tellsPaths, ago });
  },
  left: () => board.hideCursor(),
});

const reactions = new Reactions(surface, byId("reactions"), (emoji) => {
  const reaction = { emoji, ...place };
  reactions.show(reaction);
  board.broadcast("reaction", reaction);
});
board.on("reaction", ({ member, data }) => {
  const reaction = readReaction(data);
  if (reaction !== undefined && pageOf(member.area) === page) reactions.show(reaction);
});

// The button is at the edge, and so is the pointer that has pressed it.
byId("put-note").addEventListener("click", () => notes.put(page, 0.5, 0.5));
addEventListener("keydown", (event) => {
  if (event.key !== "n" || !isShortcut(event)) return;
  event.preventDefault();
  notes.put(page, place.x, place.y);
});

function turnTo(chosen: PageId): void {
  page = chosen;
  keepPage(page);
  board.area(areaOf(page));
  later();
}

// Theirs, which we see.

const cursors = new CursorLayer(byId("cursors"));
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const drawCursors = () =>
  board.cursors.subscribe(
    (moved) => {
      for (const { member, x, y, hidden } of moved) {
        // While we follow somebody, cursors of two pages are told.
        if (hidden || pageOf(member.area) !== page) cursors.hide(member.memberId);
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

const roster = new RosterPanel((id) => follow(id));
const avatars = new AvatarStack(byId("avatars"), () => (PHONE.matches ? 3 : 8), {
  follow: (id) => follow(id),
  showAll: () => roster.open(),
});
const followSign = new FollowSign(() => unfollow());
let followed: string | undefined;
let unfollow: Stop = () => {};

/** Turns the page when they do, until we move. Asked for the same person again it stops. */
function follow(id: string): void {
  const member = board.others.find(({ memberId }) => memberId === id);
  if (member === undefined || followed === id) return unfollow();
  unfollow = board.follow(member, ({ member: { area, memberId, username, color }, ended }) => {
    followed = ended === undefined ? memberId : undefined;
    followSign.show(ended === undefined ? { name: displayName(username), colour: color } : undefined);
    const theirs = pageOf(area);
    if (ended === undefined && theirs !== undefined && theirs !== page) turnTo(theirs);
    later();
  });
}

// The whole picture, drawn at most once a frame.

/** The page shows that the service is unreachable, until it is connected. */
let isUnreachable = false;
/** The number of instances, as our instance last gave it: itself and those it hears. */
let knownInstances: number | undefined;
/** Those that served us or others when we last looked. */
let serving: ReadonlySet<string> = new Set();
let isDue = false;

function later(): void {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(render);
}

function render(): void {
  isDue = false;
  const { others, status } = board;
  const instance = shortId(presence.instanceId);
  const people = peopleOf(board.snapshot(), { status, instance });
  const isCluster = knownInstances !== undefined && knownInstances > 1;
  roster.show(people, followed, isCluster || status === "degraded");
  avatars.show(people, followed);
  pages.show(page, people);
  selection.show(people);
  notes.show(people, page);
  cursors.people(
    people
      .filter(({ isSelf, status }) => !isSelf && status !== "left")
      .map((one) => ({ ...one, faded: one.status !== "active" || (followed !== undefined && one.id !== followed) })),
  );

  if (isUnreachable && status === "connected") {
    isUnreachable = false;
    notices.problem("");
  }
  byId("status").dataset["status"] = status;
  byId("status").textContent = connectionText(status, navigator.onLine);
  notices.show("degraded", status === "degraded");
  byId("hint").hidden = others.length > 0;
  const instances = new Set([instance, ...others.map(({ state }) => state.instance)].filter((id) => id !== ""));
  // An instance that was started anew is told by its people long before the next look at `/health`.
  if ([...instances].some((id) => !serving.has(id))) askAgain();
  serving = instances;
  byId("instance").textContent = instance || "–";
  byId("instance").title = presence.instanceId ?? "";
  byId("instances").textContent = instancesText(status, knownInstances);
}

/** The others are told which instance serves us; also while this page is hidden, and draws nothing. */
function tellInstance(): void {
  const instance = shortId(presence.instanceId);
  if (instance !== "" && board.self !== null && board.self.state.instance !== instance) board.update({ instance });
}

const windows = offerWindows();
const askAgain = watchService(({ isAlone, instances }) => {
  notices.show("alone", isAlone);
  knownInstances = instances;
  windows.neighbour(instances > 1, board.self?.username ?? name);
  later();
});
new Bots(() => ({ url: serverUrl, board: boardId, page, instance: shortId(presence.instanceId) }));
byId("board").textContent = boardId;

board.subscribe(later);
board.subscribe(tellInstance);
PHONE.addEventListener("change", later);
for (const change of ["online", "offline"]) addEventListener(change, later);
board.on("error", ({ code, message }) => {
  // Without a network there is nothing to look for at the service; the sign at the top says what it is.
  if (code === "unreachable" && !navigator.onLine) return;
  isUnreachable = code === "unreachable";
  notices.problem(isUnreachable ? unreachableText(new URL(serverUrl).host, windows.neighbourAt()) : message);
  // For whoever looks for the cause.
  if (isUnreachable) console.info(message);
  // The SDK has gone back to the last accepted name.
  if (code === "bad_username" && board.self !== null) nameField.keep(board.self.username);
});
later();
