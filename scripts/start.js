/**
 * Starts one instance to try the service: on `REDIS_URL` if that is set, else on a Redis on localhost:6379 if one answers, else alone in
 * memory. Arguments go to the command line of the service. Deployments run the service itself, which uses only its settings.
 */

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { node24, ROOT, runToEnd } from "./node-24.js";
import "./setup.js";

/** A healthy Redis on this machine answers in under 1 ms. */
const ANSWER_MS_MAX = 300;

const env = { ...process.env };
if (!env.REDIS_URL && !envFileSetsRedis()) {
  const isThere = await redisAnswers("localhost", 6379);
  env.REDIS_URL = isThere ? "redis://localhost:6379" : "memory:";
  console.error(
    isThere
      ? "start: using the Redis on localhost:6379"
      : "start: no Redis answers on localhost:6379, so this instance runs alone, in memory (set REDIS_URL to connect several)",
  );
}
process.exitCode = await runToEnd(
  node24(),
  ["--conditions=presence-source", join(ROOT, "packages/server/src/cli.ts"), ...process.argv.slice(2)],
  env,
);

function envFileSetsRedis() {
  try {
    // The service may read the file as UTF-8 or UTF-16. Without the byte order mark and the zero bytes of UTF-16, a name is ASCII.
    const text = readFileSync(join(ROOT, ".env"), "latin1")
      .replace(/^(?:\xff\xfe|\xfe\xff|\xef\xbb\xbf)/, "")
      .replaceAll("\0", "");
    return /^\s*(?:export\s+)?REDIS_URL\s*=\s*\S/m.test(text);
  } catch {
    return false;
  }
}

/**
 * True if a Redis answers our PING. A Redis that asks for a password does not count, since we have none.
 * @param {string} host
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function redisAnswers(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => socket.write("*1\r\n$4\r\nPING\r\n"));
    /** @param {boolean} answered */
    const settle = (answered) => {
      clearTimeout(deadline);
      socket.destroy();
      resolve(answered);
    };
    const deadline = setTimeout(() => settle(false), ANSWER_MS_MAX);
    socket.once("data", (reply) => settle(reply.toString("latin1").startsWith("+PONG")));
    socket.once("error", () => settle(false));
    socket.once("end", () => settle(false));
  });
}
