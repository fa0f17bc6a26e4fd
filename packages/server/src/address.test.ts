/** The address whose budget a connection shares, for all that a client or a proxy may write into `X-Forwarded-For`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressRule, isAddressRange } from "./address.ts";
import { PresenceError } from "./errors.ts";

const PROXIES = ["10.0.0.0/8", "2001:db8:ffff::/48", "192.0.2.7"];

const CASES: [what: string, trusted: readonly string[], remote: string | undefined, forwarded: string | undefined, expected: string][] = [
  ["no proxy is trusted: the header is a stranger's word", [], "198.51.100.1", "203.0.113.9", "198.51.100.1"],
  ["a stranger's header, while others are trusted", PROXIES, "198.51.100.1", "203.0.113.9", "198.51.100.1"],
  ["a stranger who claims to be a proxy", PROXIES, "198.51.100.1", "10.0.0.1", "198.51.100.1"],
  ["one proxy", PROXIES, "10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["no header from a proxy", PROXIES, "10.0.0.1", undefined, "10.0.0.1"],
  ["an empty header from a proxy", PROXIES, "10.0.0.1", "", "10.0.0.1"],
  ["two proxies", PROXIES, "10.0.0.1", "203.0.113.9, 192.0.2.7", "203.0.113.9"],
  ["what the client wrote before the proxy added its address", PROXIES, "10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"],
  ["the client claims a trusted hop", PROXIES, "10.0.0.1", "1.1.1.1, 10.9.9.9, 203.0.113.9", "203.0.113.9"],
  ["the client claims to be a proxy behind itself", PROXIES, "10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"],
  ["only proxies", PROXIES, "10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"],
  ["noise where a proxy should have named its client", PROXIES, "10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"],
  ["noise further left", PROXIES, "10.0.0.1", "<script>, 203.0.113.9", "203.0.113.9"],
  ["a port", PROXIES, "10.0.0.1", "203.0.113.9:4711", "203.0.113.9"],
  ["IPv6 with brackets, port and quotes", PROXIES, "10.0.0.1", '"[2001:db8:1:2::5]:443"', "2001:db8:1:2::/64"],
  ["IPv4 within IPv6, as a dual-stack socket says it", PROXIES, "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["an IPv6 proxy", PROXIES, "2001:db8:ffff::1", "203.0.113.9", "203.0.113.9"],
  ["an owner of a /64 has one budget", [], "2001:DB8:0:7:1:2:3:4", undefined, "2001:db8:0:7::/64"],
  ["a short form", [], "::1", undefined, "0:0:0:0::/64"],
  ["a zone", [], "fe80::1%eth0", undefined, "fe80:0:0:0::/64"],
  ["a socket that is gone already", PROXIES, undefined, "203.0.113.9", "unknown"],
];

for (const [what, trusted, remote, forwarded, expected] of CASES) {
  test(`${what}: ${expected}`, () => assert.equal(addressRule(trusted)(remote, forwarded), expected));
}

test("an entry that is neither an address nor a range is refused at the start", () => {
  assert.ok(isAddressRange("::/0") && isAddressRange("10.1.2.3/32"));
  for (const wrong of ["", "localhost", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/8/8"]) {
    assert.throws(() => addressRule([wrong]), PresenceError, wrong);
    assert.equal(isAddressRange(wrong), false, wrong);
  }
});
