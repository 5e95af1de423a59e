/**
 * The routes that change the store, and name commits.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import {
  CHANGE_ROUTES,
  type RevertRequest,
  type RollbackRequest,
  type TagRequest,
} from "../../protocol/http-api/changes.js";
import { ConflictError, type RefJson } from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { ROOT_PATH } from "../../protocol/path.js";
import { summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import { planRevert } from "../history/query/plan-revert.js";
import { planRollback } from "../history/query/plan-rollback.js";
import { queriedPath } from "../history/query/queried-path.js";
import { refusing } from "../history/query/question.js";
import { resolveRevision } from "../history/query/resolve-revision.js";
import { makeTag } from "../history/query/tag.js";
import { describeConflict } from "../store/merge/merge-roots.js";
import { ChangeMaker, nameOf } from "./change-maker.js";
import type { ConsolePorts } from "./console-ports.js";
import { namesIn } from "./names-in.js";
import { refuseOldTip } from "./old-tip.js";
import { told } from "./openapi.js";
import { ASKED, TEXT } from "./schemas.js";

/** Of a revert: what has been committed since, and the undoing of the commit. */
const REVERT_SIDES = { ours: "a later commit", theirs: "the undoing" };

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
  const properties = { revision: ASKED, path: ASKED, dryRun: { type: "boolean" }, branch: TEXT };
  const body = { type: "object", properties, required: ["revision"], additionalProperties: false };
  const summary = "Make the store, or a part of it, as it was";
  const schema = { ...told({ tag: "changes", summary, answer: "ChangesAnswer" }), body };
  app.post<{ Body: RollbackRequest }>(CHANGE_ROUTES.rollback, { schema }, async (request) => {
    const { revision, path: text = "/", dryRun: isDryRun = false, branch } = request.body;
    const path = queriedPath(text);
    return await maker.make({ branch, isDryRun, revisions: [revision] }, ({ view, now, resolve }) => {
      const target = resolve(revision);
      const changes = planRollback(view, { from: now, to: target, path });
      const act = { operation: "ROLLBACK", subject: path, detail: nameOf(target) } as const;
      return { target, changes, order: { way: "restore", path: path === ROOT_PATH ? undefined : path, act } };
    });
  });
}

function addRevert(app: FastifyInstance, maker: ChangeMaker): void {
  const properties = { revision: ASKED, dryRun: { type: "boolean" }, branch: TEXT };
  const body = { type: "object", properties, required: ["revision"], additionalProperties: false };
  const schema = { ...told({ tag: "changes", summary: "Undo one commit", answer: "ChangesAnswer" }), body };
  app.post<{ Body: RevertRequest }>(CHANGE_ROUTES.revert, { schema }, async (request) => {
    const { revision, dryRun: isDryRun = false, branch } = request.body;
    return await maker.make({ branch, isDryRun, revisions: [revision] }, ({ view, now, resolve }) => {
      const target = resolve(revision);
      const { changes, conflicts } = planRevert(view, now, target);
      if (conflicts.length > 0) {
        throw new ConflictError(
          `${revision} cannot be undone: what it changed has changed since`,
          conflicts.map((conflict) => describeConflict(conflict, REVERT_SIDES)),
        );
      }
      const { subject } = summarizeCommit(target);
      const act = { operation: "REVERT", subject: nameOf(target), detail: subject } as const;
      return { target, changes, order: { way: "merge", act } };
    });
  });
}

function addTag(app: FastifyInstance, ports: ConsolePorts): void {
  const { history, daemon, clock, fileSystem, repositoryDirectory } = ports;
  const body = { type: "object", properties: { revision: ASKED, branch: TEXT }, additionalProperties: false };
  const params = { type: "object", properties: { "*": { type: "string", minLength: 1 } } };
  app.put<{ Body: TagRequest; Params: { "*": string } }>(
    `${CHANGE_ROUTES.tags}*`,
    { schema: { ...told({ tag: "changes", summary: "Give a commit a name", answer: "RefJson" }), body, params } },
    async (request): Promise<RefJson> => {
      const { revision = "HEAD", branch } = request.body;
      const { behind } = await daemon.core.ask("flush", namesIn(request.body));
      return refusing(() => {
        const view = history.view();
        const found = resolveRevision(view, revision, clock.nowMicroseconds() as Microseconds, branch);
        refuseOldTip(view, found, { does: "a tag would name", behind });
        const name = request.params["*"];
        makeTag({ fileSystem, repositoryDirectory, name, commit: found.oid });
        return { name, ...summaryJson(summarizeCommit(found)) };
      });
    },
  );
}
