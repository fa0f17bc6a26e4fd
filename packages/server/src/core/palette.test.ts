import assert from "node:assert/strict";
import { test } from "node:test";
import { freeColor, PALETTE, sharedColor } from "./palette.ts";

type Triple = readonly [number, number, number];

test("a person's colour is the first free one from the person's own place among the first eight on, then any that is free", () => {
  const taken = new Set<string>();
  const colors = PALETTE.map(() => {
    const color = freeColor("ana", (one) => taken.has(one));
    taken.add(color ?? "");
    return color;
  });
  assert.deepEqual(new Set(colors.slice(0, 8)), new Set(PALETTE.slice(0, 8)));
  assert.deepEqual(colors.slice(8), PALETTE.slice(8));
  assert.equal(
    freeColor("ana", () => true),
    undefined,
  );
  const people = Array.from({ length: 1000 }, (_, nth) => `user-${nth}`);
  assert.equal(new Set(people.map((userId) => freeColor(userId, () => false))).size, 8);
  assert.equal(new Set(people.map(sharedColor)).size, PALETTE.length);
});

test("each colour has a contrast of 3 on white and on black, and carries text of 4.5", () => {
  for (const color of PALETTE) {
    const [r, g, b] = linear(color);
    const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    const [onWhite, onBlack] = [1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05];
    assert.ok(onWhite >= 3, `${color} on white: ${onWhite}`);
    assert.ok(onBlack >= 3, `${color} on black: ${onBlack}`);
    assert.ok(Math.max(onWhite, onBlack) >= 4.5, `text on ${color}`);
  }
});

/** Least distances in OKLab among the first so many: as most people see them, and with the blindness with which they are nearest. */
for (const [count, seen, blind] of [
  [2, 0.49, 0.35],
  [4, 0.2, 0.11],
  [8, 0.15, 0.1],
  [12, 0.12, 0.06],
  [16, 0.11, 0.05],
] as const)
  test(`the first ${count} colours differ by ${seen}, and by ${blind} with any of the three colour blindnesses`, () => {
    for (const [at, color] of PALETTE.slice(0, count).entries())
      for (const other of PALETTE.slice(0, at)) {
        const distance = (see: (rgb: Triple) => Triple) => apart(oklab(see(linear(color))), oklab(see(linear(other))));
        assert.ok(distance((rgb) => rgb) >= seen, `${color} and ${other}`);
        for (const [blindness, matrix] of Object.entries(BLINDNESS))
          assert.ok(distance((rgb) => times(matrix, rgb)) >= blind, `${color} and ${other} with ${blindness}`);
      }
  });

/** Matrices of Machado, Oliveira and Fernandes 2009, at full severity, on linear light. */
const BLINDNESS: Record<string, readonly [Triple, Triple, Triple]> = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function times(matrix: readonly [Triple, Triple, Triple], [r, g, b]: Triple): Triple {
  const [x, y, z] = matrix.map((row) => Math.min(1, Math.max(0, row[0] * r + row[1] * g + row[2] * b)));
  return [x ?? 0, y ?? 0, z ?? 0];
}

function linear(color: string): Triple {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return [r ?? 0, g ?? 0, b ?? 0];
}

/** OKLab (Ottosson 2020): distances in it are those that the eye sees. */
function oklab([r, g, b]: Triple): Triple {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function apart(a: Triple, b: Triple): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
