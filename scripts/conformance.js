/**
 * Certifies a server, `npm run conformance -- --url ws://localhost:3001/`, or a client, `npm run conformance -- --client "python3 client.py"`.
 * docs/CLIENTS.md has the lines that a client has to speak.
 *
 *   --only TEXT          only cases with this text in their name
 *   --also watch         of a client: it also watches boards
 *   --token TOKEN        where the server authenticates: a token of somebody
 *   --bad-token TOKEN    a token of nobody
 *   --other-token TOKEN  a token of another user
 *   --short-token TOKEN  a token of the same user that runs out within some seconds
 *   --bad-board ID       a board that this user may not enter
 */

import { runTool } from "./tool.js";

await runTool(import.meta.filename, "packages/conformance/src/cli.ts");
