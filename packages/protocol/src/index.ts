export * from "./classic.ts";
export * from "./close-codes.ts";
export * from "./domain.ts";
export * from "./limits.ts";
export * from "./messages.ts";
