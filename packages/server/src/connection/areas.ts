/**
 * Which area each member of one board is in, and which areas clients look at by name. Areas have small numbers here, which are free
 * again when nobody is in them and nobody looks. As long as all see the same, no number is needed: `isDivided` says so.
 * It knows neither sockets nor places.
 */

import type { Moves } from "../core/messages.ts";

/** By the numbers of areas; undefined: nobody there has moved. */
export type MovesByArea = readonly (Moves | undefined)[];

/** Every area. */
export const ALL_AREAS = -1;

export class Areas {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  /** How many members are in each area, and how many looks name it. */
  readonly #members: number[] = [];
  readonly #looks: number[] = [];
  readonly #free: number[] = [];
  readonly #ofActor: (number | undefined)[] = [];
  /** How many areas have members. */
  #inhabited = 0;
  /** How many looks name areas. */
  #named = 0;

  /** There are viewers who are not sent the same cursors: members are in several areas, or somebody looks at areas by name. */
  get isDivided(): boolean {
    return this.#inhabited > 1 || this.#named > 0;
  }

  /** undefined: no member has that actor. */
  of(actor: number): number | undefined {
    return this.#ofActor[actor];
  }

  /** That member is in that area from now on. True: it was in another one before. */
  set(actor: number, name = ""): boolean {
    const before = this.#ofActor[actor];
    if (before !== undefined && this.#names[before] === name) return false;
    const area = this.#numberOf(name);
    if (this.#members[area] === 0) this.#inhabited++;
    this.#members[area] = (this.#members[area] ?? 0) + 1;
    this.remove(actor);
    this.#ofActor[actor] = area;
    return before !== undefined;
  }

  remove(actor: number): void {
    const area = this.#ofActor[actor];
    if (area === undefined) return;
    this.#ofActor[actor] = undefined;
    this.#members[area] = (this.#members[area] ?? 0) - 1;
    if (this.#members[area] > 0) return;
    this.#inhabited--;
    this.#freeIfUnused(area);
  }

  /** The numbers of the areas that a client looks at by name, each once; to be given back. */
  take(names: readonly string[]): readonly number[] {
    this.#named++;
    return [...new Set(names)].map((name) => {
      const area = this.#numberOf(name);
      this.#looks[area] = (this.#looks[area] ?? 0) + 1;
      return area;
    });
  }

  giveBack(areas: readonly number[]): void {
    this.#named--;
    for (const area of areas) {
      this.#looks[area] = (this.#looks[area] ?? 0) - 1;
      this.#freeIfUnused(area);
    }
  }

  /** The moves by area. */
  split(moves: Moves): MovesByArea {
    const parts: number[][] = [];
    for (let at = 0; at < moves.length; at += 3) {
      const actor = moves[at] ?? 0;
      const area = this.#ofActor[actor];
      if (area === undefined) continue;
      parts[area] ??= [];
      parts[area].push(actor, moves[at + 1] ?? 0, moves[at + 2] ?? 0);
    }
    return parts;
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const area = this.#free.pop() ?? this.#names.length;
    this.#numbers.set(name, area);
    this.#names[area] = name;
    this.#members[area] = 0;
    this.#looks[area] = 0;
    return area;
  }

  #freeIfUnused(area: number): void {
    if (this.#members[area] !== 0 || this.#looks[area] !== 0) return;
    this.#numbers.delete(this.#names[area] ?? "");
    this.#free.push(area);
  }
}
