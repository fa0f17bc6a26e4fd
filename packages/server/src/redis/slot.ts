/** The slot of a channel in a Cluster: CRC-16 (XMODEM) of its name, or of what is in its first braces, modulo 16 384. */

export const SLOTS = 16_384;

/** `channel` is ASCII. */
export function slotOf(channel: string): number {
  const [, tag] = /^[^{]*\{([^}]+)\}/.exec(channel) ?? [];
  let crc = 0;
  for (const char of tag ?? channel) {
    crc ^= char.charCodeAt(0) << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return (crc & 0xffff) % SLOTS;
}
