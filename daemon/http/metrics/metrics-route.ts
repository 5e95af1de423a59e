/**
 * The route that Prometheus scrapes.
 */
import type { FastifyPluginCallback, FastifySchema } from "fastify";
import { packageVersion } from "../../platform/package-version.js";
import { problem, PROBLEM_TYPE } from "../problem.js";
import type { CoreLink } from "../messages.js";
import { METRICS_TYPE, renderMetrics } from "./render-metrics.js";

/** Where metrics are, by the convention of Prometheus. */
const METRICS_PATH = "/metrics";

/** The route. */
export function metricsRoute(core: CoreLink): FastifyPluginCallback {
  const version = packageVersion(import.meta.url);
  return (app, _options, done) => {
    const schema = { tags: ["live"], summary: "Metrics, in the text format of Prometheus" } as FastifySchema;
    app.get(METRICS_PATH, { schema }, async (_request, reply) => {
      const figures = await core.ask("figures", undefined);
      if (figures === undefined) {
        const answer = problem(404, "this daemon was started with --no-metrics");
        return reply.code(404).type(PROBLEM_TYPE).send(answer);
      }
      return reply.type(METRICS_TYPE).send(await renderMetrics(figures, version));
    });
    done();
  };
}
