/**
 * The routes of forks: making, deleting, listing and merging them.
 *
 * Owns the order of a merge: the fork is sealed first, so that the commit which becomes main's second parent is in the
 * repository before main's commit names it; that a merge is about to be made is written down before it is, so that the next
 * one begins where this one ended whatever happens in between.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import {
  FORKS_ROUTE,
  type ForkJson,
  type ForkRequest,
  type ForksAnswer,
  type MergeAnswer,
  type MergeRequest,
} from "../../protocol/http-api/forks.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { HistoryView } from "../history/query/history.js";
import { lastMerge, mergeBase, planMerge, type ForkMerge } from "../history/query/plan-merge.js";
import { refusing } from "../history/query/question.js";
import { resolveRevision } from "../history/query/resolve-revision.js";
import { describeConflict, type Conflict } from "../store/merge/merge-roots.js";
import { messageOf } from "../platform/error-message.js";
import { linkOf, UnknownForkError } from "./branch-link.js";
import { ChangeMaker, nameOf, pinOf, sealedCommit, type Plan } from "./change-maker.js";
import type { ConsolePorts } from "./console-ports.js";
import type { ForkOutcome, NotedMerge } from "./messages.js";
import { namesIn } from "./names-in.js";
import { told } from "./openapi.js";
import { TEXT } from "./schemas.js";

/** The core makes so many in about a second, in which nobody else is served. */
const CHANGES_MAX = 100_000;

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
  app.get(FORKS_ROUTE, { schema: listed }, async (): Promise<ForksAnswer> => ({
    forks: await daemon.forks.ask("forks", undefined),
  }));
  const properties = { name: NAME, revision: TEXT, branch: TEXT };
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
    // There may be newer ones, and a fork of the newest is asked for.
    if (behind !== undefined && view.refs.some(({ oid }) => oid === found.oid)) {
      throw new ConflictError(`a fork would begin with an old state, since the history is behind: ${behind}`, []);
    }
    return forkOf(await daemon.forks.ask("createFork", { name, base, baseSeq }));
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
    const { seq } = await this.#sealFork();
    const fork = await this.#findFork();
    const answer = await new ChangeMaker(this.#ports).make({ isDryRun }, ({ view, now }) => {
      const theirs = sealedCommit(view, this.#name, seq);
      return this.#plan(view, { base: mergeBase(view, fork), ours: now, theirs }, { prefer, merge: fork.merge });
    });
    return { ...answer, settled: this.#settled };
  }

  /** The fork, with main's last merge of it. */
  async #findFork(): Promise<ForkJson> {
    const { daemon, history } = this.#ports;
    const { behind } = await daemon.core.ask("flush", [this.#name]);
    const fork = (await daemon.forks.ask("forks", undefined)).find(({ name }) => name === this.#name);
    if (fork === undefined) throw new QueryError(new UnknownForkError(this.#name).message);
    if (fork.pending === undefined) return fork;
    // The merge that was begun may be among what the history lacks.
    if (behind !== undefined) throw new ConflictError(`${this.#name} cannot be merged now: ${behind}`, []);
    const merge = await lastMerge(history.view(), fork, () => nextTurn());
    await this.#note({ merge });
    return { ...fork, merge };
  }

  async #sealFork(): Promise<{ readonly seq: Seq }> {
    const link = linkOf(this.#ports, this.#name);
    const { id, seq } = await pinOf(link);
    await link.ask("release", id);
    return { seq };
  }

  #plan(
    view: HistoryView,
    sides: ForkMerge,
    { prefer, merge }: Pick<MergeRequest, "prefer"> & Pick<ForkJson, "merge">,
  ): Plan {
    const { base, theirs } = sides;
    const act = { operation: "MERGE", subject: this.#name, detail: nameOf(theirs) } as const;
    if (theirs.oid === base.oid) return { target: theirs, changes: [], order: { way: "merge", act } };
    const { changes, conflicts, settled } = planMerge(view, sides, prefer);
    if (conflicts.length > 0) throw conflictError(this.#name, conflicts, prefer);
    if (changes.length > CHANGES_MAX) {
      const text = `${this.#name} cannot be merged: it has ${String(changes.length)} changes, and at most ${String(CHANGES_MAX)} are made at a time`;
      throw new ConflictError(text, []);
    }
    this.#settled = settled.map((conflict) => describeConflict(conflict));
    const { oid: tip } = summarizeCommit(theirs);
    return {
      target: theirs,
      changes,
      order: { way: "merge", act, merged: tip, prefer },
      beforeMade: async (after) => {
        await this.#note({ merge, pending: { tip, after } });
      },
      afterwards: async (seq) => {
        try {
          await this.#note({ merge: seq === undefined ? merge : { tip, seq } });
        } catch {
          // What was made is made; what is not taken down the next merge finds out.
        }
      },
    };
  }

  async #note(noted: Omit<NotedMerge, "name">): Promise<void> {
    try {
      await this.#ports.daemon.forks.ask("noteMerge", { name: this.#name, ...noted });
    } catch (error) {
      throw new ConflictError(`${this.#name} cannot be merged now: ${messageOf(error)}`, [], { cause: error });
    }
  }
}

function conflictError(name: string, conflicts: readonly Conflict[], prefer: MergeRequest["prefer"]): ConflictError {
  const advice =
    prefer === undefined
      ? "main and the fork have changed the same; choose with --ours or --theirs"
      : "nobody can be preferred there, because a domain that was released must not get its rights back; change it on one side";
  return new ConflictError(
    `${name} cannot be merged: ${advice}`,
    conflicts.map((conflict) => describeConflict(conflict)),
  );
}
