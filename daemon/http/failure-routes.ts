/**
 * The routes that tell what no commit tells: requests that failed, and watch events.
 *
 * Owns how what the core remembers is put together with the history.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import { textFromBytes } from "../../protocol/bytes.js";
import { ERROR_NAMES } from "../../protocol/errno.js";
import type { CommitSummaryJson } from "../../protocol/http-api/commit.js";
import {
  FAILURE_ROUTES,
  FAILURES_PAGE_MAX,
  type FailureJson,
  type FailuresAnswer,
  type FailuresQuery,
  type WhyAnswer,
  type WhyNotAnswer,
  type WhyNotQuery,
  type WhyQuery,
} from "../../protocol/http-api/failures.js";
import { QueryError } from "../../protocol/http-api/history-queries.js";
import { valueJson } from "../../protocol/http-api/value.js";
import type { Domid, Path, Seq } from "../../protocol/identifiers.js";
import { isoTime } from "../../protocol/iso-time.js";
import { parseSpecialDomid } from "../../protocol/path.js";
import { summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { HistoryView } from "../history/query/history.js";
import { walkLog } from "../history/query/log.js";
import { queriedPath } from "../history/query/queried-path.js";
import { recordedCause } from "../history/query/recorded-cause.js";
import { refusing } from "../history/query/question.js";
import { MAIN_BRANCH, refOfBranch } from "../history/query/refs.js";
import { linkOf } from "./branch-link.js";
import type { ConsolePorts } from "./console-ports.js";
import type { FailedTransactionFacts, RememberedFailure, WatchFacts } from "./messages.js";
import { told } from "./openapi.js";
import { ASKED, DOMID, TEXT, TX_ID } from "./schemas.js";
import { warnOf } from "./warning.js";

const COMMITS_LISTED = 10;
/** Failures that the thread that serves clients is asked for at a time: each takes it some microseconds. */
const TAKEN_AT_ONCE_MAX = 100;
/** Longest that commits are looked for. */
const WALK_MILLISECONDS_MAX = 100;

/** The routes. */
export function failureRoutes(ports: ConsolePorts): FastifyPluginCallback {
  return (app, _options, done) => {
    addFailures(app, ports);
    addWhy(app, ports);
    addWhyNot(app, ports);
    done();
  };
}

function addFailures(app: FastifyInstance, ports: ConsolePorts): void {
  const limit = { type: "integer", minimum: 0, maximum: 100_000 };
  const cursor = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
  const error = { type: "string", enum: ERROR_NAMES };
  const querystring = {
    type: "object",
    properties: { path: ASKED, domain: DOMID, error, limit, cursor, branch: TEXT },
    additionalProperties: false,
  };
  app.get<{ Querystring: FailuresQuery }>(
    FAILURE_ROUTES.failures,
    { schema: { ...told({ tag: "live", summary: "Requests that failed", answer: "FailuresAnswer" }), querystring } },
    async ({ query }): Promise<FailuresAnswer> => {
      const { domain, limit: most = FAILURES_PAGE_MAX, branch } = query;
      const core = linkOf(ports, branch);
      const path = query.path === undefined ? undefined : queriedPath(query.path);
      const failures: FailureJson[] = [];
      let next = query.cursor;
      do {
        const page = await core.ask("failures", {
          domid: domain as Domid | undefined,
          error: query.error,
          path,
          before: next,
          limit: Math.min(TAKEN_AT_ONCE_MAX, most - failures.length),
        });
        for (const failure of page.failures) failures.push(failureJson(failure));
        next = page.next;
      } while (next !== undefined && failures.length < most);
      return { failures, next };
    },
  );
}

function addWhy(app: FastifyInstance, ports: ConsolePorts): void {
  const querystring = {
    type: "object",
    properties: { tx: TX_ID, domain: DOMID, connection: TEXT, branch: TEXT },
    required: ["tx"],
    additionalProperties: false,
  };
  const schema = {
    ...told({ tag: "live", summary: "Why a transaction ended in EAGAIN", answer: "WhyAnswer" }),
    querystring,
  };
  app.get<{ Querystring: WhyQuery }>(FAILURE_ROUTES.why, { schema }, async ({ query }, reply) => {
    const { tx, domain, connection, branch = MAIN_BRANCH } = query;
    const core = linkOf(ports, branch);
    const facts = await core.ask("why", { tx, domid: domain as Domid | undefined, connection });
    const { failure, others, paths } = facts;
    if (failure === undefined) throw new QueryError(noSuchConflict(query, facts));
    warnOf(reply, (await core.ask("flush", undefined)).behind);
    const commit = refusing(() => changeBehind(ports, branch, failure));
    const answer: WhyAnswer = {
      failure: failureJson(failure),
      commit,
      others,
      paths: paths.map(({ path, count }) => ({ path: textFromBytes(path), count })),
    };
    return answer;
  });
}

