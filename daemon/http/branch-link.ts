/**
 * Whom a request is about: main, or the fork that it names.
 */
import { ConflictError } from "../../protocol/http-api/history-queries.js";
import { MAIN_BRANCH } from "../history/query/refs.js";
import { messageOf } from "../platform/error-message.js";
import type { ConsolePorts } from "./console-ports.js";
import type { CoreLink } from "./messages.js";

/** The way to the thread that serves a branch. It refuses with a ConflictError where a fork is not served. */
export function linkOf({ daemon }: Pick<ConsolePorts, "daemon">, branch: string = MAIN_BRANCH): CoreLink {
  if (branch === MAIN_BRANCH) return daemon.core;
  const link = daemon.branch(branch);
  return {
    ask: async (name, asked) => {
      try {
        return await link.ask(name, asked);
      } catch (error) {
        throw new ConflictError(messageOf(error), [], { cause: error });
      }
    },
  };
}
