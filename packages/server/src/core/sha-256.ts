/** SHA-256 of short texts, for a core that knows no Node. A test compares it with that of Node. */

/** Fractions of the square roots of the first 8 primes, and of the cube roots of the first 64, as 32 bits. */
const PRIMES = [...primes(64)];
const INITIAL = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

const words = new Int32Array(64);

/** The first 8 of its 32 bytes, as hex digits. `text`: ASCII. */
export function beginningOfSha256(text: string): string {
  const state = Int32Array.from(INITIAL);
  const blocks = Math.ceil((text.length + 9) / 64);
  for (let block = 0; block < blocks; block++) {
    for (let at = 0; at < 16; at++) words[at] = word(text, block * 64 + at * 4);
    if (block === blocks - 1) words[15] = text.length * 8;
    mix(state);
  }
  return digits(state[0] as number) + digits(state[1] as number);
}

/** Four bytes of the text; after its end a 1 bit, and zeros. */
function word(text: string, at: number): number {
  let bytes = 0;
  for (let next = at; next < at + 4; next++)
    bytes = (bytes << 8) | (next < text.length ? text.charCodeAt(next) & 0xff : next === text.length ? 0x80 : 0);
  return bytes;
}

function mix(state: Int32Array): void {
  for (let at = 16; at < 64; at++) {
    const early = words[at - 15] as number;
    const late = words[at - 2] as number;
    const small = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
    const large = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
    words[at] = (words[at - 16] as number) + small + (words[at - 7] as number) + large;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < 64; at++) {
    const chosen = (e & f) ^ (~e & g);
    const first = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + chosen + (ROUNDS[at] as number) + (words[at] as number)) | 0;
    const second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  const mixed = [a, b, c, d, e, f, g, h];
  for (let at = 0; at < 8; at++) state[at] = (state[at] as number) + (mixed[at] as number);
}

function turned(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

function digits(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}

function fraction(value: number): number {
  return Math.floor((value % 1) * 2 ** 32);
}

function* primes(count: number): Iterable<number> {
  for (let value = 2, found = 0; found < count; value++) {
    let divisor = 2;
    while (divisor * divisor <= value && value % divisor !== 0) divisor++;
    if (divisor * divisor <= value) continue;
    found++;
    yield value;
  }
}
