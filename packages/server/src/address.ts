/**
 * The network address of a connection, whose budget it shares. A proxy names the address of its client in `X-Forwarded-For`, but anybody
 * can send this header; so an entry counts only if the hop that wrote it is listed as trusted.
 */

import { BlockList, isIP } from "node:net";
import { PresenceError } from "./errors.ts";

/** Answers the address behind a socket with that remote address and that `X-Forwarded-For`. Of an IPv6 address only the `/64` counts, as its owner has all of it. */
export type AddressOf = (remote: string | undefined, forwarded: string | undefined) => string;

/** `trusted`: addresses and CIDR ranges. Throws `BAD_SETTINGS` for an entry that is neither. */
export function addressRule(trusted: readonly string[]): AddressOf {
  const list = new BlockList();
  for (const entry of trusted) {
    const problem = add(list, entry);
    if (problem !== undefined) throw new PresenceError("BAD_SETTINGS", `trustedProxies holds ${JSON.stringify(entry)}: ${problem}`);
  }
  const isTrusted = (address: string) => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return (remote, forwarded) => {
    let address = plain(remote ?? "");
    if (address === undefined) return "unknown";
    if (forwarded === undefined || trusted.length === 0) return keyOf(address);
    const hops = forwarded.split(",");
    while (hops.length > 0 && isTrusted(address)) {
      // A trusted proxy wrote the last entry: the address that connected to it. If that is no address, only the proxy is known.
      const next = plain(hops.pop() ?? "");
      if (next === undefined) break;
      address = next;
    }
    return keyOf(address);
  };
}

/** Whether that is an address or a CIDR range. */
export function isAddressRange(entry: string): boolean {
  return add(new BlockList(), entry) === undefined;
}

function add(list: BlockList, entry: string): string | undefined {
  const [address = "", prefix, ...more] = entry.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return "it must be an IP address, or a range like 10.0.0.0/8";
  const family = version === 6 ? "ipv6" : "ipv4";
  const bitsMax = version === 6 ? 128 : 32;
  if (prefix === undefined) list.addAddress(address, family);
  else if (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bitsMax) list.addSubnet(address, Number(prefix), family);
  else return `its prefix must be a number from 0 to ${bitsMax}`;
  return undefined;
}

/** The address without a port, brackets, quotes, a zone, or IPv6 around IPv4, which some proxies write. undefined: it is no address. */
function plain(text: string): string | undefined {
  const bare = text.trim().replace(/^"(.*)"$/, "$1");
  const host = /^\[([^\]]*)\](?::\d+)?$/.exec(bare)?.[1] ?? /^([\d.]+):\d+$/.exec(bare)?.[1] ?? bare;
  const address = host.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.)/i, "");
  return isIP(address) === 0 ? undefined : address;
}

function keyOf(address: string): string {
  if (isIP(address) === 4) return address;
  const [head = "", tail] = address.toLowerCase().split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
