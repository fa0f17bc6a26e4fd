import assert from "node:assert/strict";
import { test } from "node:test";
import { CursorPacer } from "./cursor-pacer.ts";

function ready(): CursorPacer {
  const pacer = new CursorPacer();
  pacer.paceMs = 50;
  pacer.joined();
  pacer.audience(true);
  return pacer;
}

const at = (x: number) => ({ x, y: 0 });

test("the first move goes at once, then one per pace, the last always", () => {
  const pacer = ready();
  pacer.move(at(1));
  assert.deepEqual(pacer.take(0), { at: at(1) });
  pacer.move(at(2));
  pacer.move(at(3));
  assert.equal(pacer.take(49), undefined);
  assert.equal(pacer.deadline, 50);
  assert.deepEqual(pacer.take(50), { at: at(3) });
  assert.equal(pacer.deadline, Number.POSITIVE_INFINITY);
  assert.equal(pacer.take(1_000), undefined);
});

test("hiding is sent once, and not at all if the others never saw our cursor", () => {
  const pacer = ready();
  pacer.move(null);
  assert.equal(pacer.take(0), undefined);
  pacer.move(at(1));
  pacer.take(0);
  pacer.move(null);
  assert.deepEqual(pacer.take(50), { at: null });
  pacer.move(null);
  assert.equal(pacer.take(100), undefined);
});

test("[F6] nothing is sent while alone; the first member who comes gets our place", () => {
  const pacer = ready();
  pacer.audience(false);
  pacer.move(at(1));
  assert.equal(pacer.take(0), undefined);
  pacer.audience(true);
  assert.deepEqual(pacer.take(0), { at: at(1) });
  pacer.audience(false);
  pacer.audience(true);
  assert.deepEqual(pacer.take(100), { at: at(1) });
});

test("after a rejoin the place is sent again, and so is a hiding that happened meanwhile", () => {
  const pacer = ready();
  pacer.move(at(1));
  pacer.take(0);
  pacer.lost();
  pacer.joined();
  assert.deepEqual(pacer.take(100), { at: at(1) });
  pacer.lost();
  pacer.move(null);
  assert.equal(pacer.take(200), undefined);
  pacer.joined();
  assert.deepEqual(pacer.take(200), { at: null });
});

test("a path: when the pointer was there, and where since the place before; up to eight places of 255 ms, evenly", () => {
  const pacer = ready();
  pacer.move(at(1), 65_530);
  assert.deepEqual(pacer.take(0), { at: at(1), path: { stamp: 65_530, earlier: [] } });
  pacer.move(at(10), 65_537.9);
  pacer.move(at(30), 65_544.2);
  pacer.move(at(60), 65_556);
  const earlier = [
    { ms: 19, dx: -50, dy: 0 },
    { ms: 12, dx: -30, dy: 0 },
  ];
  assert.deepEqual(pacer.take(50), { at: at(60), path: { stamp: 20, earlier } });
  for (let nth = 0; nth <= 50; nth++) pacer.move(at(nth * 10), 100_000 + nth * 8);
  const thinned = pacer.take(100)?.path?.earlier.map(({ ms }) => ms) ?? [];
  assert.equal(thinned.length, 8);
  assert.ok(
    thinned.every((ms, nth) => ms <= 255 && (nth === 0 || [24, 32].includes((thinned[nth - 1] ?? 0) - ms))),
    String(thinned),
  );
  pacer.move(at(1), 100_500);
  pacer.move(at(2));
  assert.deepEqual(pacer.take(150), { at: at(2) }, "a move without a path ends it");
  pacer.move(at(3), 100_600);
  pacer.move(null);
  assert.deepEqual(pacer.take(200), { at: null });
});
