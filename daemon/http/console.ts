/**
 * The console: the HTTP API of one daemon.
 *
 * Owns the application: how requests are checked, how errors are answered, and which routes there are. It has no state but
 * the history's readers, and no way of its own to write to the store: it asks the core.
 */
import Fastify, { type FastifyInstance } from "fastify";
import { localHistory } from "../history/query/local-history.js";
import { changeRoutes } from "./change-routes.js";
import type { ConsolePorts } from "./console-ports.js";
import { failureRoutes } from "./failure-routes.js";
import { forkRoutes } from "./fork-routes.js";
import { historyRoutes } from "./history-routes.js";
import { loadRoute } from "./load-route.js";
import { metricsRoute } from "./metrics/metrics-route.js";
import { problem, problemOf, PROBLEM_TYPE } from "./problem.js";

/** Most bytes of a request's body. */
const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_MILLISECONDS_MAX = 30_000;

/** Makes a console, which listens nowhere yet. */
export function createConsole(ports: ConsolePorts): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MILLISECONDS_MAX,
    // A stop does not wait for who keeps a connection open.
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
  });
  app.setErrorHandler(async (error, request, reply) => {
    const answer = problemOf(error);
    if (answer.status >= 500) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      ports.failed(`${request.method} ${request.routeOptions.url ?? request.url} failed: ${stack}`);
    }
    return reply.code(answer.status).type(PROBLEM_TYPE).send(answer);
  });
  app.setNotFoundHandler(async ({ method, url }, reply) =>
    reply
      .code(404)
      .type(PROBLEM_TYPE)
      .send(problem(404, `there is nothing at ${method} ${url}`)),
  );
  const queries = localHistory(ports.history, ports.clock);
  void app.register(historyRoutes(queries, ports.daemon.core));
  void app.register(changeRoutes(ports));
  void app.register(failureRoutes(ports));
  void app.register(loadRoute(ports));
  void app.register(forkRoutes(ports));
  void app.register(metricsRoute(ports.daemon.core));
  return app;
}
