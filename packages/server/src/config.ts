/** Settings from the environment. The only file that reads `process.env`. */

export type Settings = { readonly redisUrl: string; readonly port: number };

export function readSettings(): Settings {
  return { redisUrl: process.env["REDIS_URL"] ?? "redis://localhost:6379", port: Number(process.env["WS_PORT"] ?? 3001) };
}
