/**
 * The routes of forks: making, deleting, listing and merging them.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import {
  FORKS_ROUTE,
  type ForkJson,
  type ForkRequest,
  type ForksAnswer,
  type MergeRequest,
} from "../../protocol/http-api/forks.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { HistoryView } from "../history/query/history.js";
import { partedFromMain } from "../history/query/merge-base.js";
import { refusing } from "../history/query/question.js";
import { MAIN_REF, refOfBranch } from "../history/query/refs.js";
import { resolveRevision } from "../history/query/resolve-revision.js";
import type { ConsolePorts } from "./console-ports.js";
import { ForkMerger } from "./fork-merger.js";
import type { ForkOutcome } from "./messages.js";
import { namesIn } from "./names-in.js";
import { refuseOldTip } from "./old-tip.js";
import { told } from "./openapi.js";
import { ASKED, TEXT } from "./schemas.js";

const NAME = { type: "string", minLength: 1, maxLength: 200 } as const;
const PARAMS = { type: "object", properties: { name: NAME } } as const;

interface NamedFork {
  readonly name: string;
}

/** The routes. */
export function forkRoutes(ports: ConsolePorts): FastifyPluginCallback {
  return (app, _options, done) => {
    // A merge begins where the last one ended, and a fork that is being merged stays till then.
    const inTurn = turns();
    addForks(app, ports, inTurn);
    addMerge(app, ports, inTurn);
    done();
  };
}

function addForks(app: FastifyInstance, ports: ConsolePorts, inTurn: InTurn): void {
  const { daemon, history, clock } = ports;
  const listed = told({ tag: "forks", summary: "The forks", answer: "ForksAnswer" });
  app.get(FORKS_ROUTE, { schema: listed }, async (): Promise<ForksAnswer> => {
    const forks = await daemon.forks.ask("forks", undefined);
    const view = history.view();
    return { forks: forks.map((fork) => withParting(view, fork)) };
  });
  // What names there may be is told in words, by who makes the fork.
  const properties = { name: { type: "string" }, revision: ASKED, branch: TEXT };
  const body = { type: "object", properties, required: ["name"], additionalProperties: false };
  const made = { ...told({ tag: "forks", summary: "Make a fork, and serve it", answer: "ForkJson" }), body };
  app.post<{ Body: ForkRequest }>(FORKS_ROUTE, { schema: made }, async (request): Promise<ForkJson> => {
    const { name, revision = "HEAD", branch } = request.body;
    const now = clock.nowMicroseconds() as Microseconds;
    const { behind } = await daemon.core.ask("flush", namesIn(request.body));
    const view = history.view();
    const found = refusing(() => resolveRevision(view, revision, now, branch));
    const { oid: base, seq: baseSeq } = summarizeCommit(found);
    if (baseSeq === undefined) {
      throw new QueryError(
        `${revision} is no commit of the daemon's: it has no trailer Seq, from which a fork's commits go on`,
      );
    }
    refuseOldTip(view, found, { does: "a fork would begin with", behind });
    const fork = forkOf(await daemon.forks.ask("createFork", { name, base, baseSeq }));
    return withParting(history.view(), fork);
  });
  const deleted = { ...told({ tag: "forks", summary: "Delete a fork", answer: "ForkJson" }), params: PARAMS };
  app.delete<{ Params: NamedFork }>(`${FORKS_ROUTE}/:name`, { schema: deleted }, async (request) =>
    forkOf(await inTurn(() => daemon.forks.ask("deleteFork", request.params.name))),
  );
}

/** Does one thing after the other. */
type InTurn = <T>(act: () => Promise<T>) => Promise<T>;

function turns(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = last.then(act);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Tells of a fork of another branch's commit where that one parted from main. */
function withParting(view: HistoryView, fork: ForkJson): ForkJson {
  const { name, base, baseSeq } = fork;
  try {
    const onMain = view.commitWithSeq(MAIN_REF, baseSeq);
    if (onMain !== undefined && summarizeCommit(onMain).oid === base) return fork;
    return { ...fork, leftMain: partedFromMain(view, refOfBranch(name))?.commit.trailers.seq };
  } catch {
    // A damaged history is no reason not to list the forks.
    return fork;
  }
}

function forkOf(outcome: ForkOutcome): ForkJson {
  if ("mistake" in outcome) throw new QueryError(outcome.mistake);
  if ("refusal" in outcome) throw new ConflictError(outcome.refusal, []);
  return outcome.fork;
}

function addMerge(app: FastifyInstance, ports: ConsolePorts, inTurn: InTurn): void {
  const properties = { prefer: { type: "string", enum: ["ours", "theirs"] }, dryRun: { type: "boolean" } };
  const body = { type: "object", properties, additionalProperties: false };
  app.post<{ Body: MergeRequest; Params: NamedFork }>(
    `${FORKS_ROUTE}/:name/merge`,
    {
      schema: {
        ...told({ tag: "forks", summary: "Merge a fork into main", answer: "MergeAnswer" }),
        body,
        params: PARAMS,
      },
    },
    async (request) => await inTurn(() => new ForkMerger(ports, request.params.name).merge(request.body)),
  );
}
