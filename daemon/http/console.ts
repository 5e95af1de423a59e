/**
 * The console: the HTTP API of one daemon.
 *
 * Owns the application: how requests are checked, how errors are answered, and which routes there are. It has no state but
 * the history's readers, and no way of its own to write to the store: it asks the core.
 */
import { createServer } from "node:https";
import type { Socket } from "node:net";
import rateLimit from "@fastify/rate-limit";
import { Ajv } from "ajv";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyServerFactory } from "fastify";
import type { Problem } from "../../protocol/http-api/problem.js";
import { localHistory } from "../history/query/local-history.js";
import { changeRoutes } from "./change-routes.js";
import type { ConsolePorts } from "./console-ports.js";
import { consoleRoute } from "./console-route.js";
import { eventRoute } from "./event-route.js";
import { explorerFiles } from "./explorer-files.js";
import { failureRoutes } from "./failure-routes.js";
import { forkRoutes } from "./fork-routes.js";
import { CHALLENGE, createGuard, type Guard, type GuardOptions } from "./guard.js";
import { historyRoutes } from "./history-routes.js";
import { liveRoutes } from "./live-routes.js";
import { LISTING_BYTES_MAX, loadRoute } from "./load-route.js";
import { metricsRoute } from "./metrics/metrics-route.js";
import { describeRoutes } from "./openapi.js";
import { problem, problemOf, PROBLEM_TYPE } from "./problem.js";
import { traceRoute } from "./trace-route.js";
import { treeChangeRoutes } from "./tree-change-routes.js";

/** Most bytes of a request's body, but for a listing on the admin socket. */
const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_MILLISECONDS_MAX = 30_000;
const HEADERS_MILLISECONDS_MAX = 10_000;
/** How often connections are looked at that take too long. */
const CHECK_MILLISECONDS = 2000;
/** By TCP: of one address, which on this machine is everybody's. */
const REQUESTS_PER_SECOND_MAX = 200;
const TCP_CONNECTIONS_MAX = 512;

/** How it is reached by TCP. */
export interface TcpReach {
  readonly guard: GuardOptions;
  /** Certificate and key as PEM; undefined for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

/**
 * Makes a console, which listens nowhere yet.
 *
 * @param tcp - undefined for the admin socket, whose clients are the daemon's user
 */
export function createConsole(ports: ConsolePorts, tcp?: TcpReach): FastifyInstance {
  const guard = tcp === undefined ? undefined : createGuard(tcp.guard);
  const app = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MILLISECONDS_MAX,
    http: { headersTimeout: HEADERS_MILLISECONDS_MAX, connectionsCheckingInterval: CHECK_MILLISECONDS },
    // A stop does not wait for who keeps a connection open.
    forceCloseConnections: true,
    clientErrorHandler: answerBadRequest,
    // It comes before all hooks: for a URL that cannot be decoded, say.
    frameworkErrors: (error, request, reply) => {
      const refusal = guard?.(request.headers) ?? problem(problemOf(error).status, "this is no URL that can be read");
      sendProblem((reply as FastifyReply).headers(HEADERS), refusal);
    },
    ...(tcp?.tls === undefined ? {} : { serverFactory: tlsServerFactory(tcp.tls) }),
  });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === "body" ? BODY_VALIDATOR : VALIDATOR).compile(schema),
  );
  app.setErrorHandler((error, request, reply) => {
    const answer = problemOf(error);
    if (answer.status === 500) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      ports.failed(`${request.method} ${request.routeOptions.url ?? request.url} failed: ${stack}`);
    }
    sendProblem(reply, answer);
  });
  app.addHook("onRequest", (_request, reply, next) => {
    void reply.headers(HEADERS);
    next();
  });
  // Of the two that Fastify reads by itself, this is the one that a form of any page can send.
  app.removeContentTypeParser("text/plain");
  if (guard !== undefined) restrict(app, guard);
  app.after(() => {
    const limited = guard === undefined ? {} : { preHandler: app.rateLimit() };
    app.setNotFoundHandler(limited, ({ method, url }, reply) => {
      sendProblem(reply, problem(404, `there is nothing at ${method} ${url}`));
    });
  });
  describeRoutes(app);
  addRoutes(app, ports, tcp === undefined ? LISTING_BYTES_MAX : BODY_BYTES_MAX);
  return app;
}

