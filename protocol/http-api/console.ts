/**
 * Where browsers reach the daemon, and where its history is.
 *
 * Owns the route with its answer, for `xs url`, and for what is done with the repository itself on the daemon's machine.
 */

/** `GET /v1/console` */
export interface ConsoleAnswer {
  /** The explorer's address, with the token behind its `#`, which no browser sends. Left out where browsers are not served. */
  readonly url?: string | undefined;
  /** Why they are not, though they were to; for people. */
  readonly problem?: string | undefined;
  /** The directory of the history's repository, absolute. */
  readonly repository: string;
}

/** Where it is asked for. */
export const CONSOLE_ROUTE = "/v1/console";
