/**
 * Posts batches of events to the receiver, signed as Standard Webhooks asks (webhook-id, webhook-timestamp, webhook-signature). A batch that
 * was not taken is tried again, with the same id, until it is. It does not choose the events: webhooks.ts does.
 */

import { createHash, createHmac } from "node:crypto";
import type { HookEvent } from "./ledger.ts";

export type Target = {
  readonly url: string;
  /** The bytes of the secret; the first signs, all of them do while one replaces another. */
  readonly secrets: readonly Buffer[];
  /** Named in the posts. */
  readonly instanceId: string;
};

/** A receiver has so long to answer. */
const ANSWER_MS_MAX = 10_000;
const SECRETS_FORM = /^(?:whsec_)?([A-Za-z0-9+/]{32,344}={0,2})$/;

export const WEBHOOK_SECRETS_ALLOWED = "1 to 4 secrets of 24 to 256 bytes in base64, each possibly after whsec_, separated by commas";

/** undefined: the list is not of that form. */
export function readWebhookSecrets(text: string): readonly Buffer[] | undefined {
  const secrets = text.split(",").map((part) => Buffer.from(SECRETS_FORM.exec(part.trim())?.[1] ?? "", "base64"));
  return secrets.length <= 4 && secrets.every(({ length }) => length >= 24 && length <= 256) ? secrets : undefined;
}

export type StampedEvent = HookEvent & {
  /** When the sender learned of it, in ISO 8601. */
  readonly timestamp: string;
};

/** Resolves when the receiver has taken the batch; rejects with the reason. */
export async function post({ url, secrets, instanceId }: Target, events: readonly StampedEvent[], signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({
    type: "presence.events",
    events: events.map(({ id, type, timestamp, ...data }) => ({ id, type, timestamp, data })),
  });
  const id = `msg_${createHash("sha256")
    .update(events.map((event) => event.id).join())
    .digest("hex")
    .slice(0, 24)}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = secrets
    .map((secret) => `v1,${createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64")}`)
    .join(" ");
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": `presence-service (${instanceId})`,
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": signature,
    },
    body,
    redirect: "error",
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the receiver answered ${response.status}`);
}
