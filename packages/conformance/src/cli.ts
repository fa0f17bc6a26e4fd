/**
 * The command: certifies the server at `--url`, or the client that `--client` starts, and prints the reason of each failure and the
 * numbers. Exits with 1 if a case failed or none passed.
 */

import { parseArgs } from "node:util";
import { type Results, reportOf } from "./cases.ts";
import { certifyClient } from "./client/certify.ts";
import { ALSO } from "./client/play.ts";
import { certifyServer } from "./server/certify.ts";

const USAGE = `npm run conformance -- --url ws://localhost:3001/ [options]      certifies a server
npm run conformance -- --client "python3 client.py" [options]    certifies a client (the lines it has to speak: docs/CLIENTS.md)

  --only <text>         only cases with this text in their name
  --also watch          of a client: it also watches boards
  --token <token>       where the server authenticates: a token of somebody
  --bad-token <token>   a token of nobody
  --other-token <token> a token of another user
  --short-token <token> a token of the same user that runs out within some seconds
  --bad-board <id>      a board that this user may not enter`;

const TEXT = { type: "string" } as const;
const options = {
  url: TEXT,
  client: TEXT,
  only: TEXT,
  also: TEXT,
  token: TEXT,
  "bad-token": TEXT,
  "other-token": TEXT,
  "short-token": TEXT,
  "bad-board": TEXT,
};

try {
  const results = await certify();
  console.log(results === undefined ? USAGE : reportOf(results));
  process.exitCode = results !== undefined && results.failed.length === 0 && results.passed.length > 0 ? 0 : 1;
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 1;
}

async function certify(): Promise<Results | undefined> {
  const { values } = parseArgs({ options });
  const isWanted = (name: string) => name.includes(values.only ?? "");
  if (values.url !== undefined) {
    const { url, token, "bad-token": badToken, "other-token": otherToken, "short-token": shortToken, "bad-board": badBoard } = values;
    return certifyServer({ url, token, badToken, otherToken, shortToken, badBoard }, isWanted);
  }
  return values.client === undefined
    ? undefined
    : certifyClient(
        values.client,
        isWanted,
        ALSO.filter((what) => values.also === what),
      );
}
