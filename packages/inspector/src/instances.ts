/** The instance that answers, and a matrix of who hears whom. */

import type { Health, Instances, Peer } from "./answers.ts";
import { el, setText } from "./dom.ts";
import { counted, duration, short } from "./words.ts";

/** In a large cluster an instance is acknowledged every few seconds only. */
const FRESH_MS = 15_000;

export type Cell = { readonly text: string; readonly kind: "self" | "fresh" | "old" | "none"; readonly label: string };
export type Row = { readonly instanceId: string; readonly state: string; readonly cells: readonly Cell[] };

/** Rows hear, columns are heard. */
export function matrixOf({ self, peers, hears }: Instances): Row[] {
  const states = new Map(peers.map(({ instanceId, state }) => [instanceId, state as string]));
  const all = [self, ...[...states.keys()].sort()];
  const acks = new Map(hears.map(({ instanceId, heard, agoMs }) => [`${instanceId} ${heard}`, agoMs]));
  return all.map((instanceId) => ({
    instanceId,
    state: instanceId === self ? "this one" : (states.get(instanceId) ?? ""),
    cells: all.map((heard): Cell => {
      if (heard === instanceId) return { text: "·", kind: "self", label: "itself" };
      const agoMs = acks.get(`${instanceId} ${heard}`);
      const pair = `${short(instanceId)} hears ${short(heard)}`;
      if (agoMs === undefined)
        return { text: "no", kind: "none", label: `${short(instanceId)} has not said for a minute that it hears ${short(heard)}` };
      return { text: duration(agoMs), kind: agoMs <= FRESH_MS ? "fresh" : "old", label: `${pair}: it said so ${duration(agoMs)} ago` };
    }),
  }));
}

export function showMatrix(table: HTMLElement, rows: readonly Row[]): void {
  const head = el(
    "tr",
    {},
    el("td", {}, "hears ↓ \u2007 heard →"),
    ...rows.map(({ instanceId }) => el("th", { scope: "col", title: instanceId }, el("code", {}, short(instanceId)))),
  );
  const body = rows.map(({ instanceId, state, cells }) =>
    el(
      "tr",
      { "data-instance": instanceId },
      el(
        "th",
        { scope: "row", title: instanceId },
        el("code", {}, short(instanceId)),
        " ",
        el("small", { class: `state ${state}` }, state),
      ),
      ...cells.map(({ text, kind, label }) => el("td", { class: `hearing ${kind}`, title: label }, text)),
    ),
  );
  table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...body));
}

/** Where the admin API is off, /health still names the peers. */
export function showPeers(table: HTMLElement, peers: readonly Peer[]): void {
  const rows = peers.map(({ instanceId, state, lastHeardMs }) =>
    el(
      "tr",
      { "data-instance": instanceId },
      el("th", { scope: "row", title: instanceId }, el("code", {}, short(instanceId))),
      el("td", {}, state),
      el("td", {}, `${duration(lastHeardMs)} ago`),
    ),
  );
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "instance"),
    el("th", { scope: "col" }, "state"),
    el("th", { scope: "col" }, "last heard"),
  );
  table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...rows));
}

export function showFacts(list: HTMLElement, health: Health): void {
  const { instanceId, version, uptimeMs, redis, connections, members, boards, observers, watched } = health;
  const ms = (value: number | null) => (value === null ? "–" : `${value} ms`);
  const server = redis?.mode === "memory" ? undefined : redis;
  const facts: [string, string | undefined][] = [
    ["Instance", instanceId],
    ["Release", version && `${version}, up for ${duration(uptimeMs ?? 0)}`],
    ["Redis", redis && (redis.mode === "memory" ? "none: this instance is alone" : `${redis.address} (${redis.mode})`)],
    ["Links", server && `publisher ${server.publisher}, subscriber ${server.subscriber}`],
    ["Redis answers in", server && `${ms(server.pingMs)}; there and back through pub/sub ${ms(server.echoMs)}`],
    ["Here", connections === undefined ? undefined : [counted(connections, "connection"), counted(members?.own ?? 0, "member")].join(", ")],
    [
      "Shown",
      boards === undefined
        ? undefined
        : `${counted(members?.shown ?? 0, "member")} on ${counted(boards, "board")}; ${counted(observers ?? 0, "observer")}, ${watched} watched`,
    ],
  ];
  const known = facts.filter(([, text]) => text !== undefined);
  if (list.childElementCount !== known.length * 2) list.replaceChildren(...known.flatMap(() => [el("dt"), el("dd")]));
  known.forEach(([name, text = ""], at) => {
    const [dt, dd] = [list.children[at * 2], list.children[at * 2 + 1]];
    if (dt) setText(dt, name);
    if (dd) setText(dd, text);
  });
}
