/** The OpenAPI 3.1 document of the admin API, made of the calls themselves. */

import { z } from "zod";
import { VERSION } from "../version.ts";
import type { Call } from "./call.ts";
import { problem } from "./forms.ts";

export function openApiOf(calls: readonly Call[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const call of calls) {
    const { method, path, id, summary, right, params, query, body, answers } = call;
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = {
      operationId: id,
      summary,
      description:
        right === "operator"
          ? "With a token of ADMIN_TOKEN, or on a loopback ADMIN_PORT without one."
          : "As an operator, or with a user's token that has the right `admin` on this board.",
      parameters: [...parametersOf(params, "path"), ...parametersOf(query, "query")],
      ...(body && { requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } } }),
      responses: {
        ...Object.fromEntries(Object.entries(answers).map(([status, form]) => [status, answerOf(form)])),
        default: {
          description: "A problem",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Presence service: admin API", version: VERSION, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    servers: [{ url: "/admin/v1" }],
    security: [{ bearer: [] }],
    paths,
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } }, schemas: { Problem: schemaOf(problem, "output") } },
  };
}

function answerOf(form: z.ZodType | undefined): object {
  return {
    description: form === undefined ? "Done" : "The answer",
    ...(form && { content: { "application/json": { schema: schemaOf(form, "output") } } }),
  };
}

function parametersOf(form: z.ZodObject, place: "path" | "query"): object[] {
  const { properties = {}, required = [] } = z.toJSONSchema(form, { io: "input" });
  return Object.entries(properties).map(([name, schema]) => {
    const { description, example, ...rest } = schema as { description?: string; example?: unknown };
    return {
      name,
      in: place,
      required: place === "path" || required.includes(name),
      ...(description !== undefined && { description }),
      ...(example !== undefined && { example }),
      schema: rest,
    };
  });
}

function schemaOf(form: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...schema } = z.toJSONSchema(form, { io });
  return schema;
}
