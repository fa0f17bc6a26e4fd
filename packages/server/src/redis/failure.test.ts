/** What an operator reads when Redis cannot be used, for the errors that drivers, systems and servers give. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, silence } from "./failure.ts";

function failing(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const CASES: readonly (readonly [error: unknown, reason: RegExp, advice: RegExp])[] = [
  [failing("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:6379"), /^connection refused \(connect/, /redis-server.*REDIS_URL.*memory:/],
  [failing("ENOTFOUND", "getaddrinfo ENOTFOUND rediss"), /^unknown host/, /host name in REDIS_URL/],
  [failing("EAI_AGAIN", "getaddrinfo EAI_AGAIN redis"), /^unknown host/, /host name/],
  [new Error("WRONGPASS invalid username-password pair or user is disabled."), /^wrong user or password/, /redis:\/\/user:password@host/],
  [new Error("NOAUTH HELLO must be called with the client already authenticated"), /^it wants a password/, /redis:\/\/:password@host/],
  [new Error("NOPERM this user has no permissions to run the 'publish' command"), /^not permitted/, /ACL SETUSER/],
  [new Error("DENIED Redis is running in protected mode because"), /^it is in protected mode/, /requirepass/],
  [new Error("ERR max number of clients reached"), /^it has too many connections/, /maxclients/],
  [new Error("ERR unknown command `HELLO`, with args beginning with: `3`"), /^it is too old/, /Redis 6/],
  [new Error("ERR unknown command 'HELLO'"), /^it is too old/, /Redis 6/],
  [failing("ERR_SSL_WRONG_VERSION_NUMBER", "C01:error:0A00010B:SSL routines::wrong version number"), /^no TLS/, /redis:\/\/ instead/],
  [failing("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"), /certificate is not accepted/, /NODE_EXTRA_CA_CERTS/],
  [new Error('Unknown RESP type 72 "H"'), /is not Redis, or wants TLS/, /rediss:\/\//],
  [failing("EHOSTUNREACH", "connect EHOSTUNREACH 10.0.0.1:6379"), /^unreachable/, /firewalls/],
  [failing("ECONNRESET", "read ECONNRESET"), /^closed by the other end/, /TLS/],
  [new Error("Socket closed unexpectedly"), /^closed by the other end/, /own log/],
  ["something else", /^something else$/, /REDIS_URL/],
];

test("each way to fail has its words and its advice", () => {
  for (const [error, reason, advice] of CASES) {
    assert.match(explain(error).reason, reason);
    assert.match(explain(error).advice, advice);
  }
  assert.equal(silence("HELLO", 2000).reason, "no answer to HELLO in 2 s");
});

test("a host of several addresses fails once, not once per address", () => {
  const refused = failing("ECONNREFUSED", "connect ECONNREFUSED ::1:6379");
  const both = new AggregateError([refused, failing("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:6379"), refused]);
  assert.equal(explain(both).reason, "connection refused (connect ECONNREFUSED ::1:6379; connect ECONNREFUSED 127.0.0.1:6379)");
});

test("bytes of a stranger and credentials do not get into a log", () => {
  assert.equal(explain(new Error('Unknown RESP type 21 "\x15\n"')).reason.includes("\n"), false);
  assert.doesNotMatch(explain(new Error("bad redis://user:s3cret@host")).reason, /s3cret/);
  assert.ok(explain(new Error("x".repeat(5000))).reason.length < 300);
});