/** What no answer is without: nothing is kept by a browser, guessed at, framed, or used by another page. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** What stands in a URL is text; what stands in a body has its type. */
const VALIDATOR: Ajv = new Ajv({ strictTypes: false, coerceTypes: true });
const BODY_VALIDATOR: Ajv = new Ajv({ strictTypes: false });

function sendProblem(reply: FastifyReply, answer: Problem): void {
  if (answer.status === 401) void reply.headers(CHALLENGE);
  if (answer.status === 503) void reply.header("retry-after", "1");
  void reply.code(answer.status).type(PROBLEM_TYPE).send(answer);
}

function restrict(app: FastifyInstance, guard: Guard): void {
  app.server.maxConnections = TCP_CONNECTIONS_MAX;
  app.addHook("onRequest", (request, reply, next) => {
    const refusal = guard(request.headers, request.routeOptions.config.isPublic);
    if (refusal === undefined) next();
    else sendProblem(reply, refusal);
  });
  void app.register(rateLimit, {
    max: REQUESTS_PER_SECOND_MAX,
    // They need no token: who has none is not to use up what is answered to who has it.
    allowList: ({ routeOptions }) => routeOptions.config.isPublic === true,
    timeWindow: 1000,
    errorResponseBuilder: (_request, { statusCode }) =>
      new TooManyRequestsError(statusCode, `at most ${String(REQUESTS_PER_SECOND_MAX)} requests a second are answered`),
  });
}

/** What no HTTP was made of, or came too slowly: there is no request yet, and no way to answer but the socket. */
function answerBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status = CLIENT_ERRORS.get(error.code ?? "") ?? 400;
  const answer = problem(status, "this is no request that can be read");
  const body = JSON.stringify(answer);
  const head = [
    `HTTP/1.1 ${String(status)} ${answer.title}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${String(body.length)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

const CLIENT_ERRORS: ReadonlyMap<string, number> = new Map([
  ["ERR_HTTP_REQUEST_TIMEOUT", 408],
  ["HPE_HEADER_OVERFLOW", 431],
]);

/** Somebody asks more often than is answered. */
class TooManyRequestsError extends Error {
  override readonly name = "TooManyRequestsError";
  readonly statusCode: number;
  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

function addRoutes(app: FastifyInstance, ports: ConsolePorts, listingBytesMax: number): void {
  const queries = localHistory(ports.history, ports.clock);
  void app.register(historyRoutes(queries, ports.daemon.core));
  void app.register(changeRoutes(ports));
  void app.register(failureRoutes(ports));
  void app.register(loadRoute(ports, listingBytesMax));
  void app.register(forkRoutes(ports));
  void app.register(treeChangeRoutes(ports));
  void app.register(liveRoutes(ports));
  void app.register(eventRoute(ports));
  void app.register(traceRoute(ports));
  void app.register(consoleRoute(ports));
  void app.register(metricsRoute(ports.daemon.core));
  void app.register(explorerFiles(ports.explorerDirectory));
}

/** What Fastify sets for its own servers it leaves to this one. */
function tlsServerFactory(tls: NonNullable<TcpReach["tls"]>): FastifyServerFactory {
  return (handler) => {
    const times = { connectionsCheckingInterval: CHECK_MILLISECONDS, handshakeTimeout: HEADERS_MILLISECONDS_MAX };
    const server = createServer({ ...tls, ...times }, handler);
    server.requestTimeout = REQUEST_MILLISECONDS_MAX;
    server.headersTimeout = HEADERS_MILLISECONDS_MAX;
    return server;
  };
}
