/**
 * The route that tells where browsers reach the daemon, and where its repository is.
 *
 * Owns the address that is handed to a browser: the token stands behind its `#`, so that it comes into no request and no log. Whoever asks
 * has it already, or owns the directory that it is in.
 */
import { resolve } from "node:path";
import type { FastifyPluginCallback } from "fastify";
import { CONSOLE_ROUTE, type ConsoleAnswer } from "../../protocol/http-api/console.js";
import type { ConsolePorts } from "./console-ports.js";
import { told } from "./openapi.js";

/** The route. */
export function consoleRoute({ browsers, repositoryDirectory }: ConsolePorts): FastifyPluginCallback {
  const schema = told({ tag: "live", summary: "Where browsers reach the daemon", answer: "ConsoleAnswer" });
  return (app, _options, done) => {
    app.get(CONSOLE_ROUTE, { schema }, async (): Promise<ConsoleAnswer> => {
      const reach = await browsers?.();
      const repository = resolve(repositoryDirectory);
      if (reach === undefined) return { repository };
      return "url" in reach ? { url: `${reach.url}#token=${reach.token}`, repository } : { ...reach, repository };
    });
    done();
  };
}
