/**
 * Violations: what a checker found, and by which of its checks.
 *
 * Owns the names of the checks and the words of a report.
 */

/** What each check says of a run in which it finds nothing. */
export const CHECKS = {
  witness:
    "the order of requests that the daemon claims keeps each connection's, and takes up nothing that was not asked",
  chain:
    "each commit is what the next request that commits had to commit, with the next seq, on what it claims as its base",
  acknowledgement: "nothing reaches a client before the commits that it can tell of were handed over",
  framing: "what reaches a client are whole messages",
  reply: "each reply is what the request had to be answered in the state in which it was carried out",
  event: "each event was due to that watch of that client",
  order: "replies and events come in the order in which they became due",
  completeness: "in a world at rest nothing that was due is missing, and each request is answered",
  state: "the daemon's state is what the commits make",
  checker: "the checker itself does not fail",
} as const;

/** A check. */
export type CheckName = keyof typeof CHECKS;

/** Something that may not be. */
export interface Violation {
  readonly check: CheckName;
  readonly seed: number;
  /** How many things had happened in the world. */
  readonly step: number;
  /** Who met it, such as `xl of dom0 (socket-7)`; undefined for the daemon as a whole. */
  readonly client: string | undefined;
  /** What came, what was due instead, and from which request or commit. */
  readonly problem: string;
}

/** A violation in words. */
export function describeViolation({ check, seed, step, client, problem }: Violation): string {
  const where = client === undefined ? "" : `, ${client}`;
  return `seed ${String(seed)}, step ${String(step)}${where}: ${problem}\n  broken (${check}): ${CHECKS[check]}`;
}
