/** The words that an operator reads when Redis cannot be used, for the errors that drivers, systems and servers give. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, silence } from "./failure.ts";

function failing(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** As OpenSSL 3 words it. */
function ssl(words: string): string {
  return `408D238B177F0000:error:0A00045C:SSL routines:ssl3_read_bytes:${words}:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:\n`;
}

function alert(words: string, number: number): string {
  return `${ssl(words).trimEnd()}SSL alert number ${number}\n`;
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
  [failing("ERR_SSL_WRONG_VERSION_NUMBER", "C01:error:0A00010B:SSL routines::wrong version number"), /^no TLS is spoken there/, /tls-port/],
  [failing("ERR_SSL_PACKET_LENGTH_TOO_LONG", ssl("packet length too long")), /^no TLS is spoken there/, /tls-port/],
  [
    failing("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
    /certificate is not accepted: it is self-signed/,
    /NODE_EXTRA_CA_CERTS/,
  ],
  [
    failing("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    /is not accepted: no authority that this instance trusts has signed it/,
    /REDIS_TLS_CA/,
  ],
  [
    failing("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"),
    /is not accepted: no authority that this instance trusts has signed it/,
    /REDIS_TLS_CA/,
  ],
  [
    failing("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate"),
    /is not accepted: no authority that this instance trusts has signed it/,
    /whole chain/,
  ],
  [
    failing(
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "Hostname/IP does not match certificate's altnames: Host: h. is not in the cert's altnames: DNS:x",
    ),
    /^its TLS certificate is for another host name/,
    /host in REDIS_URL/,
  ],
  [failing("CERT_HAS_EXPIRED", "certificate has expired"), /^its TLS certificate has expired/, /Renew/],
  [failing("CERT_NOT_YET_VALID", "certificate is not yet valid"), /^its TLS certificate is not valid yet/, /clock/],
  [failing("CERT_SIGNATURE_FAILURE", "certificate signature failure"), /^its TLS certificate is not accepted \(/, /brackets/],
  [
    failing("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", alert("tlsv13 alert certificate required", 116)),
    /^it wants a client certificate/,
    /REDIS_TLS_CERT and REDIS_TLS_KEY/,
  ],
  [
    failing("ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE", alert("ssl/tls alert bad certificate", 42)),
    /^it does not accept the client certificate/,
    /REDIS_TLS_CERT/,
  ],
  [
    failing("ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", alert("sslv3 alert unsupported certificate", 43)),
    /^it does not accept the client certificate/,
    /for clients/,
  ],
  [failing("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", alert("tlsv1 alert unknown ca", 48)), /^it does not know the authority/, /tls-ca-cert-file/],
  [
    failing("ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED", alert("ssl/tls alert certificate expired", 45)),
    /^the client certificate has expired/,
    /new one/,
  ],
  [
    failing("ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR", alert("tlsv1 alert decrypt error", 51)),
    /^it refuses the client certificate/,
    /REDIS_TLS_KEY/,
  ],
  [
    failing("ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", alert("ssl/tls alert handshake failure", 40)),
    /^no TLS parameters suit both/,
    /client certificate/,
  ],
  [failing("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", alert("tlsv1 alert protocol version", 70)), /^no TLS version/, /TLS 1\.2 or 1\.3/],
  [failing("ERR_SSL_UNSUPPORTED_PROTOCOL", ssl("unsupported protocol")), /^no TLS version/, /tls-protocols/],
  [
    failing("ERR_SSL_TLSV1_UNRECOGNIZED_NAME", alert("tlsv1 unrecognized name", 112)),
    /^it has no certificate for this host name/,
    /host name/,
  ],
  [failing("ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", alert("tlsv1 alert internal error", 80)), /^it ended the TLS handshake/, /its log/],
  [failing("ERR_SSL_UNEXPECTED_MESSAGE", ssl("unexpected message")), /^TLS with it failed/, /log of Redis/],
  [failing("EMFILE", "connect EMFILE 127.0.0.1:6379 - Local (undefined:undefined)"), /^no file descriptor is left/, /ulimit -n/],
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

test("no advice lowers security, and the words of OpenSSL are short", () => {
  const silent = silence("a TLS handshake", 2000);
  assert.match(silent.advice, /tls-port/);
  for (const { reason, advice } of [silent, ...CASES.map(([error]) => explain(error))]) {
    assert.doesNotMatch(advice, /redis:\/\/ instead of rediss|rejectUnauthorized|TLS_REJECT|(?:without|no) (?:TLS|verif)/i);
    assert.doesNotMatch(reason, /deps\/openssl|:error:/);
  }
  assert.equal(
    explain(failing("ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", alert("tlsv1 alert unknown ca", 48))).reason,
    "it does not know the authority of the client certificate (ERR_SSL_TLSV1_ALERT_UNKNOWN_CA tlsv1 alert unknown ca)",
  );
});

test("a Redis that quotes the command it does not understand does not get the password into a log", () => {
  const quoted = "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `canary user`, `canary`, ";
  assert.deepEqual(explain(new Error(quoted)), {
    reason: "it is too old (ERR unknown command `HELLO`)",
    gist: "it is too old",
    advice: "Redis 6 or later is needed.",
  });
  assert.doesNotMatch(explain(new Error("ERR bad input: AUTH canary c%40nary"), ["canary", "c%40nary"]).reason, /canary|c%40nary/);
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
