/**
 * Commits as they are made, as server-sent events.
 *
 * Owns the route, the events and their ids. Each commit of a branch is told once and in order: a stream that is taken up with the
 * id of the last event that was received goes on behind it, without a gap and without telling anything twice.
 *
 *     id: main:18
 *     event: commit
 *     data: {"oid":"…","seq":18,"subject":"dom0: WRITE /a","paths":[{"path":"/a"}]}
 */
import type { CommitSummaryJson } from "./commit.js";

/**
 * `GET /v1/events`. Unless there is a `Last-Event-ID` (as a header, or as `after`), it begins with the first commit that is yet to
 * come. Where that event is not known any more, because the history was cut, or never had it, it is refused with status 409: then
 * begin anew, with what there is now.
 */
export interface EventsQuery {
  /** Main unless given, or told by the id. */
  readonly branch?: string | undefined;
  /** Only commits that changed this node or one below it. */
  readonly path?: string | undefined;
  /** The id of the last event that is known, where no header can be sent. */
  readonly after?: string | undefined;
}

/** Where it is asked for. */
export const EVENTS_ROUTE = "/v1/events";

/** A commit. */
export interface CommitEvent extends CommitSummaryJson {
  /** What it changed, at most `EVENT_PATHS_MAX`; with a path in question, what is at or below that. */
  readonly paths: readonly {
    readonly path: string;
    /** Whether it went, with all that was below. Left out where not. */
    readonly isRemoval?: true | undefined;
  }[];
  /** Whether there are more. Left out where not. */
  readonly hasMore?: true | undefined;
}

/** Most paths of an event; a commit may change any number. */
export const EVENT_PATHS_MAX = 100;

/** The events: a commit; or that the stream cannot go on, because its branch or a part of its history has gone. */
export const EVENT_NAMES = { commit: "commit", gone: "gone" } as const;

/** The id of a commit's event. */
export function eventId(branch: string, seq: number): string {
  return `${branch}:${String(seq)}`;
}

/** What an id says; undefined where it is none. */
export function parseEventId(text: string): { readonly branch: string; readonly seq: number } | undefined {
  const [, branch = "", digits = ""] = /^(.{1,200}):([0-9]{1,15})$/s.exec(text) ?? [];
  return digits === "" ? undefined : { branch, seq: Number(digits) };
}
