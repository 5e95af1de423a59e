/**
 * Whom a request is about: main, or the fork that it names.
 */
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import { MAIN_BRANCH } from "../history/query/refs.js";
import { messageOf } from "../platform/error-message.js";
import type { ConsolePorts } from "./console-ports.js";
import type { CoreLink } from "./messages.js";

/** Somebody has asked about a fork that there is not. */
export class UnknownForkError extends Error {
  override readonly name = "UnknownForkError";
  readonly fork: string;
  constructor(fork: string) {
    super(`there is no fork ${fork}: xs branches lists them`);
    this.fork = fork;
  }
}

/**
 * The way to the thread that serves a branch. It refuses with a QueryError where there is no such fork, and with a ConflictError
 * where it is not served now.
 */
export function linkOf({ daemon }: Pick<ConsolePorts, "daemon">, branch: string = MAIN_BRANCH): CoreLink {
  if (branch === MAIN_BRANCH) return daemon.core;
  const link = daemon.branch(branch);
  return {
    ask: async (name, asked) => {
      try {
        return await link.ask(name, asked);
      } catch (error) {
        if (error instanceof UnknownForkError) throw new QueryError(error.message, { cause: error });
        throw new ConflictError(messageOf(error), [], { cause: error });
      }
    },
  };
}
