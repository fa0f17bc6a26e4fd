/** The tracer of OpenTelemetry, where its API is installed beside the service and somebody has registered a provider. It registers none. */

import type { Tracer } from "../telemetry/tracing.ts";
import { VERSION } from "../version.ts";

/** undefined: nobody traces, and nothing is spent on it. Never rejects. */
export async function openTelemetryTracer(): Promise<Tracer | undefined> {
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
