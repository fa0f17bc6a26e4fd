/**
 * A Cluster. With classic pub/sub a message that is published at any node reaches the subscribers of all nodes. Publisher and subscriber
 * go to different nodes, so that an own message that comes back proves the bus between these. Slots and masters play no part in that;
 * sharded.ts asks for them.
 */

import type { Link } from "../core/effects.ts";
import type { Dialer, RedisConnection } from "./client.ts";
import type { Failure } from "./failure.ts";
import { type Answer, type Question, survey, Witness } from "./survey.ts";
import type { Topology } from "./topology.ts";
import { inWords, type Place, type RedisUrl } from "./url.ts";

/** So many of the configured nodes are asked for the others, and so many of those that were learned. */
const ASKED_MAX = 3;

/** After so many failed attempts in a row a link takes the node that has just answered: perhaps others are announced by addresses that do not work from here. */
const FAILURES_MAX = 2;

/** Slots in a row, and their master. */
export type Slots = { readonly from: number; readonly to: number; readonly master: Place };

type Found = Answer & { readonly nodes: readonly Place[]; readonly slots: readonly Slots[]; readonly answerer: Place };

/** Where a link was last sent, and the attempts since it was last admitted. */
type Sent = { place: Place | undefined; attempts: number };

export class ClusterTopology implements Topology {
  readonly mode = "cluster";
  readonly address: string;
  readonly dialer: Dialer;
  readonly #seeds: readonly Place[];
  /** As a node last told them. */
  #nodes: readonly Place[] = [];
  /** Those who are asked for the slots, again and again. */
  #witnesses: readonly Witness<Found>[] = [];
  readonly #sent: Record<Link, Sent> = { publisher: { place: undefined, attempts: 0 }, subscriber: { place: undefined, attempts: 0 } };

  constructor({ places }: Extract<RedisUrl, { mode: "cluster" }>, dialer: Dialer) {
    this.address = `Cluster ${places.map(inWords).join(", ")}`;
    this.dialer = dialer;
    this.#seeds = places;
  }

  async locate(link: Link): Promise<Place | Failure> {
    const witnesses = this.#witnessesAt([...some(this.#seeds), ...some(this.#nodes)]);
    const found = await survey(witnesses);
    for (const witness of witnesses) witness.close();
    if (!("nodes" in found)) return found;
    this.#nodes = found.nodes;
    const place = this.#choose(link, found);
    this.#sent[link].place = place;
    this.#sent[link].attempts++;
    return place;
  }

  /** Which masters have which slots. To be called again and again: connections are kept, to nodes that answer. */
  async slots(): Promise<readonly Slots[] | Failure> {
    const kept = this.#witnesses.filter((witness) => !witness.isOver);
    const others = [...some(this.#nodes), ...some(this.#seeds)].filter((place) => !kept.some((witness) => isSame(witness.place, place)));
    this.#witnesses = [...kept, ...this.#witnessesAt(others)].slice(0, ASKED_MAX);
    const found = await survey(this.#witnesses);
    if (!("nodes" in found)) return found;
    this.#nodes = found.nodes;
    return found.slots;
  }

  #witnessesAt(places: readonly Place[]): readonly Witness<Found>[] {
    const different = new Map(places.map((place) => [inWords(place), place]));
    return [...different.values()].map((place) => new Witness(place, this.dialer, nodesSeenFrom(place)));
  }

  /** Not the node of the other link, and not the one where this link was lost or could not be opened, as long as there are others. */
  #choose(link: Link, { nodes, answerer }: Found): Place {
    const { place: former, attempts } = this.#sent[link];
    if (attempts >= FAILURES_MAX || nodes.length === 0) return answerer;
    const other = this.#sent[link === "publisher" ? "subscriber" : "publisher"].place;
    const apart = nodes.filter((node) => !isSame(node, other));
    const anew = apart.filter((node) => !isSame(node, former));
    const [place = answerer] = shuffled([anew, apart, nodes].find((choice) => choice.length > 0) ?? []);
    return place;
  }

  admit(_connection: RedisConnection, link: Link): Promise<void> {
    this.#sent[link].attempts = 0;
    return Promise.resolve();
  }

  watch(): void {}

  close(): void {
    for (const witness of this.#witnesses) witness.close();
  }
}

/** The question to a node. */
function nodesSeenFrom(answerer: Place): Question<Found> {
  return async (connection) => {
    const [slots, info] = await Promise.all([
      connection.ask("CLUSTER", "SLOTS"),
      // The user may lack the right to ask. Then the word of this node counts less than that of others.
      connection.ask("CLUSTER", "INFO").catch(() => ""),
    ]);
    const ranges = rangesOf(slots, answerer);
    const nodes = new Map(ranges.flatMap(({ places }) => places).map((place) => [inWords(place), place]));
    const masters = ranges.flatMap(({ from, to, places: [master] }) => (master === undefined ? [] : [{ from, to, master }]));
    return { nodes: [...nodes.values()], slots: masters, answerer, epoch: epochOf(String(info)) };
  };
}

/** A node that is cut off says that its Cluster has failed, though the part that goes on may count fewer epochs. */
const SOUND = 2 ** 40;

function epochOf(info: string): number {
  const epoch = Number(/cluster_current_epoch:(\d+)/.exec(info)?.[1] ?? 0);
  return info.includes("cluster_state:ok") ? epoch + SOUND : epoch;
}

/** Slots, and their master and its replicas by the addresses that they announce. Throws at what is no answer to CLUSTER SLOTS. */
function rangesOf(slots: unknown, answerer: Place): readonly { from: number; to: number; places: readonly Place[] }[] {
  return (slots as unknown[][]).map(([from, to, ...nodes]) => {
    const places = (nodes as [host: unknown, port: unknown][]).map(([host, port]) => {
      // No host: the same as that of the node which answers. "?": it should announce a name, and has none.
      const isKnown = typeof host === "string" && host !== "" && host !== "?";
      return { host: isKnown ? host : answerer.host, port: Number(port) };
    });
    return { from: Number(from), to: Number(to), places };
  });
}

function some(places: readonly Place[]): readonly Place[] {
  return shuffled(places).slice(0, ASKED_MAX);
}

function shuffled(places: readonly Place[]): Place[] {
  return places
    .map((place) => ({ place, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ place }) => place);
}

function isSame(place: Place, other: Place | undefined): boolean {
  return other !== undefined && inWords(place) === inWords(other);
}
