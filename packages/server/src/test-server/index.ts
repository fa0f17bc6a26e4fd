/** The service in process, for the tests of apps: `@presence-service/server/testing`. See docs/guides/testing.md. */

export type { Member } from "@presence-service/protocol";
export type { DriverOptions, TestDriver } from "./driver.ts";
export { createTestServer, type TestServer, type TestServerOptions } from "./server.ts";
