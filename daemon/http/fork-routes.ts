/**
 * The routes of forks: making, deleting, listing and merging them.
 *
 * Owns the order of a merge: the fork is sealed first, so that the commit which becomes main's second parent is in the
 * repository before main's commit names it; that a merge is about to be made is written down before it is, so that the next
 * one begins where this one ended whatever happens in between.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import type { ChangesAnswer } from "../../protocol/http-api/changes.js";
import {
  FORKS_ROUTE,
  type ForkJson,
  type ForkRequest,
  type ForksAnswer,
  type MergeAnswer,
  type MergeRequest,
} from "../../protocol/http-api/forks.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { FoundCommit, HistoryView } from "../history/query/history.js";
import { lastMerge, mergeBase, planMerge } from "../history/query/plan-merge.js";
import { refusing } from "../history/query/question.js";
import { resolveRevision } from "../history/query/resolve-revision.js";
import { describeConflict } from "../store/merge/merge-roots.js";
import { linkOf } from "./branch-link.js";
import { ChangeMaker, nameOf, pinOf, sealedCommit, type Plan } from "./change-maker.js";
import type { ConsolePorts } from "./console-ports.js";
import type { ForkOutcome } from "./messages.js";
import { TEXT } from "./schemas.js";

const NAME = { type: "string", minLength: 1, maxLength: 200 } as const;
const PARAMS = { type: "object", properties: { name: NAME } } as const;

interface NamedFork {
  readonly name: string;
}

/** The routes. */
export function forkRoutes(ports: ConsolePorts): FastifyPluginCallback {
  return (app, _options, done) => {
    addForks(app, ports);
    addMerge(app, ports);
    done();
  };
}

function addForks(app: FastifyInstance, ports: ConsolePorts): void {
  const { daemon, history, clock } = ports;
  app.get(FORKS_ROUTE, async (): Promise<ForksAnswer> => ({ forks: await daemon.forks.ask("forks", undefined) }));
  const properties = { name: NAME, revision: TEXT };
  const body = { type: "object", properties, required: ["name"], additionalProperties: false };
  app.post<{ Body: ForkRequest }>(FORKS_ROUTE, { schema: { body } }, async (request): Promise<ForkJson> => {
    const { name, revision = "HEAD" } = request.body;
    const now = clock.nowMicroseconds() as Microseconds;
    await daemon.core.ask("flush", undefined);
    const found = refusing(() => resolveRevision(history.view(), revision, now));
    const { oid: base, seq: baseSeq } = summarizeCommit(found);
    if (baseSeq === undefined) {
      throw new QueryError(
        `${revision} is no commit of the daemon's: it has no trailer Seq, from which a fork's commits go on`,
      );
    }
    return forkOf(await daemon.forks.ask("createFork", { name, base, baseSeq }));
  });
  app.delete<{ Params: NamedFork }>(`${FORKS_ROUTE}/:name`, { schema: { params: PARAMS } }, async (request) =>
    forkOf(await daemon.forks.ask("deleteFork", request.params.name)),
  );
}

function forkOf(outcome: ForkOutcome): ForkJson {
  if ("mistake" in outcome) throw new QueryError(outcome.mistake);
  if ("refusal" in outcome) throw new ConflictError(outcome.refusal, []);
  return outcome.fork;
}

function addMerge(app: FastifyInstance, ports: ConsolePorts): void {
  const properties = { prefer: { type: "string", enum: ["ours", "theirs"] }, dryRun: { type: "boolean" } };
  const body = { type: "object", properties, additionalProperties: false };
  app.post<{ Body: MergeRequest; Params: NamedFork }>(
    `${FORKS_ROUTE}/:name/merge`,
    { schema: { body, params: PARAMS } },
    async (request) => await new ForkMerger(ports, request.params.name).merge(request.body),
  );
}

/** Merges one fork. */
class ForkMerger {
  readonly #ports: ConsolePorts;
  readonly #name: string;
  #settled: readonly string[] = [];

  constructor(ports: ConsolePorts, name: string) {
    this.#ports = ports;
    this.#name = name;
  }

  async merge({ prefer, dryRun: isDryRun = false }: MergeRequest): Promise<MergeAnswer> {
    const fork = await this.#find();
    const { seq } = await this.#sealFork();
    const answer = await new ChangeMaker(this.#ports).make({ isDryRun }, ({ view, now }) => {
      const theirs = sealedCommit(view, this.#name, seq);
      const base = mergeBase(view, fork);
      return this.#plan(view, { base, ours: now, theirs }, prefer);
    });
    if (!isDryRun) await this.#noteOutcome(fork, answer);
    return { ...answer, settled: this.#settled };
  }

  async #find(): Promise<ForkJson> {
    const forks = await this.#ports.daemon.forks.ask("forks", undefined);
    const fork = forks.find(({ name }) => name === this.#name);
    if (fork === undefined) throw new QueryError(`there is no fork ${this.#name}: xs branches lists them`);
    return fork;
  }

  async #sealFork(): Promise<{ readonly seq: FoundCommit["commit"]["trailers"]["seq"] & number }> {
    const link = linkOf(this.#ports, this.#name);
    const { id, seq } = await pinOf(link);
    await link.ask("release", id);
    return { seq };
  }

  #plan(
    view: HistoryView,
    sides: { readonly base: FoundCommit; readonly ours: FoundCommit; readonly theirs: FoundCommit },
    prefer: MergeRequest["prefer"],
  ): Plan {
    const { base, theirs } = sides;
    const act = { operation: "MERGE", subject: this.#name, detail: nameOf(theirs) } as const;
    if (theirs.oid === base.oid) return { target: theirs, changes: [], order: { way: "merge", act } };
    const { changes, conflicts, settled } = planMerge(view, sides, prefer);
    if (conflicts.length > 0) {
      const text = `${this.#name} cannot be merged: main and the fork have changed the same; choose with --ours or --theirs`;
      throw new ConflictError(
        text,
        conflicts.map((conflict) => describeConflict(conflict)),
      );
    }
    this.#settled = settled.map((conflict) => describeConflict(conflict));
    const { oid: tip } = summarizeCommit(theirs);
    return {
      target: theirs,
      changes,
      order: { way: "merge", act, merged: tip },
      beforeMade: async (after) => {
        await this.#ports.daemon.forks.ask("noteMerge", { name: this.#name, pending: { tip, after } });
      },
    };
  }

  /** What is not taken down now the next merge finds out. */
  async #noteOutcome(fork: ForkJson, { outcome, commit, target }: ChangesAnswer): Promise<void> {
    const { forks } = this.#ports.daemon;
    const seq = commit?.seq;
    if (outcome === "committed" && seq !== undefined) {
      await forks.ask("noteMerge", { name: this.#name, merge: { tip: target.oid, seq } });
    } else if (fork.pending !== undefined) {
      // Nothing was to be merged: what had been begun has been made, or not; the history tells it.
      const found = lastMerge(this.#ports.history.view(), fork);
      if (found !== undefined) {
        await forks.ask("noteMerge", { name: this.#name, merge: found });
      }
    }
  }
}
