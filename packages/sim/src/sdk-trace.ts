/**
 * Prints everything that happens to SDK clients on whole instances, line by line: steps, connections, each message on them, and what apps are told. To
 * examine one seed. It changes nothing; what instances tell each other is in the trace of a World (trace.ts).
 */

import { decodeClientBinary, decodeServerBinary, type Millis } from "@presence-service/protocol";
import type { WholeWorld } from "@presence-service/server/world";
import type { Step } from "./schedule.ts";
import type { Tap } from "./sdk-driver.ts";

export type Print = (at: Millis, line: string) => void;

export type SdkTrace = {
  readonly tap: Pick<Required<Tap>, "hears">;
  readonly step: (step: Step) => void;
  readonly told: (line: string) => void;
};

export function traceOf(world: WholeWorld, print: Print): SdkTrace {
  const tell = (line: string) => print(world.now, line);
  return {
    tap: {
      hears: (address, event, what) => {
        // The last part of an address is the name of its tab.
        const name = address.split(".").at(-1);
        if (typeof what === "number") return tell(`${name} ${event} ${what}`);
        const message = event === "sends" ? decodeClientBinary(what) : decodeServerBinary(new Uint8Array(what));
        tell(`${name} ${event === "sends" ? "→" : "←"} ${message === undefined ? `${what.length} bytes` : inShort(message)}`);
      },
    },
    step: ({ at, ...what }) => tell(`step ${JSON.stringify(what)}`),
    told: tell,
  };
}

function inShort({ kind, ...rest }: { readonly kind: string }): string {
  const fields = JSON.stringify(rest, (key, value) => (key === "memberId" ? String(value).slice(0, 6) : value));
  return `${kind} ${fields.slice(1, -1).replaceAll('"', "")}`;
}
