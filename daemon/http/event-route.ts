/**
 * The stream of commits (`protocol/http-api/events.ts`).
 *
 * Owns what a stream tells and from where on. It is made of the history alone, by the seqs of its commits, so that nothing is
 * missing in it or told twice, whatever happens between; and as fast as its client reads: nothing is kept for who is slow.
 */
import { Readable } from "node:stream";
import type { FastifyPluginCallback } from "fastify";
import {
  EVENT_NAMES,
  EVENT_PATHS_MAX,
  eventId,
  EVENTS_ROUTE,
  parseEventId,
  type CommitEvent,
  type EventsQuery,
} from "../../protocol/http-api/events.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { textFromBytes } from "../../protocol/bytes.js";
import { ROOT_PATH } from "../../protocol/path.js";
import { summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { FoundCommit, HistoryView } from "../history/query/history.js";
import { queriedPath } from "../history/query/queried-path.js";
import { refusing } from "../history/query/question.js";
import { MAIN_BRANCH, refOfBranch } from "../history/query/refs.js";
import { touchedPaths } from "../history/query/touched-paths.js";
import { linkOf } from "./branch-link.js";
import type { ConsolePorts } from "./console-ports.js";
import { told } from "./openapi.js";
import { UnavailableError } from "./problem.js";
import { TEXT } from "./schemas.js";
import { TipFeed } from "./tip-feed.js";

const EVENT_STREAM = "text/event-stream";
const STREAMS_MAX = 64;
/** Commits and paths that are told, and how long is looked for them, before others have their turn. */
const BATCH_PATHS = 200;
const BATCH_MILLISECONDS_MAX = 20;
/** So often at least something is sent: what is between may give up a connection that says nothing. */
const ALIVE_MILLISECONDS = 15_000;

/** A stream that is asked for. */
interface Wanted {
  readonly branch: string;
  readonly path: Path;
  /** The last commit that its client knows. */
  readonly after: Seq;
}

/** The route. */
export function eventRoute(ports: ConsolePorts): FastifyPluginCallback {
  const feeds = new Map<string, TipFeed>();
  let streams = 0;
  const feedOf = (branch: string): TipFeed => {
    let feed = feeds.get(branch);
    if (feed === undefined) feeds.set(branch, (feed = new TipFeed(branch, linkOf(ports, branch))));
    return feed;
  };
  const querystring = {
    type: "object",
    properties: { branch: TEXT, path: TEXT, after: TEXT },
    additionalProperties: false,
  };
  return (app, _options, done) => {
    const summary = "Commits as they are made, as server-sent events";
    const described = told({ tag: "history", summary, answer: "CommitEvent", mediaType: EVENT_STREAM });
    app.get<{ Querystring: EventsQuery }>(
      EVENTS_ROUTE,
      { schema: { ...described, querystring } },
      async (request, reply) => {
        if (streams >= STREAMS_MAX) {
          throw new UnavailableError(`${String(STREAMS_MAX)} streams of events are open, and no more are served`);
        }
        // Before anything is waited for: whoever goes away meanwhile is to be noticed.
        const ended = new AbortController();
        streams++;
        reply.raw.once("close", () => {
          streams--;
          ended.abort();
        });
        const header = request.headers["last-event-id"];
        const wanted = await wantedOf(ports, request.query, Array.isArray(header) ? header[0] : header);
        if (ended.signal.aborted) return await reply.send();
        const events = eventsOf(ports, feedOf(wanted.branch), wanted, ended.signal);
        return await reply.type(EVENT_STREAM).send(Readable.from(events, { objectMode: false }));
      },
    );
    done();
  };
}

/** @throws QueryError, ConflictError where it cannot be gone on from there */
async function wantedOf(
  ports: ConsolePorts,
  { branch: asked, path = ROOT_PATH, after }: EventsQuery,
  lastId: string | undefined,
): Promise<Wanted> {
  const id = lastId ?? after;
  const from = id === undefined ? undefined : parseEventId(id);
  if (id !== undefined && from === undefined) throw new QueryError("the id of the last event is one such as main:17");
  const branch = from?.branch ?? asked ?? MAIN_BRANCH;
  if (asked !== undefined && asked !== branch) {
    throw new QueryError(`the last event is of ${branch}, and the branch that is asked for is ${asked}`);
  }
  const link = linkOf(ports, branch);
  const wanted = { branch, path: queriedPath(path) };
  const now = await link.ask("seq", undefined);
  if (from === undefined) return { ...wanted, after: now };
  await link.ask("flush", undefined);
  const isKnown = refusing(() => {
    const view = ports.history.view();
    const oldest = view.oldest(refOfBranch(branch))?.commit.trailers.seq ?? 1;
    return from.seq <= now && from.seq >= oldest - 1;
  });
  if (!isKnown) throw new ConflictError(`the history cannot be gone on with from ${eventId(branch, from.seq)}`, []);
  return { ...wanted, after: from.seq as Seq };
}

async function* eventsOf(
  ports: ConsolePorts,
  feed: TipFeed,
  { branch, path, after }: Wanted,
  ended: AbortSignal,
): AsyncGenerator<string> {
  const ref = refOfBranch(branch);
  let last = after;
  let isQuiet = true;
  // So that the client knows that it is heard, and has an id to go on from.
  yield aliveText(branch, last);
  while (!ended.aborted) {
    if (isQuiet) {
      try {
        await feed.wait(last, ALIVE_MILLISECONDS, ended);
      } catch {
        yield goneText(`${branch} is not served any more`);
        return;
      }
    }
    const batch = nextCommits(ports, ref, last, path);
    if (batch.isGone) {
      yield goneText(`the history no longer has what comes after ${eventId(branch, last)}`);
      return;
    }
    isQuiet = batch.last === last;
    last = batch.last;
    const text = batch.events.map((event) => eventText(branch, event)).join("");
    // With commits that were passed over, too, the client is to go on from behind them.
    yield text === "" ? aliveText(branch, last) : text;
    await new Promise(setImmediate);
  }
}

interface Batch {
  readonly events: readonly CommitEvent[];
  /** The last commit that was looked at. */
  readonly last: Seq;
  readonly isGone: boolean;
}

function nextCommits({ history, clock }: ConsolePorts, ref: string, after: Seq, path: Path): Batch {
  const view = history.view();
  const events: CommitEvent[] = [];
  const tip = view.tip(ref)?.commit.trailers.seq;
  // Its branch has gone, or was made again and is another.
  if (tip === undefined || tip < after) return { events, last: after, isGone: true };
  const deadline = clock.monotonicMilliseconds() + BATCH_MILLISECONDS_MAX;
  let last = after;
  let paths = 0;
  while (last < tip && paths < BATCH_PATHS && clock.monotonicMilliseconds() <= deadline) {
    const found = view.commitWithSeq(ref, last + 1);
    if (found === undefined) return { events, last, isGone: true };
    const event = commitEvent(view, found, path);
    if (event !== undefined) events.push(event);
    paths += 1 + (event?.paths.length ?? 0);
    last = (last + 1) as Seq;
  }
  return { events, last, isGone: false };
}

/** Undefined where a commit is not about the path. */
function commitEvent(view: HistoryView, found: FoundCommit, path: Path): CommitEvent | undefined {
  const { nodes, hasMore } = touchedPaths(view, found, path, EVENT_PATHS_MAX);
  if (path !== ROOT_PATH && nodes.length === 0 && !hasMore) return undefined;
  const paths = nodes.map((node) => ({
    path: textFromBytes(node.path),
    ...(node.isRemoval ? { isRemoval: true as const } : {}),
  }));
  return { ...summaryJson(summarizeCommit(found)), paths, ...(hasMore ? { hasMore } : {}) };
}

function eventText(branch: string, event: CommitEvent): string {
  return `id: ${eventId(branch, event.seq ?? 0)}\nevent: ${EVENT_NAMES.commit}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** An event without data: a browser takes its id and tells nobody. */
function aliveText(branch: string, seq: Seq): string {
  return `id: ${eventId(branch, seq)}\n: alive\n\n`;
}

function goneText(detail: string): string {
  return `event: ${EVENT_NAMES.gone}\ndata: ${JSON.stringify({ detail })}\n\n`;
}
