/**
 * The routes that tell what no commit tells: requests that failed, and watch events.
 *
 * Owns how what the core remembers is put together with the history.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import { textFromBytes } from "../../protocol/bytes.js";
import type { CommitSummaryJson } from "../../protocol/http-api/commit.js";
import {
  FAILURE_ROUTES,
  type FailureJson,
  type FailuresAnswer,
  type FailuresQuery,
  type WhyAnswer,
  type WhyNotAnswer,
  type WhyNotQuery,
  type WhyQuery,
} from "../../protocol/http-api/failures.js";
import { QueryError } from "../../protocol/http-api/history-queries.js";
import type { Domid, Path, Seq } from "../../protocol/identifiers.js";
import { isoTime } from "../../protocol/iso-time.js";
import { isAtOrBelow } from "../../protocol/path.js";
import { summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { HistoryView } from "../history/query/history.js";
import { walkLog } from "../history/query/log.js";
import { queriedPath } from "../history/query/queried-path.js";
import { refusing } from "../history/query/question.js";
import { MAIN_BRANCH, refOfBranch } from "../history/query/refs.js";
import { linkOf } from "./branch-link.js";
import type { ConsolePorts } from "./console-ports.js";
import type { RememberedFailure } from "./messages.js";
import { told } from "./openapi.js";
import { DOMID, TEXT, TX_ID } from "./schemas.js";

/** Failures told when nobody says how many. */
const FAILURES_LISTED = 1000;
const PATHS_LISTED = 20;
const COMMITS_LISTED = 10;
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
  const querystring = {
    type: "object",
    properties: { path: TEXT, domain: DOMID, error: TEXT, limit, branch: TEXT },
    additionalProperties: false,
  };
  app.get<{ Querystring: FailuresQuery }>(
    FAILURE_ROUTES.failures,
    { schema: { ...told({ tag: "live", summary: "Requests that failed", answer: "FailuresAnswer" }), querystring } },
    async ({ query }): Promise<FailuresAnswer> => {
      const { domain, error, limit: most = FAILURES_LISTED } = query;
      const failures = await linkOf(ports, query.branch).ask("failures", domain as Domid | undefined);
      const path = query.path === undefined ? undefined : queriedPath(query.path);
      const wanted = failures
        .filter((failure) => error === undefined || failure.error === error)
        .filter(({ subject, conflict }) => path === undefined || isAtOrBelow(conflict?.path ?? subject, path))
        .reverse();
      return { failures: wanted.slice(0, most).map(failureJson) };
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
  app.get<{ Querystring: WhyQuery }>(FAILURE_ROUTES.why, { schema }, async ({ query }) => {
    const { domain, connection, branch = MAIN_BRANCH } = query;
    const core = linkOf(ports, branch);
    const remembered = await core.ask("failures", domain as Domid | undefined);
    const conflicts = remembered.filter(
      (failure) => failure.conflict !== undefined && (connection === undefined || failure.connection === connection),
    );
    const matching = conflicts.filter(({ transaction }) => transaction === query.tx);
    const failure = matching.at(-1);
    if (failure === undefined) throw new QueryError(noSuchConflict(query, conflicts));
    await core.ask("flush", undefined);
    const commit = refusing(() => changeBehind(ports, branch, failure));
    const answer: WhyAnswer = {
      failure: failureJson(failure),
      commit,
      others: matching.length - 1,
      paths: countByPath(conflicts),
    };
    return answer;
  });
}

function noSuchConflict({ tx }: WhyQuery, conflicts: readonly RememberedFailure[]): string {
  const ids = [...new Set(conflicts.toReversed().map(({ transaction }) => String(transaction)))].slice(0, 5);
  const known = ids.length === 0 ? "none is remembered at all" : `the last ones have the ids ${ids.join(", ")}`;
  return `no transaction ${String(tx)} that ended in EAGAIN is remembered: ${known}`;
}

/** The newest commit between the transaction's snapshot and its end that changed what it had read. */
function changeBehind(
  { history, clock }: ConsolePorts,
  branch: string,
  failure: RememberedFailure,
): CommitSummaryJson | undefined {
  const ref = refOfBranch(branch);
  const { conflict, seq } = failure;
  if (conflict === undefined) return undefined;
  const view = history.view();
  const known = conflict.commit === undefined ? undefined : view.commitWithSeq(ref, conflict.commit);
  if (known !== undefined) return summaryJson(summarizeCommit(known));
  const [to, from] = [seq, (conflict.base + 1) as Seq].map((each) => view.commitWithSeq(ref, each));
  if (to === undefined || from === undefined || !conflict.path.startsWith("/")) return undefined;
  const deadline = clock.monotonicMilliseconds() + WALK_MILLISECONDS_MAX;
  const filter = { path: conflict.path as Path };
  const walk = walkLog(view, { to, from }, filter, () => clock.monotonicMilliseconds() > deadline);
  const { value, done } = walk.next();
  return done === true ? undefined : summaryJson(summarizeCommit(value));
}

function countByPath(conflicts: readonly RememberedFailure[]): WhyAnswer["paths"] {
  const counts = new Map<string, number>();
  for (const { conflict, count } of conflicts) {
    if (conflict !== undefined) counts.set(conflict.path, (counts.get(conflict.path) ?? 0) + count);
  }
  return [...counts]
    .sort(([, left], [, right]) => right - left)
    .slice(0, PATHS_LISTED)
    .map(([path, count]) => ({ path: textFromBytes(path), count }));
}

function addWhyNot(app: FastifyInstance, ports: ConsolePorts): void {
  const querystring = {
    type: "object",
    properties: { path: TEXT, domain: DOMID, branch: TEXT },
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
    async ({ query }): Promise<WhyNotAnswer> => {
      const path = queriedPath(query.path);
      const { branch = MAIN_BRANCH } = query;
      const core = linkOf(ports, branch);
      const explained = await core.ask("explainWatch", { path, domid: query.domain as Domid });
      await core.ask("flush", undefined);
      const { connections, watchesElsewhere, watches, deliveries } = explained;
      return {
        connections,
        watchesElsewhere,
        watches: watches.map(({ watchPath, token, ...rest }) => ({
          ...rest,
          path: textFromBytes(watchPath),
          token: textFromBytes(token),
        })),
        events: deliveries.map(({ seq, connection, domid, watchPath, token, fate }) => ({
          seq,
          connection,
          domain: domid,
          watch: textFromBytes(watchPath),
          token: textFromBytes(token),
          fate,
        })),
        commits: refusing(() => lastCommits(ports, branch, path)),
      };
    },
  );
}

function lastCommits({ history, clock }: ConsolePorts, branch: string, path: Path): CommitSummaryJson[] {
  const view: HistoryView = history.view();
  const to = view.tip(refOfBranch(branch));
  const commits: CommitSummaryJson[] = [];
  if (to === undefined) return commits;
  const deadline = clock.monotonicMilliseconds() + WALK_MILLISECONDS_MAX;
  for (const found of walkLog(view, { to }, { path }, () => clock.monotonicMilliseconds() > deadline)) {
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
    },
  };
}
