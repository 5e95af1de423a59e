/**
 * The route that tells what the request trace has (`protocol/http-api/trace.ts`).
 */
import type { FastifyPluginCallback } from "fastify";
import { TRACE_PAGE_MAX, TRACE_ROUTE, type TraceQuery } from "../../protocol/http-api/trace.js";
import type { ConsolePorts } from "./console-ports.js";
import { told } from "./openapi.js";
import { NotHereError } from "./problem.js";
import { TEXT } from "./schemas.js";
import { tracePage } from "./trace-page.js";

const TIME = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;

/** The route. */
export function traceRoute(ports: ConsolePorts): FastifyPluginCallback {
  const limit = { type: "integer", minimum: 1, maximum: TRACE_PAGE_MAX };
  const querystring = {
    type: "object",
    properties: { from: TIME, to: TIME, limit, cursor: TEXT },
    additionalProperties: false,
  };
  const summary = "Requests, replies and watch events, where they are traced";
  const schema = { ...told({ tag: "live", summary, answer: "TracePage" }), querystring };
  return (app, _options, done) => {
    app.get<{ Querystring: TraceQuery }>(TRACE_ROUTE, { schema }, ({ query }) => {
      const { traceFile } = ports;
      if (traceFile === undefined) {
        throw new NotHereError("requests are not traced: start the daemon with --trace FILE");
      }
      return tracePage(ports, traceFile, query);
    });
    done();
  };
}
