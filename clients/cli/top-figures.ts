/**
 * What `xs top` shows: how much a daemon did between two moments, and who did it.
 *
 * Owns the reckoning. Rates are per second, out of what two scrapes of the metrics differ by; paths and domains are those of the
 * commits between, of which the newest are looked at.
 */
import type { CommitSummaryJson } from "../../protocol/http-api/commit.js";
import type { ScrapedMetrics } from "./scraped-metrics.js";

/** What was seen at a moment. */
export interface TopSample {
  readonly milliseconds: number;
  readonly metrics: ScrapedMetrics;
  /** The newest commits since the sample before; all of them unless there are too many to look at. */
  readonly commits: readonly CommitSummaryJson[];
}

/** An operation of the wire protocol. */
interface TopOperation {
  readonly operation: string;
  readonly perSecond: number;
  readonly errorsPerSecond: number;
  /** From when a turn's requests are taken up until all their replies are handed over; undefined where there were none. */
  readonly meanMicroseconds: number | undefined;
}

/** Somebody, or something, that commits are of. */
interface TopShare {
  readonly name: string;
  /** Among the commits that were looked at. */
  readonly commits: number;
}

/** What is shown. */
export interface TopFigures {
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly commitsPerSecond: number;
  readonly eagainPerSecond: number;
  readonly eventsPerSecond: number;
  readonly connections: { readonly dom0: number; readonly guest: number };
  readonly domains: number;
  readonly nodes: number;
  readonly watches: number;
  readonly transactionsOpen: number;
  readonly turnWaiters: number;
  readonly unreadBytes: number;
  readonly lag: { readonly commits: number; readonly seconds: number; readonly isFailing: boolean };
  readonly processorShare: number;
  readonly residentBytes: number;
  readonly eventLoopP99Seconds: number;
  /** The busiest first; those that were asked for at all. */
  readonly operations: readonly TopOperation[];
  readonly commitsLooked: number;
  readonly busiestDomains: readonly TopShare[];
  readonly busiestPaths: readonly TopShare[];
}

const SHARES_MAX = 10;
const REQUESTS = "xenstored_requests_total";
const DURATION = "xenstored_request_duration_seconds";

/** What happened between two samples. */
export function topFigures(before: TopSample, after: TopSample): TopFigures {
  const seconds = (after.milliseconds - before.milliseconds) / 1000;
  const now = (name: string, labels?: Readonly<Record<string, string>>): number => after.metrics.sum(name, labels);
  const grown = (name: string, labels?: Readonly<Record<string, string>>): number =>
    // A daemon that was started again counts from nothing.
    Math.max(0, now(name, labels) - before.metrics.sum(name, labels));
  const rate = (name: string, labels?: Readonly<Record<string, string>>): number => grown(name, labels) / seconds;
  const operations = after.metrics.valuesOf(REQUESTS, "operation").map((operation): TopOperation => {
    const count = grown(`${DURATION}_count`, { operation });
    const perSecond = rate(REQUESTS, { operation });
    return {
      operation,
      perSecond,
      errorsPerSecond: perSecond - rate(REQUESTS, { operation, outcome: "ok" }),
      meanMicroseconds: count === 0 ? undefined : (grown(`${DURATION}_sum`, { operation }) / count) * 1e6,
    };
  });
  const { commits } = after;
  return {
    seconds,
    requestsPerSecond: rate(REQUESTS),
    commitsPerSecond: rate("xenstored_commits_total"),
    eagainPerSecond: rate("xenstored_transaction_conflicts_total"),
    eventsPerSecond: rate("xenstored_watch_events_total", { fate: "sent" }),
    connections: {
      dom0: now("xenstored_connections", { kind: "dom0" }),
      guest: now("xenstored_connections", { kind: "guest" }),
    },
    domains: now("xenstored_domains"),
    nodes: now("xenstored_nodes"),
    watches: now("xenstored_watches"),
    transactionsOpen: now("xenstored_transactions_open"),
    turnWaiters: now("xenstored_turn_waiters"),
    unreadBytes: now("xenstored_outbox_bytes"),
    lag: {
      commits: now("xenstored_history_lag_commits"),
      seconds: now("xenstored_history_lag_seconds"),
      isFailing: now("xenstored_history_failing") > 0,
    },
    processorShare: rate("process_cpu_seconds_total"),
    residentBytes: now("process_resident_memory_bytes"),
    eventLoopP99Seconds: now("xenstored_event_loop_delay_seconds", { statistic: "p99" }),
    operations: operations
      .filter(({ perSecond }) => perSecond > 0)
      .sort((left, right) => right.perSecond - left.perSecond),
    commitsLooked: commits.length,
    busiestDomains: sharesOf(commits, ({ domain }) => (domain === undefined ? undefined : `dom${String(domain)}`)),
    busiestPaths: sharesOf(commits, ({ subject }) => /(\/\S*)/.exec(subject)?.[1]),
  };
}

function sharesOf(
  commits: readonly CommitSummaryJson[],
  nameOf: (commit: CommitSummaryJson) => string | undefined,
): TopShare[] {
  const counts = new Map<string, number>();
  for (const commit of commits) {
    const name = nameOf(commit);
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Array.from(counts, ([name, count]) => ({ name, commits: count }))
    .sort((left, right) => right.commits - left.commits || (left.name < right.name ? -1 : 1))
    .slice(0, SHARES_MAX);
}
