import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { InstanceId } from "@presence-service/protocol";
import { restore, written } from "./checkpoint.ts";
import { Core } from "./core.ts";

type Class = { readonly file: string; readonly name: string; readonly body: string };

/** The classes of the core, by their form: each begins and ends at the first column. */
const CLASSES: readonly Class[] = readdirSync(import.meta.dirname)
  .filter((file) => /^[\w-]+\.ts$/.test(file))
  .flatMap((file) =>
    [...readFileSync(join(import.meta.dirname, file), "utf8").matchAll(/^export class (\w+).*?\{\n(.*?)^\}\n/gms)].map(
      ([, name = "", body = ""]) => ({ file, name, body }),
    ),
  );

/** The fields of a class that its checkpoint does not pass on, though they may change. */
function forgotten({ name, file, body }: Class): string[] {
  const [, checkpoint = ""] = /^ {2}checkpoint\(keep: Keep\): void \{\n(.*?)^ {2}\}\n/ms.exec(body) ?? [];
  const fields = [...body.matchAll(/^ {2}(readonly )?(#?\w+)(?=[:;]| =)([^\n]*)/gm)];
  return fields.flatMap(([, readonly, field = "", rest = ""]) => {
    const [, made] = new RegExp(`this\\.${field} = new (\\w+)`).exec(body) ?? [];
    const isPart = CLASSES.some((part) => part.name === made);
    // The constructor was given the rest: a constant, a function, or a part of another class.
    if (readonly !== undefined && !isPart && !/ = (?:new |\[|\{)/.test(rest)) return [];
    const forms = [`this.${field} = `, `this.${field}.checkpoint(keep);`, `keepEach(keep, this.${field},`];
    return forms.some((form) => checkpoint.includes(form)) ? [] : [`${file}: ${name}.${field}`];
  });
}

test("a checkpoint of a core holds every field of its classes that may change", () => {
  assert.ok(CLASSES.length > 20);
  assert.deepEqual(CLASSES.flatMap(forgotten), []);
});

test("a checkpoint that is not of this version is refused", () => {
  const options = { instanceId: "0".repeat(32) as InstanceId, seed: 1, now: 0 };
  const values = written(new Core(options));
  restore(new Core(options), values);
  assert.throws(() => restore(new Core(options), [...values, 1]), /it is of another version/);
  assert.throws(() => restore(new Core(options), values.slice(1)));
});
