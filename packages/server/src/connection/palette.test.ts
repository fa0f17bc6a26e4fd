import assert from "node:assert/strict";
import { test } from "node:test";
import { colorOf, PALETTE } from "./palette.ts";

type Triple = readonly [number, number, number];

test("a person has the same colour everywhere, and all colours are used", () => {
  assert.equal(colorOf("ana"), colorOf("ana"));
  const used = new Set(Array.from({ length: 1000 }, (_, index) => colorOf(`user-${index}`)));
  assert.equal(used.size, PALETTE.length);
});

test("each colour carries white text, is readable on white and visible on black", () => {
  for (const color of PALETTE) {
    const [r, g, b] = linear(color);
    const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    assert.ok(1.05 / (luminance + 0.05) >= 4.5, `${color} on white`);
    assert.ok((luminance + 0.05) / 0.05 >= 2.2, `${color} on black`);
  }
});

test("no two colours look alike, to people with red or green blindness either", () => {
  for (const [at, color] of PALETTE.entries()) {
    for (const other of PALETTE.slice(0, at)) {
      const distance = (seen: (rgb: Triple) => Triple) => apart(oklab(seen(linear(color))), oklab(seen(linear(other))));
      assert.ok(distance((rgb) => rgb) >= 0.11, `${color} and ${other}`);
      for (const [blindness, matrix] of Object.entries(BLINDNESS))
        assert.ok(distance((rgb) => times(matrix, rgb)) >= 0.05, `${color} and ${other} with ${blindness}`);
    }
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
