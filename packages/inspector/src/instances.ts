/** The instance that answers, and a matrix of who hears whom. */

import type { Health, Instances, Peer } from "./answers.ts";
import { el, setText, showRows } from "./dom.ts";
import { counted, duration, short } from "./words.ts";

/** A heartbeat acknowledges three peers in turn, and comes at least once a second (rules R7, R10): two turns and some slack. */
const freshMs = (peers: number) => 2000 + 2000 * Math.ceil(peers / 3);
/** In larger clusters an instance acknowledges near ones only, so nothing follows from a pair that is missing. */
const NEAR_PEERS = 50;

type Hearing = { readonly text: string; readonly kind: "self" | "fresh" | "old" | "none" | "far"; readonly label: string };
export type Row = { readonly instanceId: string; readonly state: string; readonly cells: readonly Hearing[] };

/** Rows hear, columns are heard. */
export function matrixOf({ self, peers, hears }: Instances): Row[] {
  const states = new Map(peers.map(({ instanceId, state }) => [instanceId, state as string]));
  const all = [self, ...[...states.keys()].sort()];
  const isSmall = peers.length <= NEAR_PEERS;
  const acks = new Map(hears.map(({ instanceId, heard, agoMs }) => [`${instanceId} ${heard}`, agoMs]));
  return all.map((instanceId) => ({
    instanceId,
    state: instanceId === self ? "this one" : (states.get(instanceId) ?? ""),
    cells: all.map((heard): Hearing => {
      if (heard === instanceId) return { text: "·", kind: "self", label: "itself" };
      const agoMs = acks.get(`${instanceId} ${heard}`);
      const pair = `${short(instanceId)} hears ${short(heard)}`;
      if (agoMs === undefined)
        return {
          text: isSmall ? "no" : "–",
          kind: isSmall ? "none" : "far",
          label: `${short(instanceId)} has not said for a minute that it hears ${short(heard)}`,
        };
      return {
        text: duration(agoMs),
        kind: agoMs <= freshMs(peers.length) ? "fresh" : "old",
        label: `${pair}: it said so ${duration(agoMs)} ago`,
      };
    }),
  }));
}

export function showMatrix(head: HTMLElement, body: HTMLElement, rows: readonly Row[]): void {
  const heard = rows.map(({ instanceId }) => ({ text: short(instanceId), title: instanceId, class: "id" }));
  showRows(head, [{ key: "head", cells: ["hears ↓ heard →", ...heard] }], true);
  showRows(
    body,
    rows.map(({ instanceId, state, cells }) => ({
      key: instanceId,
      cells: [
        { text: `${short(instanceId)} ${state}`, title: instanceId, class: `id ${state}` },
        ...cells.map(({ text, kind, label }) => ({ text, title: label, class: `hearing ${kind}` })),
      ],
    })),
  );
}

/** Where the admin API is off, /health still names the peers. */
export function showPeers(head: HTMLElement, body: HTMLElement, peers: readonly Peer[]): void {
  showRows(head, peers.length === 0 ? [] : [{ key: "head", cells: ["instance", "state", "last heard"] }], true);
  showRows(
    body,
    peers.map(({ instanceId, state, lastHeardMs }) => ({
      key: instanceId,
      cells: [{ text: short(instanceId), title: instanceId, class: "id" }, { text: state, class: state }, `${duration(lastHeardMs)} ago`],
    })),
  );
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
