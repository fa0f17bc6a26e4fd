/** The slot of a channel in a Cluster: CRC-16 (XMODEM) of its name, or of what is in its first braces, modulo 16 384. */

export const SLOTS = 16_384;

/** The remainder of each byte. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** `channel` is ASCII. */
export function slotOf(channel: string): number {
  const [, tag = channel] = /^[^{]*\{([^}]+)\}/.exec(channel) ?? [];
  return remainder(tag, 0) % SLOTS;
}

/**
 * The first number from `from` on that, written at the end of this name without braces, makes the slot one of these. By the form of the remainder
 * the slots of two names with the same numbers differ by one pattern of bits, whatever the names are. So if the numbers of some length reach every slot with one name, they do
 * with every name; those of six digits do (slot.test.ts), and this is certain to find one.
 */
export function numberInSlots(name: string, from: number, isWanted: (slot: number) => boolean): number | undefined {
  const start = remainder(name, 0);
  for (let number = from; number < from + TRIES; number++) if (isWanted(remainder(String(number), start) % SLOTS)) return number;
  return undefined;
}

/** From any number on these hold all numbers of some length, from six digits on, or more of them than there are of six. */
const TRIES = 2_000_000;

function remainder(text: string, start: number): number {
  let crc = start;
  for (let at = 0; at < text.length; at++) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ text.charCodeAt(at)] ?? 0);
  return crc;
}
