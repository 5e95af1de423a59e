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
import { CONSOLE_ROUTE, type ConsoleAnswer } from "../../protocol/http-api/console.js";
import {
  ConflictError,
  HISTORY_ROUTES,
  QueryError,
  type HistoryQueries,
  type RefsJson,
} from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { adminClient, NoAnswerError, type AdminClient } from "./admin-client.js";
import type { CliContext } from "./context.js";
import { EXIT_FAILURE, ExitError, usageError } from "./exit.js";
import { chooseRepository, hasLocalRepository } from "./repository-choice.js";

/** What to do where there is no daemon. */
const INSTEAD = "without a daemon, name a repository, such as --repo STATE/store.git";

/** Longest that an answer is worked on for which nobody else waits, where more time makes it better. */
const PATIENCE_MILLISECONDS = 5000;

/** Reads a history, the one that the options name, and closes it when `use` is done. */
export async function withHistory<T>(
  context: CliContext,
  repository: string | undefined,
  use: (history: HistoryQueries) => Promise<T>,
): Promise<T> {
  const admin = adminOf(context, repository);
  if (admin !== undefined) return await asking(() => use(onBranch(context.fork(), historyOfDaemon(admin))), INSTEAD);
  return await withOpenHistory(resolve(chooseRepository(repository, context.io)), (history) => {
    const queries = localHistory(history, createNodeClock(), { patienceMilliseconds: PATIENCE_MILLISECONDS });
    return use(onBranch(context.namedFork(), queries));
  });
}

/** Reads the repository itself, also that of a running daemon, with all that it has acknowledged. */
export async function withRepository<T>(
  context: CliContext,
  repository: string | undefined,
  use: (question: Question) => Promise<T>,
): Promise<T> {
  const admin = adminOf(context, repository);
  const directory =
    admin === undefined
      ? resolve(chooseRepository(repository, context.io))
      : await asking(() => sealedRepository(admin), INSTEAD);
  const branch = admin === undefined ? context.namedFork() : context.fork();
  return await withOpenHistory(directory, (history) => {
    const clock = createNodeClock();
    return use({ view: history.view(), now: clock.nowMicroseconds() as Microseconds, clock, branch });
  });
}

/** Where the daemon has its repository; what it has acknowledged so far is in it then. */
async function sealedRepository(admin: AdminClient): Promise<string> {
  const { repository } = await admin.get<ConsoleAnswer>(CONSOLE_ROUTE, {});
  await admin.get<RefsJson>(HISTORY_ROUTES.refs, {});
  return repository;
}

/**
 * The daemon whose history is meant; undefined where that of a repository is. Who names a daemon is never given what another
 * one left in the working directory.
 */
function adminOf(context: CliContext, repository: string | undefined): AdminClient | undefined {
  if (repository !== undefined) return undefined;
  const { io } = context;
  const socket = context.adminSocket();
  if (io.fileExists(socket)) return warningClient(context, socket);
  if (context.isDaemonNamed()) {
    throw new ExitError(
      EXIT_FAILURE,
      `there is no ${socket}: is the daemon running, and is this the directory of its privileged sockets? To read a history ${INSTEAD}`,
    );
  }
  if (hasLocalRepository(io)) return undefined;
  throw usageError(`there is no history here, and no daemon at ${socket}: name one with --socket; ${INSTEAD}`);
}

/** A client that tells people what the daemon warns of, such as a history that is behind. */
function warningClient({ io }: CliContext, socket: string): AdminClient {
  const told = new Set<string>();
  return adminClient(socket, (warning) => {
    if (told.has(warning)) return;
    told.add(warning);
    io.err(`xs: warning: ${warning}\n`);
  });
}

async function withOpenHistory<T>(directory: string, use: (history: History) => Promise<T>): Promise<T> {
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
    return await asking(() => use(warningClient(context, socket)));
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

/** Questions about a branch, which is main unless there is another. */
function onBranch(branch: string | undefined, history: HistoryQueries): HistoryQueries {
  if (branch === undefined) return history;
  return {
    ask: (question, query) => history.ask(question, question === "refs" ? query : { ...query, branch }),
  };
}

/** Makes a bad command line of a question that makes no sense. @param instead - what to do where the daemon does not answer */
async function asking<T>(ask: () => Promise<T>, instead?: string): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof QueryError || error instanceof RevisionError || isForeignHistory(error))
      throw usageError(error.message);
    if (instead !== undefined && error instanceof NoAnswerError) {
      throw new ExitError(EXIT_FAILURE, `${error.message}; ${instead}`, { cause: error });
    }
    throw error;
  }
}
