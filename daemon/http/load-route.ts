/**
 * The route that makes the store what a listing says.
 *
 * Owns the reading of the listing, which is done here so that its thousands of lines stall no client, and what of it is asked
 * for; the changes are worked out by the core, on the state of the moment at which they are made.
 */
import { finished } from "node:stream";
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest, onRequestHookHandler } from "fastify";
import type { ByteString } from "../../protocol/bytes.js";
import { CHANGE_ROUTES, type LoadAnswer, type LoadRequest } from "../../protocol/http-api/changes.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import { valueFromJson } from "../../protocol/http-api/value.js";
import type { Path } from "../../protocol/identifiers.js";
import {
  parseListing,
  type LineNote,
  type ListingNode,
  type ParsedListing,
} from "../../protocol/listing/parse-listing.js";
import { isAtOrBelow, ROOT_PATH } from "../../protocol/path.js";
import { changeJson } from "../history/query/commit-json.js";
import { queriedPath } from "../history/query/queried-path.js";
import { MAIN_BRANCH } from "../history/query/refs.js";
import type { ConsolePorts } from "./console-ports.js";
import { linkOf } from "./branch-link.js";
import { madeCommit, refusedChange } from "./made-change.js";
import { told } from "./openapi.js";
import { ASKED, TEXT } from "./schemas.js";

/** Most bytes of a listing's request. */
export const LISTING_BYTES_MAX: number = 16 * 1024 * 1024;
/** The core works out what so many change in some hundred milliseconds, in which nobody else is served. */
const LISTING_NODES_MAX = 100_000;
/** Up to so many times the most that is taken, what is too large is taken from the socket before it is refused. */
const DISCARDED_MAX = 8;
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
    path: ASKED,
    skipBadLines: { type: "boolean" },
    dryRun: { type: "boolean" },
    branch: TEXT,
  };
  const body = { type: "object", properties, required: ["listing"], additionalProperties: false };
  const summary = "Make the store what a listing says";
  const schema = { ...told({ tag: "changes", summary, answer: "LoadAnswer" }), body };
  const onRequest: onRequestHookHandler = (request, _reply, next) => {
    const refusal = tooLarge(request, bodyLimit);
    if (refusal === undefined || bytesOf(request) > DISCARDED_MAX * bodyLimit) {
      next(refusal);
      return;
    }
    // Who is refused while still writing finds the connection closed, and no answer.
    finished(request.raw, () => {
      next(refusal);
    });
    request.raw.resume();
  };
  const options = { schema, bodyLimit, onRequest };
  app.post<{ Body: LoadRequest }>(CHANGE_ROUTES.load, options, async (request): Promise<LoadAnswer> => {
    const { skipBadLines = false, dryRun: isDryRun = false, branch = MAIN_BRANCH } = request.body;
    const top = queriedPath(request.body.path ?? "/");
    const text = valueFromJson(request.body.listing);
    refuseOtherFormats(text);
    const parsed = parseListing(text, { top });
    refuseBadLines(parsed, skipBadLines);
    const { nodes, nodeCount, leftOutCount } = nodesBelow(parsed.nodes, top);
    refuseBadSize(parsed, { nodeCount, top });
    const act = { operation: "LOAD", subject: top, detail: nodesText(nodeCount) } as const;
    const { made, changes, changeCount } = await linkOf(ports, branch).ask("load", { nodes, top, isDryRun, act });
    const answer = {
      changes: changes.map(changeJson),
      changeCount,
      nodeCount,
      remarks: [
        ...(leftOutCount === 0
          ? []
          : [`${nodesText(leftOutCount)} ${leftOutCount === 1 ? "is" : "are"} not below ${top}: left out`]),
        ...parsed.errors.map(leftOut),
        ...parsed.remarks.map(noteText),
      ],
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

/**
 * The nodes of a listing that are at or below a path. Those above it are there for the case that the store has none: what it has
 * stays.
 */
function nodesBelow(
  listed: readonly ListingNode[],
  top: Path,
): { readonly nodes: readonly ListingNode[]; readonly nodeCount: number; readonly leftOutCount: number } {
  const nodes: ListingNode[] = [];
  let [nodeCount, leftOutCount] = [0, 0];
  for (const node of listed) {
    if (isAtOrBelow(node.path, top)) {
      nodeCount++;
      nodes.push(node);
      continue;
    }
    if (!node.isImplied) leftOutCount++;
    if (isAtOrBelow(top, node.path)) nodes.push({ ...node, isImplied: true });
  }
  return { nodes, nodeCount, leftOutCount };
}

/** What `xs dump --json` prints; a log's line may begin with a bracket, too. */
const JSON_LISTING = /^\s*\[\s*\{\s*"/;

function refuseOtherFormats(text: ByteString): void {
  if (!JSON_LISTING.test(text)) return;
  throw new QueryError("the listing is JSON, as xs dump --json prints it: load what xs dump prints without --json");
}

function refuseBadLines({ errors }: ParsedListing, skipsBadLines: boolean): void {
  if (errors.length === 0 || skipsBadLines) return;
  const told = errors.slice(0, NOTES_TOLD).map((note) => `\n  ${noteText(note)}`);
  const more = errors.length > NOTES_TOLD ? `\n  ... ${String(errors.length - NOTES_TOLD)} more` : "";
  throw new QueryError(
    "the listing has lines that make no sense: mend them, so that they are like " +
      `/path = "value"   (n0,r5), or skip them${told.join("")}${more}`,
  );
}

function refuseBadSize(
  { nodes }: ParsedListing,
  { nodeCount, top }: { readonly nodeCount: number; readonly top: Path },
): void {
  if (nodeCount > LISTING_NODES_MAX) {
    const below = top === ROOT_PATH ? "" : ` below ${top}`;
    const most = `at most ${String(LISTING_NODES_MAX)} are loaded at a time, those below a node with --path`;
    throw new QueryError(`the listing has ${nodesText(nodeCount)}${below}: ${most}`);
  }
  if (nodeCount > 0) return;
  // It would remove everything.
  if (nodes.length > 0) throw new QueryError(`the listing has ${nodesText(nodes.length)}, but none below ${top}`);
  throw new QueryError("the listing has no node: it is to be what xenstore-ls -fp or xs dump prints");
}

function nodesText(count: number): string {
  return `${String(count)} node${count === 1 ? "" : "s"}`;
}

/** Told before it is read: Fastify says only that it is too large. */
function tooLarge(request: FastifyRequest, most: number): Error | undefined {
  const bytes = bytesOf(request);
  if (!(bytes > most)) return undefined;
  const text =
    `the listing is too large: its request has ${String(bytes)} bytes, and at most ${String(most)} are taken; ` +
    "load it in parts, the lines below one node at a time, with --path";
  return Object.assign(new Error(text), { statusCode: 413 });
}

/** Of a request's body, as it is announced; NaN where it is not. */
function bytesOf({ headers }: FastifyRequest): number {
  return Number(headers["content-length"]);
}

function noteText({ line, message }: LineNote): string {
  return `line ${String(line)}: ${message}`;
}

function leftOut(note: LineNote): string {
  return `left out: ${noteText(note)}`;
}
