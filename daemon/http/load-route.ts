/**
 * The route that makes the store what a listing says.
 *
 * Owns the reading of the listing, which is done here so that its thousands of lines stall no client; the changes are worked
 * out by the core, on the state of the moment at which they are made.
 */
import type { FastifyInstance, FastifyPluginCallback } from "fastify";
import { CHANGE_ROUTES, type LoadAnswer, type LoadRequest } from "../../protocol/http-api/changes.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import { valueFromJson } from "../../protocol/http-api/value.js";
import { parseListing, type LineNote, type ParsedListing } from "../../protocol/listing/parse-listing.js";
import { changeJson } from "../history/query/commit-json.js";
import { queriedPath } from "../history/query/queried-path.js";
import { MAIN_BRANCH } from "../history/query/refs.js";
import type { ConsolePorts } from "./console-ports.js";
import { linkOf } from "./branch-link.js";
import { madeCommit, refusedChange } from "./made-change.js";
import { told } from "./openapi.js";
import { TEXT } from "./schemas.js";

/** Most bytes of a listing's request. */
export const LISTING_BYTES_MAX: number = 16 * 1024 * 1024;
/** The core works out what so many change in some hundred milliseconds, in which nobody else is served. */
const LISTING_NODES_MAX = 100_000;
/** Of bad lines, so many are told. */
const NOTES_TOLD = 10;

/** @param bodyBytesMax - of a request */
export function loadRoute(ports: ConsolePorts, bodyBytesMax: number): FastifyPluginCallback {
  return (app, _options, done) => {
    addLoad(app, ports, bodyBytesMax);
    done();
  };
}

function addLoad(app: FastifyInstance, ports: ConsolePorts, bodyLimit: number): void {
  const text = { type: "string" };
  const listing = {
    type: "object",
    properties: { value: text, valueBase64: text },
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
  };
  const properties = {
    listing,
    path: TEXT,
    skipBadLines: { type: "boolean" },
    dryRun: { type: "boolean" },
    branch: TEXT,
  };
  const body = { type: "object", properties, required: ["listing"], additionalProperties: false };
  const summary = "Make the store what a listing says";
  const schema = { ...told({ tag: "changes", summary, answer: "LoadAnswer" }), body };
  const options = { schema, bodyLimit };
  app.post<{ Body: LoadRequest }>(CHANGE_ROUTES.load, options, async (request): Promise<LoadAnswer> => {
    const { skipBadLines = false, dryRun: isDryRun = false, branch = MAIN_BRANCH } = request.body;
    const top = queriedPath(request.body.path ?? "/");
    const parsed = parseListing(valueFromJson(request.body.listing), { top });
    refuseBadListing(parsed, skipBadLines);
    const { nodes } = parsed;
    const act = { operation: "LOAD", subject: top, detail: `${String(nodes.length)} nodes` } as const;
    const { made, changes, changeCount } = await linkOf(ports, branch).ask("load", { nodes, top, isDryRun, act });
    const answer = {
      changes: changes.map(changeJson),
      changeCount,
      nodeCount: nodes.length,
      remarks: [...parsed.errors.map(leftOut), ...parsed.remarks.map(noteText)],
    };
    switch (made?.outcome) {
      case undefined:
        return { outcome: "planned", ...answer };
      case "unchanged":
        return { outcome: "unchanged", ...answer };
      case "committed":
        return { outcome: "committed", commit: await madeCommit(ports, { branch, seq: made.seq }), ...answer };
      case "conflict":
        throw new ConflictError("the store has changed meanwhile", made.conflicts);
      case "refused":
        throw refusedChange(made.error);
    }
  });
}

function refuseBadListing({ nodes, errors }: ParsedListing, skipsBadLines: boolean): void {
  if (errors.length > 0 && !skipsBadLines) {
    const told = errors.slice(0, NOTES_TOLD).map((note) => `\n  ${noteText(note)}`);
    const more = errors.length > NOTES_TOLD ? `\n  ... ${String(errors.length - NOTES_TOLD)} more` : "";
    throw new QueryError(`the listing has lines that make no sense: mend them, or skip them${told.join("")}${more}`);
  }
  if (nodes.length > LISTING_NODES_MAX) {
    const most = `at most ${String(LISTING_NODES_MAX)} are loaded at a time, those below a node with --path`;
    throw new QueryError(`the listing has ${String(nodes.length)} nodes: ${most}`);
  }
  // It would remove everything.
  if (nodes.length === 0) {
    throw new QueryError("the listing has no node: it is to be what xenstore-ls -fp or xs dump prints");
  }
}

function noteText({ line, message }: LineNote): string {
  return `line ${String(line)}: ${message}`;
}

function leftOut(note: LineNote): string {
  return `left out: ${noteText(note)}`;
}
