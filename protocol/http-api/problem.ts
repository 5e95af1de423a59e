/**
 * Errors of the HTTP API: problem documents (RFC 9457).
 */

/** Why something was not done. */
export interface Problem {
  readonly type: "about:blank";
  /** The status in words. */
  readonly title: string;
  readonly status: number;
  /** For people. */
  readonly detail: string;
  /** With 409: what is in conflict, each in words or as a path. */
  readonly conflicts?: readonly string[] | undefined;
}
