/**
 * The way to a history: the daemon's, or a repository's.
 *
 * Owns the choice between them, and that a question that makes no sense is a bad command line. The order of preference is
 * that of sockets: what `--repo` names; the daemon on the socket that any other command would use; the history that a daemon
 * left which was started in the working directory.
 */
import { resolve } from "node:path";
import { isForeignHistory, openHistory, type History } from "../../daemon/history/query/history.js";
import { localHistory } from "../../daemon/history/query/local-history.js";
import type { Question } from "../../daemon/history/query/question.js";
import { RevisionError } from "../../daemon/history/query/revision.js";
import { createNodeClock } from "../../daemon/platform/node-clock.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import {
  ConflictError,
  HISTORY_ROUTES,
  QueryError,
  REVISION_MEMBERS,
  type HistoryQueries,
  type HistoryQuestion,
} from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { adminClient, type AdminClient } from "./admin-client.js";
import type { CliContext } from "./context.js";
import { EXIT_FAILURE, ExitError, usageError } from "./exit.js";
import { chooseRepository } from "./repository-choice.js";

/** Reads a history, the one that the options name, and closes it when `use` is done. */
export async function withHistory<T>(
  context: CliContext,
  repository: string | undefined,
  use: (history: HistoryQueries) => Promise<T>,
): Promise<T> {
  const admin = repository === undefined ? context.adminSocket() : undefined;
  if (admin !== undefined && context.io.fileExists(admin)) {
    return await asking(() => use(onBranch(context, historyOfDaemon(adminClient(admin)))));
  }
  return await withOpenHistory(context, repository, (history) =>
    use(onBranch(context, localHistory(history, createNodeClock()))),
  );
}

/** Reads a repository, also where a daemon would answer: for what no daemon does. */
export async function withRepository<T>(
  context: CliContext,
  repository: string | undefined,
  use: (question: Question) => Promise<T>,
): Promise<T> {
  return await withOpenHistory(context, repository, (history) => {
    const clock = createNodeClock();
    return use({ view: history.view(), now: clock.nowMicroseconds() as Microseconds, clock });
  });
}

async function withOpenHistory<T>(
  context: CliContext,
  repository: string | undefined,
  use: (history: History) => Promise<T>,
): Promise<T> {
  const directory = resolve(chooseRepository(repository, context.io));
  return await asking(async () => {
    const history = openHistory(nodeFileSystem, directory);
    try {
      return await use(history);
    } finally {
      history.close();
    }
  });
}

/** Has the running daemon that the options name do something; what makes no sense to it is a bad command line. */
export async function withAdmin<T>(context: CliContext, use: (admin: AdminClient) => Promise<T>): Promise<T> {
  const socket = context.adminSocket();
  if (!context.io.fileExists(socket)) {
    throw usageError(`this needs a running daemon, and there is no ${socket}: name its wire socket with --socket`);
  }
  try {
    return await asking(() => use(adminClient(socket)));
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    const lines = error.conflicts.map((conflict) => `\n  ${conflict}`);
    throw new ExitError(EXIT_FAILURE, `${error.message}${lines.join("")}`, { cause: error });
  }
}

/** The history of a running daemon. */
function historyOfDaemon(admin: AdminClient): HistoryQueries {
  return {
    ask: (question, query) => admin.get(HISTORY_ROUTES[question], query),
  };
}

/** The member of each question that is the newest commit unless it is given. */
const NEWEST: Partial<Readonly<Record<HistoryQuestion, string>>> = {
  log: "to",
  commit: "revision",
  tree: "at",
  children: "at",
  node: "at",
  blame: "at",
  bisect: "bad",
};

/** Questions in which `HEAD`, said or not, is the newest commit of the fork that the options name. */
function onBranch(context: CliContext, history: HistoryQueries): HistoryQueries {
  const fork = context.fork();
  if (fork === undefined) return history;
  return {
    ask: (question, query) => {
      const newest = NEWEST[question];
      const asked: Record<string, unknown> = { ...query };
      for (const name of REVISION_MEMBERS) {
        const text = asked[name];
        if (typeof text === "string") asked[name] = context.revision(text);
      }
      if (newest !== undefined) asked[newest] ??= fork;
      return history.ask(question, asked);
    },
  };
}

/** Makes a bad command line of a question that makes no sense. */
async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof QueryError || error instanceof RevisionError || isForeignHistory(error))
      throw usageError(error.message);
    throw error;
  }
}
