/** The Inspector: asks the service once a second, and hands each answer to the part of the page that shows it. */

import { ACCESS_TEXTS, type Access, accessOf } from "./access.ts";
import type { Boards, Health, Instances } from "./answers.ts";
import { BoardList } from "./boards.ts";
import { byId, setText } from "./dom.ts";
import { Samples } from "./exposition.ts";
import { History } from "./history.ts";
import { matrixOf, showFacts, showMatrix, showPeers } from "./instances.ts";
import { OwnConnection } from "./own.ts";
import { Plots } from "./plots.ts";
import { repeat } from "./poll.ts";
import { Roster } from "./roster.ts";
import { Service } from "./service.ts";
import { hearingNow, showTruths, truthsOf } from "./truth.ts";
import { counted, short } from "./words.ts";

const EVERY_MS = 1000;
/** Where the admin API is off, it stays so until the instance is started anew. */
const OFF_MS = 10_000;
/** An instance that has not answered for so long has ended, or a load balancer leads elsewhere. */
const SILENT_MS = 10_000;
const NEEDS_TOKEN: readonly Access[] = ["asks", "wrong", "user"];
const NONE = { kind: "silent" } as const;

const service = new Service(location.href);
const history = new History();
const plots = new Plots(byId("plots"));
const own = new OwnConnection();
const look = () => again();
const roster = new Roster(service, look);
const boards = new BoardList(choose, look);
/** The instance whose numbers are shown: the one that answered first, as long as it does. */
let first = "";
let health: Health | undefined;
let access: Access = "open";
/** Then the admin API is asked again. Each refused call is a line in the log of the service, so without a new token it is not asked again at all. */
let askAt = 0;

const again = repeat(EVERY_MS, async () => {
  if (performance.now() >= askAt) await lookInside();
  await watch();
});

async function lookInside(): Promise<void> {
  const { hasToken } = service;
  const answer = await service.get<Instances>("/instances");
  access = accessOf(answer, hasToken);
  if (NEEDS_TOKEN.includes(access)) service.token = "";
  askAt = NEEDS_TOKEN.includes(access) ? Number.POSITIVE_INFINITY : access === "off" ? performance.now() + OFF_MS : 0;
  show();
  if (answer.kind === "ok") {
    showMatrix(byId("matrix-head"), byId("matrix"), matrixOf(answer.body));
    await Promise.all([showBoards(), roster.refresh()]);
  }
}

async function watch(): Promise<void> {
  const [told, metrics] = await Promise.all([service.health<Health>(), NEEDS_TOKEN.includes(access) ? NONE : service.metrics()]);
  if (told.kind === "ok" && (told.instance === first || first === "" || health === undefined)) {
    health = told.body;
    showFacts(byId("facts"), health);
  }
  const status = told.kind === "ok" ? told.body.status : "no answer";
  byId("status").dataset["status"] = status;
  setText(byId("status"), status);
  setText(byId("degraded"), health?.degraded?.reason ?? "");
  byId("degraded").hidden = told.kind !== "ok" || !health?.degraded;
  byId("instances").hidden = health?.instanceId === undefined;
  if (access === "off" && health?.peers !== undefined) showPeers(byId("matrix-head"), byId("matrix"), health.peers);
  setText(
    byId("hearing-note"),
    access === "off"
      ? `${health?.peers?.length === 0 ? "This instance knows no other one" : "The peers of this instance"}, by /health. The admin API knows who hears whom.`
      : "Each row says how long ago that instance last acknowledged the one of the column.",
  );
  byId("measured").hidden = metrics.kind !== "ok";
  if (metrics.kind !== "ok") return;
  const now = performance.now();
  if (now - (history.of(first).at(-1)?.at ?? Number.NEGATIVE_INFINITY) > SILENT_MS) first = metrics.instance;
  history.add(metrics.instance, { at: now - metrics.ageMs, samples: new Samples(metrics.body) });
  plots.show(history, first, now);
  const taken = history.of(first);
  const [before, latest] = [taken[0], taken.at(-1)];
  if (before === undefined || latest === undefined) return;
  showTruths(byId("truths"), truthsOf(latest.samples, before.samples));
  setText(byId("blind"), hearingNow(latest.samples));
  setText(
    byId("measured-where"),
    history.instances.length <= 1
      ? `of instance ${short(first)}`
      : `of instance ${short(first)}; thin lines: ${counted(history.instances.length - 1, "other instance", "other instances")} that answered`,
  );
}

async function showBoards(): Promise<void> {
  const answer = await service.get<Boards>(boards.query);
  if (answer.kind === "ok") boards.show(answer.body, roster.boardId);
}

function show(): void {
  const { title, text } = ACCESS_TEXTS[access];
  const panel = byId("access");
  panel.hidden = access === "open";
  panel.dataset["access"] = access;
  setText(byId("access-title"), title);
  setText(byId("access-text"), text);
  const needsToken = NEEDS_TOKEN.includes(access);
  byId("token-form").hidden = !needsToken;
  // Whoever types at once types into this field, and not a secret into another one.
  if (needsToken && document.activeElement === document.body) byId("token").focus();
  // An instance that is silent for a moment does not take away what was seen.
  if (access === "open") byId("inside").hidden = false;
  else if (access !== "silent" && access !== "failing") byId("inside").hidden = true;
  byId("forget").hidden = !service.hasToken;
}

/** The board is in the fragment, which no server is sent: so a link or a reload leads there again. */
function choose(boardId: string): void {
  roster.open(boardId);
  own.suggest(boardId);
  if (boardId !== boardInAddress()) location.replace(`#board=${encodeURIComponent(boardId)}`);
  again();
}

function boardInAddress(): string {
  return new URLSearchParams(location.hash.slice(1)).get("board") ?? "";
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId<HTMLInputElement>("token");
  service.token = input.value;
  input.value = "";
  askAt = 0;
  again();
});
byId("forget").addEventListener("click", () => {
  service.token = "";
  // Nothing that the token has shown stays.
  location.reload();
});
addEventListener("hashchange", () => {
  if (boardInAddress() !== roster.boardId) choose(boardInAddress());
});
choose(boardInAddress());
