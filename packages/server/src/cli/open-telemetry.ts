/** The tracer of OpenTelemetry, where its API is installed beside the service and somebody has registered a provider. It registers none. */

import type { Tracer } from "../telemetry/tracing.ts";
import { VERSION } from "../version.ts";

/** Where all releases 1.x of the API, whichever somebody has loaded, keep what was registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** undefined: nobody traces, and nothing is spent on it. Never rejects. */
export async function openTelemetryTracer(): Promise<Tracer | undefined> {
  // The API is a hundred files, which take a tenth of a second and 5 MB.
  const registered = (globalThis as { [REGISTERED]?: { readonly trace?: unknown } })[REGISTERED];
  if (registered?.trace === undefined) return undefined;
  try {
    const { ProxyTracerProvider, trace } = await import("@opentelemetry/api");
    const provider = trace.getTracerProvider();
    // Without a provider the API gives tracers that do nothing.
    if (provider instanceof ProxyTracerProvider) return provider.getDelegateTracer("presence-service", VERSION);
    return provider.getTracer("presence-service", VERSION);
  } catch {
    return undefined;
  }
}
