/** Credentials may stand anywhere in a URL: the address is shown, and they are not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { REDIS_URL_FORMS } from "../redis/url.ts";
import { redactSecrets, redactText, redactUrl } from "./redact.ts";

const SHOWN: readonly (readonly [url: string, shown: string])[] = [
  ["redis://h", "redis://h"],
  ["redis://h:6379/0", "redis://h:6379/0"],
  ["rediss://[::1]:6379", "rediss://[::1]:6379"],
  ["memory:", "memory:"],
  ["localhost:6379", "localhost:6379"],
  ["redis://canary:canary@h:6379", "redis://***@h:6379"],
  ["redis://canary@h", "redis://***@h"],
  ["redis://:se/canary@h:x", "redis://***@h:x"],
  ["redis://:c@nary@canary@h", "redis://***@h"],
  ["http://user:canary@cache:6379", "http://***@cache:6379"],
  ["redis://h:6379/canary", "redis://h:6379/***"],
  ["redis://h:6379?password=canary", "redis://h:6379?***"],
  ["redis://h:6379/0?password=canary#canary", "redis://h:6379/***"],
  ["redis://h#canary", "redis://h#***"],
  ["redis-sentinel://a:1,b,[::1]:2/mymaster", "redis-sentinel://a:1,b,[::1]:2/mymaster"],
  ["redis://:canary@h:26379/mymaster", "redis://***@h:26379/mymaster"],
  ["redis-sentinel://:canary@a,b/my?canary", "redis-sentinel://***@a,b/***"],
  ["rediss-cluster://canary:ca,nary@a:1,b:2", "rediss-cluster://***@a:1,b:2"],
  ["redis-cluster://:ca,nary", "redis-cluster://***"],
  ["redis-cluster://a,canary:canary", "redis-cluster://***"],
  ["redis-cluster://:c@a:1,b:canary", "redis-cluster://***@a:1,b:***"],
  // There is no host here: the parts that look like host and port are the user and the password.
  ["redis://default:canary", "redis://***"],
  ["redis://:canary", "redis://***"],
  ["redis:canary", "redis:***"],
  ["memory:canary", "memory:***"],
  ["redis://h?user=x@canary", "redis://***"],
  ["redis://:canary h:6379", "redis://***"],
  ["default:canary@h:6379", "***"],
  ["canary", "***"],
  ["canary:canary", "***"],
  ["canary://canary@h", "***"],
  ["", "***"],
];

test("of a URL only scheme, host, port and database number are shown, and nothing that may be something else", () => {
  for (const [url, shown] of SHOWN) assert.equal(redactUrl(url), shown, url);
});

test("the forms of REDIS_URL that a sentence of ours tells are left as they are", () => {
  const sentence = `allowed: ${REDIS_URL_FORMS}. Leave it out for redis://localhost:6379. Name the master: redis-sentinel://host,host/mymaster.`;
  assert.equal(redactText(sentence), sentence);
});

test("in a text every URL and token is redacted, and known secrets however they are written", () => {
  for (const url of SHOWN.map(([url]) => url).filter((url) => url.includes("canary@") && /^(?:redis|http)/.test(url)))
    assert.doesNotMatch(redactText(`lost ${url}, "${url}" and (${url})`), /canary/, url);
  assert.doesNotMatch(redactText("input: 'redis://:canary@h/x?y=canary', GET /?a=1&password=canary&token=canary"), /canary/);
  assert.equal(redactText("redis://h:6379 is up"), "redis://h:6379 is up");
  assert.equal(redactText("redis-cluster://a:1,b:2, and redis://:canary@h:6379."), "redis-cluster://a:1,b:2, and redis://***@h:6379.");
  assert.doesNotMatch(redactText("redis://:canary. redis://h/canary, and redis://h:6379/canary.,"), /canary/);
  assert.equal(redactSecrets('AUTH c"an\\ary', ['c"an\\ary', ""]), "AUTH ***");
  assert.equal(redactSecrets(JSON.stringify({ input: 'c"an\\ary' }), ['c"an\\ary']), '{"input":"***"}');
});
