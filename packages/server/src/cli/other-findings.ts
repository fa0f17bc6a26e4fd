/** Findings about those who share the channels: other instances, and strangers. */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Signing } from "../bus/signing.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { Finding, Status } from "./finding.ts";
import type { Heard, Others, Why } from "./others.ts";

type Listening = {
  readonly now: Millis;
  /** Subscribers of the global channel that a message of ours reached, our own included; undefined: nothing could be said, or nobody counts (Cluster). */
  readonly receivers: number | undefined;
  /** Our own subscriptions of the global channel. */
  readonly own: number;
  /** REDIS_SHARDED here. */
  readonly isSpread: boolean;
  /** Other prefixes that are in use on the server, as far as may be known. */
  readonly prefixes: readonly string[];
};

/** Fewer ids than this fit into one line. */
const NAMED_MAX = 6;
/** By then an instance has proved itself, and is acknowledged. */
const SETTLED_BEATS = 10;

export function otherFindings(others: Others, { now, receivers, own, isSpread, prefixes }: Listening): Finding[] {
  const alive = others.alive(now);
  const elsewhere =
    prefixes.length === 0 ? "" : `; on this server others use the prefix${prefixes.length > 1 ? "es" : ""} ${prefixes.join(", ")}`;
  if (alive.length === 0 && elsewhere !== "") {
    const advice = "Instances see only those with the same REDIS_PREFIX. If these belong together, give them the same.";
    return [{ check: "instances", status: "warning", text: `no instance is heard${elsewhere}`, advice }];
  }
  if (alive.length === 0)
    return [{ check: "instances", status: "note", text: "no instance is heard; that is normal before the first one starts" }];
  const findings: Finding[] = [{ check: "instances", status: "ok", text: `heard: ${named(alive.map(([id]) => id))}${elsewhere}` }];
  const degraded = alive.filter(([, { status }]) => status === "degraded").map(([id]) => id);
  if (degraded.length > 0) {
    const text = `${named(degraded)} say${degraded.length === 1 ? "s" : ""} to be degraded`;
    findings.push({ check: "instances", status: "warning", text, advice: "Look at /health and the log of that instance." });
  }
  const apart = alive.filter(([, heard]) => heard.isSpread !== isSpread).map(([id]) => id);
  if (apart.length > 0) {
    const text = `${named(apart)} ha${apart.length === 1 ? "s" : "ve"} REDIS_SHARDED ${isSpread ? "off, and here it is on" : "on, and here it is off"}`;
    const advice = "On boards neither hears the other: it must be the same at all instances.";
    findings.push({ check: "instances", status: "error", text, advice });
  }
  const unheard = unheardOf(alive);
  if (unheard.length > 0) {
    const advice =
      "It is heard and hears nobody, or publishes to another server: look at its /health, and compare REDIS_URL and BUS_SECRET.";
    findings.push({ check: "instances", status: "warning", text: `no other instance acknowledges ${named(unheard)}`, advice });
  }
  if (receivers !== undefined) findings.push(hearing(alive.length, receivers - own));
  else findings.push({ check: "hearing", status: "note", text: "whether they hear us cannot be seen here" });
  return findings;
}

/** Whether they hear us: Redis says how many subscribers a message reached. */
function hearing(alive: number, reached: number): Finding {
  const text = `a message of ours reached ${reached} subscriber${reached === 1 ? "" : "s"} beside us`;
  if (reached >= alive) return { check: "hearing", status: "ok", text };
  const advice =
    "Is REDIS_URL the address of a replica (a reader endpoint)? There one hears all and is heard by nobody. Compare it with that of the other instances.";
  return { check: "hearing", status: reached === 0 ? "error" : "warning", text: `${text}, though ${alive} are heard`, advice };
}

/** Each heartbeat acknowledges a few peers in turn. Where all had a turn while we listened, one that nobody named is not heard. */
function unheardOf(alive: readonly [InstanceId, Heard][]): InstanceId[] {
  const isLong = ({ beat, beats }: Heard) => beat > SETTLED_BEATS && beats * CONSTANTS.acksPerBeat >= 2 * alive.length;
  if (alive.length < 2 || !alive.every(([, heard]) => isLong(heard))) return [];
  return alive
    .filter(([id]) => !alive.some(([other, { acknowledged }]) => other !== id && acknowledged.has(id.slice(0, 8))))
    .map(([id]) => id);
}

const STRANGERS: Record<Why, readonly [Status, string, string]> = {
  foreign: ["warning", "of something else that uses our channels", "Give each deployment and program a REDIS_PREFIX of its own."],
  version: ["warning", "of another protocol version", "That is expected during an upgrade, and at no other time."],
  invalid: ["warning", "that are broken", "Somebody publishes damaged messages there: REDIS_PREFIX of its own, and BUS_SECRET."],
  unsigned: [
    "error",
    "without a signature",
    "With this BUS_SECRET their sender is not heard. To introduce it while instances run: docs/OPERATIONS.md, Signed messages.",
  ],
  signature: [
    "error",
    "signed with another secret",
    "BUS_SECRET must be the same at all instances; during a change each lists both secrets.",
  ],
  stale: ["warning", "whose signature is right but which are too old", "Redis stalled, or somebody repeats what was said."],
};

export function strangerFindings(others: Others): Finding[] {
  const findings = [...others.ignored].map(([why, { count, channel, claimed }]): Finding => {
    const [status, what, advice] = STRANGERS[why];
    const from = claimed === undefined ? "" : `, by its own account from ${claimed.slice(0, 8)}`;
    return { check: "strangers", status, text: `${count} message${count === 1 ? "" : "s"} ${what}; one on ${channel}${from}`, advice };
  });
  if (others.othersSign) {
    const advice = "Give this one the same BUS_SECRET: those that demand signatures will not hear it.";
    findings.push({
      check: "strangers",
      status: "error",
      text: "other instances sign their messages, and BUS_SECRET is not set here",
      advice,
    });
  }
  if (findings.length === 0) findings.push({ check: "strangers", status: "ok", text: "none: all that was heard can be read" });
  return findings;
}

export function signingFinding({ isOn, takesUnsigned }: Pick<Signing, "isOn" | "takesUnsigned">): Finding {
  if (!isOn) {
    const advice = "BUS_SECRET signs them: docs/OPERATIONS.md, Signed messages.";
    return { check: "signing", status: "note", text: "messages are not signed: whoever may publish on this Redis is believed", advice };
  }
  if (!takesUnsigned) return { check: "signing", status: "ok", text: "messages are signed, and others are not believed" };
  const advice = "When all instances have the secret, take `none` away.";
  return { check: "signing", status: "warning", text: "messages are signed, and those that are not are believed, too", advice };
}

function named(ids: readonly InstanceId[]): string {
  const shown = ids.slice(0, NAMED_MAX).map((id) => id.slice(0, 8));
  const more = ids.length > shown.length ? ` and ${ids.length - shown.length} more` : "";
  return `${ids.length === 1 ? "" : `${ids.length}, `}${shown.join(", ")}${more}`;
}
