export * from "./classic-client.ts";
export * from "./eventually.ts";
export * from "./instance.ts";
export * from "./ports.ts";
export * from "./proxy.ts";
export * from "./redis.ts";
export type { Scope } from "./scope.ts";