function noSuchConflict({ tx, domain, connection }: WhyQuery, facts: FailedTransactionFacts): string {
  const { instead, insteadCount } = facts;
  const ofDomain = domain === undefined ? "" : ` of domain ${String(domain)}`;
  const onConnection = connection === undefined ? "" : ` on ${connection}`;
  const none = `no transaction ${String(tx)}${ofDomain}${onConnection} that ended in EAGAIN is remembered`;
  if (insteadCount === 0) return `${none}: none is remembered at all`;
  if (instead.every(({ transaction }) => transaction === tx)) {
    return `${none}: of those with this id the last ones were on ${instead.map((each) => each.connection).join(", ")}`;
  }
  const names = instead.map((each) => `${String(each.transaction)} on ${each.connection}`);
  return `${none}: of the ${String(insteadCount)} that are, the last ones are ${names.join(", ")}`;
}

/** The commit that changed what the transaction was answered: as the core knows it, else as what was recorded tells. */
function changeBehind(
  { history, clock }: ConsolePorts,
  branch: string,
  failure: RememberedFailure,
): CommitSummaryJson | undefined {
  const ref = refOfBranch(branch);
  const { conflict, seq, domid } = failure;
  if (conflict === undefined) return undefined;
  const view = history.view();
  const known = conflict.commit === undefined ? undefined : view.commitWithSeq(ref, conflict.commit);
  if (known !== undefined) return summaryJson(summarizeCommit(known));
  const [to, from] = [seq, (conflict.base + 1) as Seq].map((each) => view.commitWithSeq(ref, each));
  if (conflict.commit !== undefined || to === undefined || from === undefined) return undefined;
  const deadline = clock.monotonicMilliseconds() + WALK_MILLISECONDS_MAX;
  const isLate = (): boolean => clock.monotonicMilliseconds() > deadline;
  const found = recordedCause(view, { to, from }, { ...conflict, domid }, isLate);
  return found && summaryJson(summarizeCommit(found));
}

function addWhyNot(app: FastifyInstance, ports: ConsolePorts): void {
  const querystring = {
    type: "object",
    properties: { path: ASKED, domain: DOMID, branch: TEXT },
    required: ["path", "domain"],
    additionalProperties: false,
  };
  app.get<{ Querystring: WhyNotQuery }>(
    FAILURE_ROUTES.whyNot,
    {
      schema: {
        ...told({ tag: "live", summary: "Why a domain was not told of a node", answer: "WhyNotAnswer" }),
        querystring,
      },
    },
    async ({ query }, reply): Promise<WhyNotAnswer> => {
      const { path: asked, domain, branch = MAIN_BRANCH } = query;
      const core = linkOf(ports, branch);
      const path = parseSpecialDomid(asked) === undefined ? queriedPath(asked) : undefined;
      warnOf(reply, (await core.ask("flush", undefined)).behind);
      const changed = path === undefined ? [] : refusing(() => lastCommits(ports, branch, path));
      const seqs = changed.flatMap(({ seq }) => (seq === undefined ? [] : [seq as Seq]));
      const facts = await core.ask("explainWatch", { path: path ?? asked, domid: domain as Domid, seqs });
      const caused = facts.deliveries.map(({ seq }) => seq);
      const commits = path === undefined ? refusing(() => commitsWith(ports, branch, caused)) : changed;
      return { ...watchJson(facts), commits };
    },
  );
}

function watchJson({ deliveries, watches, ...rest }: WatchFacts): Omit<WhyNotAnswer, "commits"> {
  return {
    ...rest,
    watches: watches.map(({ watchPath, token, ...watch }) => ({
      ...watch,
      path: textFromBytes(watchPath),
      token: valueJson(token),
    })),
    events: deliveries.map(({ seq, connection, domid, watchPath, token, absolutePath, fate }) => ({
      seq,
      connection,
      domain: domid,
      watch: textFromBytes(watchPath),
      token: valueJson(token),
      path: textFromBytes(absolutePath),
      fate,
    })),
  };
}

/** Some commits by their numbers, each once. */
function commitsWith({ history }: ConsolePorts, branch: string, seqs: readonly Seq[]): CommitSummaryJson[] {
  const view = history.view();
  return [...new Set(seqs)].slice(0, COMMITS_LISTED).flatMap((seq) => {
    const found = view.commitWithSeq(refOfBranch(branch), seq);
    return found === undefined ? [] : [summaryJson(summarizeCommit(found))];
  });
}

function lastCommits({ history, clock }: ConsolePorts, branch: string, path: Path): CommitSummaryJson[] {
  const view: HistoryView = history.view();
  const to = view.tip(refOfBranch(branch));
  const commits: CommitSummaryJson[] = [];
  if (to === undefined) return commits;
  const deadline = clock.monotonicMilliseconds() + WALK_MILLISECONDS_MAX;
  for (const found of walkLog(view, { to }, { path }, () => clock.monotonicMilliseconds() > deadline)) {
    // What the first that is left changed is not known any more.
    if (view.isCut(found)) continue;
    commits.push(summaryJson(summarizeCommit(found)));
    if (commits.length === COMMITS_LISTED) break;
  }
  return commits;
}

function failureJson(failure: RememberedFailure): FailureJson {
  const { time, lastTime, count, connection, domid, operation, transaction, subject, error, seq, conflict } = failure;
  return {
    time: isoTime(lastTime),
    firstTime: isoTime(time),
    count,
    connection,
    domain: domid,
    operation,
    transaction,
    subject: textFromBytes(subject),
    error,
    seq,
    conflict: conflict && {
      base: conflict.base,
      operation: conflict.operation,
      path: textFromBytes(conflict.path),
      commit: conflict.commit,
    },
  };
}
