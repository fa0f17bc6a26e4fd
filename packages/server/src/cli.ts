/** The command `presence-service`. The only file that ends the process. */

import { readSettings } from "./config.ts";
import { createPresenceServer } from "./server.ts";

const settings = readSettings();
const server = await createPresenceServer(settings);
console.log(`presence-service: instance ${server.instanceId} on port ${settings.port}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void server.close().then(() => process.exit(0)));
