/** Code is told from what only looks like code. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, importsOf } from "./source-text.ts";

test("code is told from comments, strings, templates and regular expressions", () => {
  const source = ["a(`x ${b({ c: `d` })} // y`); // Date", "const r = /[/\"]'`/g; /* Date\n Date */ e / f / g;", "'it\\'s Date' + h;"].join(
    "\n",
  );
  const code = codeOf(source);
  assert.equal(code.length, source.length);
  assert.deepEqual(code.match(/\w+/g), ["a", "b", "c", "const", "r", "e", "f", "g", "h"]);
  const imports =
    'import a, {\n  type B,\n} from "./a.ts";\nexport * from \'./c.ts\';\nimport "./d.ts";\n// import "./no.ts"\nconst s = "import x from \'./no.ts\'";\nvoid import("./e.ts");';
  assert.deepEqual(
    importsOf(imports)
      .map(({ specifier }) => specifier)
      .sort(),
    ["./a.ts", "./c.ts", "./d.ts", "./e.ts"],
  );
  assert.equal(importsOf(imports).find(({ specifier }) => specifier === "./d.ts")?.line, 5);
});
