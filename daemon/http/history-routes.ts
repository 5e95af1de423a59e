/**
 * The routes that read the history: a GET for each question (`protocol/http-api/history-queries.ts`).
 *
 * Owns the schemas of the questions' members, and that what was acknowledged before a question is in its answer. Where the
 * history is behind, because a disk is full, say, the answer is as of what it has, with a `Warning` that says so.
 */
import type { FastifyPluginCallback } from "fastify";
import { ACTIVITY_PAGE_MAX } from "../../protocol/http-api/activity.js";
import { BISECT_FLIPS_MAX } from "../../protocol/http-api/bisect.js";
import { DENSITY_PARTS_MAX } from "../../protocol/http-api/density.js";
import {
  HISTORY_ROUTES,
  LOG_PAGE_MAX,
  NODES_PAGE_MAX,
  QueryError,
  type HistoryQueries,
  type HistoryQuestion,
} from "../../protocol/http-api/history-queries.js";
import { PREDICATE_TEXT_MAX } from "../../protocol/predicate/predicate.js";
import type { CoreLink } from "./messages.js";
import { namesIn } from "./names-in.js";
import { told, type Told } from "./openapi.js";
import { ASKED, DOMID, TEXT } from "./schemas.js";
import { warnOf } from "./warning.js";

const NODES = { type: "integer", minimum: 1, maximum: NODES_PAGE_MAX } as const;

/** A transaction's id; none has 0, so that no commit is its. */
const ASKED_TX = { type: "integer", minimum: 0, maximum: 0xffff_ffff } as const;

/** The members of each question. */
const MEMBERS: Readonly<Record<HistoryQuestion, Readonly<Record<string, object>>>> = {
  log: {
    to: ASKED,
    from: ASKED,
    path: ASKED,
    domain: DOMID,
    tx: ASKED_TX,
    grep: ASKED,
    limit: { type: "integer", minimum: 0, maximum: LOG_PAGE_MAX },
    cursor: ASKED,
  },
  commit: { revision: ASKED },
  diff: { from: ASKED, to: ASKED, path: ASKED, limit: NODES, cursor: ASKED },
  tree: { at: ASKED, path: ASKED, text: ASKED, limit: NODES, cursor: ASKED },
  children: { at: ASKED, path: ASKED, limit: NODES, cursor: ASKED },
  node: { at: ASKED, path: ASKED },
  bisect: {
    predicate: { ...ASKED, maxLength: PREDICATE_TEXT_MAX },
    domain: DOMID,
    good: ASKED,
    bad: ASKED,
    flips: { type: "integer", minimum: 0 },
  },
  blame: { path: ASKED, at: ASKED },
  refs: {},
  density: { from: ASKED, to: ASKED, parts: { type: "integer", minimum: 1, maximum: DENSITY_PARTS_MAX } },
  activity: {
    from: ASKED,
    to: ASKED,
    limit: { type: "integer", minimum: 1, maximum: ACTIVITY_PAGE_MAX },
    cursor: ASKED,
  },
};

/** Those that it must have. */
const REQUIRED: Partial<Readonly<Record<HistoryQuestion, readonly string[]>>> = {
  diff: ["from", "to"],
  node: ["path"],
  blame: ["path"],
  bisect: ["predicate"],
};

/** What each is for. */
const TOLD: Readonly<Record<HistoryQuestion, Omit<Told, "tag">>> = {
  log: { summary: "Commits, newest first", answer: "LogPage" },
  commit: { summary: "One commit, with every old and new value", answer: "CommitJson" },
  blame: { summary: "Which commit made each node what it is", answer: "BlameAnswer" },
  refs: { summary: "Branches and tags", answer: "RefsJson" },
  diff: { summary: "What leads from one state to another", answer: "DiffPage" },
  tree: { summary: "All nodes below one, or those with a text in them", answer: "TreePage" },
  children: { summary: "A node, and those right below it", answer: "ChildrenPage" },
  node: { summary: "One node", answer: "NodeAnswer" },
  bisect: { summary: "Which commit made a predicate true", answer: "BisectAnswer" },
  density: { summary: "How many commits there were when", answer: "DensityAnswer" },
  activity: { summary: "What was asked and what changed, commit by commit, oldest first", answer: "ActivityPage" },
};

/** The routes. */
export function historyRoutes(queries: HistoryQueries, core: CoreLink): FastifyPluginCallback {
  return (app, _options, done) => {
    for (const question of Object.keys(HISTORY_ROUTES) as HistoryQuestion[]) {
      const isOfBranch = question !== "refs";
      const properties = { ...MEMBERS[question], ...(isOfBranch ? { branch: TEXT } : {}) };
      const required = REQUIRED[question] ?? [];
      const querystring = { type: "object", properties, required, additionalProperties: false };
      const schema = { ...told({ tag: "history", ...TOLD[question] }), querystring };
      app.get(HISTORY_ROUTES[question], { schema }, async (request, reply) => {
        refuseTooMuch(request.query);
        const { behind } = await core.ask("flush", isOfBranch ? namesIn(request.query as object) : undefined);
        warnOf(reply, behind);
        return await queries.ask(question, request.query as never);
      });
    }
    done();
  };
}

/** Where a limit is the daemon's alone, what to do about it is said. @throws QueryError */
function refuseTooMuch(query: unknown): void {
  const { flips = 0 } = query as { readonly flips?: number };
  if (flips <= BISECT_FLIPS_MAX) return;
  throw new QueryError(
    `a daemon looks for flips in ${String(BISECT_FLIPS_MAX)} commits at most, for others wait meanwhile: ` +
      "ask for fewer, or read the repository itself (xs bisect --repo)",
  );
}
