/**
 * The routes that change the store, and name commits.
 *
 * Owns the way of a change: it is worked out on the history as of a pinned state, and given to the core with that pin. Where
 * the store has moved so that the two are in conflict, it is worked out anew, a few times; a writer that is faster than that
 * is told of.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import {
  CHANGE_ROUTES,
  CHANGES_LISTED_MAX,
  type ChangesAnswer,
  type RevertRequest,
  type RollbackRequest,
  type TagRequest,
} from "../../protocol/http-api/changes.js";
import { ConflictError, type RefJson } from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { ROOT_PATH } from "../../protocol/path.js";
import { changeJson, summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { HistoryView, FoundCommit } from "../history/query/history.js";
import { planRevert } from "../history/query/plan-revert.js";
import { planRollback } from "../history/query/plan-rollback.js";
import { queriedPath } from "../history/query/queried-path.js";
import { refusing } from "../history/query/question.js";
import { MAIN_REF } from "../history/query/refs.js";
import { resolveRevision } from "../history/query/resolve-revision.js";
import { makeTag } from "../history/query/tag.js";
import { messageOf } from "../platform/error-message.js";
import { describeConflict } from "../store/merge/merge-roots.js";
import type { Change } from "../store/commit.js";
import type { ConsolePorts } from "./console-ports.js";
import { madeCommit, refusedChange } from "./made-change.js";
import type { ChangeRequest, Pin } from "./messages.js";
import { TEXT } from "./schemas.js";

/** How often a change is worked out before its writer is told that the store does not stand still. */
const ATTEMPTS_MAX = 5;

/** Changes, worked out. */
interface Plan {
  readonly target: FoundCommit;
  readonly changes: readonly Change[];
  readonly order: Pick<ChangeRequest, "way" | "path" | "act">;
}

/** The routes. */
export function changeRoutes(ports: ConsolePorts): FastifyPluginCallback {
  const maker = new ChangeMaker(ports);
  return (app, _options, done) => {
    addRollback(app, maker);
    addRevert(app, maker);
    addTag(app, ports);
    done();
  };
}

function addRollback(app: FastifyInstance, maker: ChangeMaker): void {
  const properties = { revision: TEXT, path: TEXT, dryRun: { type: "boolean" } };
  const body = { type: "object", properties, required: ["revision"], additionalProperties: false };
  app.post<{ Body: RollbackRequest }>(CHANGE_ROUTES.rollback, { schema: { body } }, async (request) => {
    const { revision, path: text = "/", dryRun = false } = request.body;
    const path = queriedPath(text);
    return await maker.make(dryRun, (view, now, resolve) => {
      const target = resolve(revision);
      const changes = planRollback(view, { from: now, to: target, path });
      const act = { operation: "ROLLBACK", subject: path, detail: nameOf(target) } as const;
      return { target, changes, order: { way: "restore", path: path === ROOT_PATH ? undefined : path, act } };
    });
  });
}

function addRevert(app: FastifyInstance, maker: ChangeMaker): void {
  const properties = { revision: TEXT, dryRun: { type: "boolean" } };
  const body = { type: "object", properties, required: ["revision"], additionalProperties: false };
  app.post<{ Body: RevertRequest }>(CHANGE_ROUTES.revert, { schema: { body } }, async (request) => {
    const { revision, dryRun = false } = request.body;
    return await maker.make(dryRun, (view, now, resolve) => {
      const target = resolve(revision);
      const { changes, conflicts } = planRevert(view, now, target);
      if (conflicts.length > 0) {
        throw new ConflictError(
          `${revision} cannot be undone: what it changed has changed since`,
          conflicts.map(describeConflict),
        );
      }
      const { subject } = summarizeCommit(target);
      const act = { operation: "REVERT", subject: nameOf(target), detail: subject } as const;
      return { target, changes, order: { way: "merge", act } };
    });
  });
}

function addTag(app: FastifyInstance, ports: ConsolePorts): void {
  const { history, core, clock, fileSystem, repositoryDirectory } = ports;
  const body = { type: "object", properties: { revision: TEXT }, additionalProperties: false };
  const params = { type: "object", properties: { "*": { type: "string", minLength: 1, maxLength: 200 } } };
  app.put<{ Body: TagRequest; Params: { "*": string } }>(
    `${CHANGE_ROUTES.tags}*`,
    { schema: { body, params } },
    async (request): Promise<RefJson> => {
      await core.ask("flush", undefined);
      const { revision = "HEAD" } = request.body;
      return refusing(() => {
        const found = resolveRevision(history.view(), revision, clock.nowMicroseconds() as Microseconds);
        const name = request.params["*"];
        makeTag({ fileSystem, repositoryDirectory, name, commit: found.oid });
        return { name, ...summaryJson(summarizeCommit(found)) };
      });
    },
  );
}

/** Works changes out, and has them made. */
class ChangeMaker {
  readonly #ports: ConsolePorts;

  constructor(ports: ConsolePorts) {
    this.#ports = ports;
  }

  /** @param plan - works the changes out, on a view whose newest commit is `now` */
  async make(
    isDryRun: boolean,
    plan: (view: HistoryView, now: FoundCommit, resolve: (revision: string) => FoundCommit) => Plan,
  ): Promise<ChangesAnswer> {
    const { core, history, clock } = this.#ports;
    let conflicts: readonly string[] = [];
    // `ago` means before the first attempt, whatever the commits of later ones.
    const time = clock.nowMicroseconds() as Microseconds;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const pin = await this.#pin();
      try {
        const planned = refusing(() => {
          const view = history.view();
          const now = view.commitWithSeq(MAIN_REF, pin.seq);
          if (now === undefined) throw new Error(`the history has no commit ${String(pin.seq)}, though it was sealed`);
          return plan(view, now, (revision) => resolveRevision(view, revision, time));
        });
        if (isDryRun) return answerOf(planned, "planned");
        if (planned.changes.length === 0 && planned.order.way === "merge") return answerOf(planned, "unchanged");
        const made = await core.ask("change", { pin: pin.id, changes: planned.changes, ...planned.order });
        switch (made.outcome) {
          case "committed":
            return {
              ...answerOf(planned, "committed"),
              changeCount: made.changes,
              commit: await madeCommit(this.#ports, made.seq),
            };
          case "unchanged":
            return answerOf(planned, "unchanged");
          case "refused":
            throw refusedChange(made.error);
          case "conflict":
            ({ conflicts } = made);
        }
      } finally {
        await core.ask("release", pin.id);
      }
    }
    const often = String(ATTEMPTS_MAX);
    throw new ConflictError(`the store changes faster than this is worked out; it was tried ${often} times`, conflicts);
  }

  /** @throws ConflictError where too many ask at a time, or the history cannot be brought so far */
  async #pin(): Promise<Pin> {
    try {
      return await this.#ports.core.ask("pin", undefined);
    } catch (error) {
      throw new ConflictError(`this cannot be worked out now: ${messageOf(error)}`, [], { cause: error });
    }
  }
}

function answerOf({ target, changes }: Plan, outcome: ChangesAnswer["outcome"]): ChangesAnswer {
  return {
    outcome,
    target: summaryJson(summarizeCommit(target)),
    changes: changes.slice(0, CHANGES_LISTED_MAX).map(changeJson),
    changeCount: changes.length,
  };
}

/** How a commit's message names another commit. */
function nameOf(found: FoundCommit): string {
  const { oid, seq } = summarizeCommit(found);
  return seq === undefined ? oid : `@{${String(seq)}} ${oid}`;
}
