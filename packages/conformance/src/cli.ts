/**
 * The command: certifies the server at `--url`, or the client that `--client` starts, and prints the reason of each failure and the
 * numbers. Exits with 1 if a case failed or none passed.
 */

import { parseArgs } from "node:util";
import { type Results, reportOf } from "./cases.ts";
import { certifyClient } from "./client/certify.ts";
import { ALSO } from "./client/play.ts";
import { certifyServer } from "./server/certify.ts";

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
  console.log(reportOf(results));
  process.exitCode = results.failed.length === 0 && results.passed.length > 0 ? 0 : 1;
} catch (error) {
  // Options that are not known are answered by scripts/usage.js.
  if (!(error instanceof Error) || "code" in error) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function certify(): Promise<Results> {
  const { values } = parseArgs({ options });
  const isWanted = (name: string) => name.includes(values.only ?? "");
  if (values.url !== undefined) {
    const { url, token, "bad-token": badToken, "other-token": otherToken, "short-token": shortToken, "bad-board": badBoard } = values;
    return certifyServer({ url, token, badToken, otherToken, shortToken, badBoard }, isWanted);
  }
  if (values.client === undefined) throw new Error("--url or --client says whom to certify; --help lists the options");
  return certifyClient(
    values.client,
    isWanted,
    ALSO.filter((what) => values.also === what),
  );
}
