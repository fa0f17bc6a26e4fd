/** The settings of webhooks: where events are posted, and how they are signed. */

import { readWebhookSecrets, WEBHOOK_SECRETS_ALLOWED } from "../webhooks/delivery.ts";
import { optional, text } from "./values.ts";

export type WebhookSettings = {
  readonly url: string;
  /** A list, as `readWebhookSecrets` takes it. Never logged. */
  readonly secret: string;
};

export const WEBHOOK_SETTINGS = {
  WEBHOOK_URL: {
    default: "",
    unit: "URL",
    allowed: "an https:// or http:// URL without a user, with WEBHOOK_SECRET",
    meaning:
      "Where it is posted when somebody joins or leaves a board, and when a board is entered first and left last: at least once, from one instance of the cluster. The same at all instances. Each join and leave then costs one small message to all of them.",
    read: optional(text(isReceiver)),
  },
  WEBHOOK_SECRET: {
    default: "",
    unit: "list",
    allowed: WEBHOOK_SECRETS_ALLOWED,
    meaning: "Signs each post (Standard Webhooks), by all of the list, so that one can replace another.",
    read: optional(text((list) => readWebhookSecrets(list) !== undefined)),
  },
} as const;

/** Adds a sentence if one is set without the other. undefined: there are no webhooks. */
export function readWebhooks(
  { WEBHOOK_URL: url, WEBHOOK_SECRET: secret }: { readonly WEBHOOK_URL?: string | undefined; readonly WEBHOOK_SECRET?: string | undefined },
  problems: string[],
): WebhookSettings | undefined {
  if (url !== undefined && secret === undefined)
    problems.push("WEBHOOK_URL is set without WEBHOOK_SECRET: the receiver could not tell our posts from others.");
  if (url === undefined && secret !== undefined) problems.push("WEBHOOK_SECRET is of no use without WEBHOOK_URL.");
  return url === undefined || secret === undefined ? undefined : { url, secret };
}

/** No user in it: credentials belong into the signature. */
function isReceiver(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === "https:" || protocol === "http:") && username === "" && password === "";
}
