/**
 * The route that tells where browsers reach the daemon.
 *
 * Owns the address that is handed to a browser: the token stands behind its `#`, so that it comes into no request and no log. Whoever asks
 * has it already, or owns the directory that it is in.
 */
import type { FastifyPluginCallback } from "fastify";
import { CONSOLE_ROUTE, type ConsoleAnswer } from "../../protocol/http-api/console.js";
import type { ConsolePorts } from "./console-ports.js";
import { told } from "./openapi.js";

/** The route. */
export function consoleRoute({ browsers }: ConsolePorts): FastifyPluginCallback {
  const schema = told({ tag: "live", summary: "Where browsers reach the daemon", answer: "ConsoleAnswer" });
  return (app, _options, done) => {
    app.get(CONSOLE_ROUTE, { schema }, async (): Promise<ConsoleAnswer> => {
      const reach = await browsers?.();
      if (reach === undefined) return {};
      return "url" in reach ? { url: `${reach.url}#token=${reach.token}` } : reach;
    });
    done();
  };
}
