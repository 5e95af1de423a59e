/**
 * The commits of a branch as they are made, for as long as somebody looks.
 *
 * Owns the stream's life: it goes on behind the last event that came, whatever broke it, and begins anew where the daemon does not
 * know that event any more. While nobody can see the page it is closed: a browser has few connections for all tabs together.
 */
import { EVENT_NAMES, EVENTS_ROUTE, type CommitEvent } from "../../../protocol/http-api/events.js";
import { addressOf, ApiError, messageOf, request } from "../api/client.js";
import { EventParser } from "../api/event-stream.js";

/** Who looks. */
export interface CommitStreamPorts {
  /** Only commits that changed this node or one below it; all unless given. */
  readonly path?: string | undefined;
  /** Told of commits, in order, as many as came at once. */
  readonly came: (commits: readonly CommitEvent[]) => void;
  /** Told how it stands: undefined while all is well. */
  readonly stands: (trouble: string | undefined) => void;
}

/** So long is waited before it is tried again. */
const RETRY_MILLISECONDS = 1000;
const REFUSALS_FOR_GOOD: readonly number[] = [400, 401, 403, 404, 421];

/** Follows the tip. @returns what ends it */
export function followCommits(ports: CommitStreamPorts): () => void {
  const ended = new AbortController();
  void follow(ports, ended.signal);
  return () => {
    ended.abort();
  };
}

async function follow({ path, came, stands }: CommitStreamPorts, ended: AbortSignal): Promise<void> {
  let parser = new EventParser();
  while (!ended.aborted) {
    await shown(ended);
    const away = new AbortController();
    const leave = (): void => {
      if (document.hidden) away.abort();
    };
    document.addEventListener("visibilitychange", leave);
    try {
      const { lastId } = parser;
      const query = { path, after: lastId === "" ? undefined : lastId };
      const response = await request(addressOf(EVENTS_ROUTE, query), { signal: AbortSignal.any([ended, away.signal]) });
      stands(undefined);
      parser = parserFrom(lastId);
      await readAll(response, parser, came);
    } catch (error) {
      // Aborted while it waited: nobody looks any more.
      if (isOver(ended)) return;
      if (isOver(away.signal)) continue;
      stands(messageOf(error));
      if (error instanceof ApiError && REFUSALS_FOR_GOOD.includes(error.status)) return;
      if (error instanceof ApiError && error.status === 409) parser = new EventParser();
    } finally {
      document.removeEventListener("visibilitychange", leave);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
  }
}

/** Resolves when the page can be seen, or it has ended. */
function shown(ended: AbortSignal): Promise<void> {
  if (!document.hidden || ended.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const look = (): void => {
      if (document.hidden && !ended.aborted) return;
      document.removeEventListener("visibilitychange", look);
      ended.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    ended.addEventListener("abort", look);
  });
}

function isOver(ended: AbortSignal): boolean {
  return ended.aborted;
}

/** Another stream has lines of its own, and goes on from the same event. */
function parserFrom(lastId: string): EventParser {
  const parser = new EventParser();
  if (lastId !== "") parser.push(`id: ${lastId}\n\n`);
  return parser;
}

/** Reads until the stream ends. @throws what went wrong, also where the daemon says that it cannot go on */
async function readAll(response: Response, parser: EventParser, came: CommitStreamPorts["came"]): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const events = parser.push(piece.value);
    const commits = events.flatMap(({ name, data }) =>
      name === EVENT_NAMES.commit ? [JSON.parse(data) as CommitEvent] : [],
    );
    if (commits.length > 0) came(commits);
    const gone = events.find(({ name }) => name === EVENT_NAMES.gone);
    if (gone !== undefined) throw new ApiError(409, (JSON.parse(gone.data) as { detail: string }).detail);
  }
}
