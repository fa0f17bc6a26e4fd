/** Code with private names and the same code without them do the same. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { withoutPrivateNames } from "./private-names.js";

const CODE = `
class Base {
  #count = 1;
  static #made = 0;
  get #twice() { return 2 * this.#count; }
  constructor() { Base.#made++; }
  add(by) { this.#count += by; return this; }
  #secret() { return this.#count; }
  tell() { return [this.#count, this.#twice, this.#secret(), Base.#made]; }
  static has(it) { return #count in it; }
}
class Derived extends Base {
  #count = 10;
  inner() {
    const outer = this;
    return new (class { #own = 5; tell() { return [this.#own, outer.#count, outer?.#count]; } })().tell();
  }
  told() { return [this.#count, ...super.tell(), "#count", \`#\${this.#count}\`, /#count/.source]; }
  swap() { ({ count: this.#count } = { count: 11 }); return this.told(); }
}
const it = new Derived().add(3);
[it.told(), it.inner(), it.swap(), Base.has(it), Base.has({})];
`;

test("code without private names does the same, also where a class and the one that it extends share a name", () => {
  const changed = withoutPrivateNames(CODE);
  const [before, after] = [CODE, changed].map((code) => runInThisContext(`{${code}}`));
  assert.deepEqual(after, before);
  assert.deepEqual(before[0], [10, 4, 8, 4, 1, "#count", "#10", "#count"]);
  assert.deepEqual(changed.match(/#\w+/g), ["#count", "#count"], "only a text and a regular expression have them still");
});
