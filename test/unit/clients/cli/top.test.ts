/** What `xs top` makes of a daemon's metrics and commits, and how it looks. */
import { describe, expect, test } from "vitest";
import { ScrapedMetrics } from "../../../../clients/cli/scraped-metrics.js";
import { topFigures, type TopSample } from "../../../../clients/cli/top-figures.js";
import { topScreen } from "../../../../clients/cli/top-screen.js";

/** The metrics of a daemon that answered so many READs, of which some failed, and as many WRITEs. */
function metricsText({ reads = 0, failed = 0, writes = 0, isFailing = 0 }): string {
  return `# HELP xenstored_requests_total Requests that were answered, by operation and by ok or the error's name.
# TYPE xenstored_requests_total counter
xenstored_requests_total{operation="READ",outcome="ok"} ${String(reads - failed)}
xenstored_requests_total{operation="READ",outcome="ENOENT"} ${String(failed)}
xenstored_requests_total{operation="WRITE",outcome="ok"} ${String(writes)}
xenstored_request_duration_seconds_bucket{le="+Inf",operation="READ"} ${String(reads)}
xenstored_request_duration_seconds_sum{operation="READ"} ${String(reads * 25e-6)}
xenstored_request_duration_seconds_count{operation="READ"} ${String(reads)}
xenstored_commits_total ${String(writes)}
xenstored_connections{kind="dom0"} 3
xenstored_connections{kind="guest"} 20
xenstored_nodes 1.2345e+04
xenstored_history_lag_seconds 0.25
xenstored_history_failing ${String(isFailing)}
xenstored_event_loop_delay_seconds{statistic="mean"} 0.5
xenstored_event_loop_delay_seconds{statistic="p99"} 0.002
process_cpu_seconds_total ${String(writes / 1000)}
`;
}

const commit = (subject: string, domain: number) => ({ oid: "0".repeat(40), seq: 1, subject, domain });

function sample(milliseconds: number, text: string, commits: TopSample["commits"] = []): TopSample {
  return { milliseconds, metrics: new ScrapedMetrics(text), commits };
}

const before = sample(1000, metricsText({ reads: 100, failed: 10, writes: 50 }));
const after = sample(3000, metricsText({ reads: 4100, failed: 14, writes: 1050 }), [
  commit("dom0: WRITE /a/b", 0),
  commit("dom7: tx 3, 4 requests on /local/domain/7", 7),
  commit("dom0: WRITE /a/b", 0),
  commit("dom0: RELEASE 5", 0),
]);

describe("topFigures", () => {
  test("are what happened between two samples, by the second", () => {
    const figures = topFigures(before, after);
    expect(figures).toMatchObject({
      seconds: 2,
      requestsPerSecond: 2500,
      commitsPerSecond: 500,
      connections: { dom0: 3, guest: 20 },
      nodes: 12_345,
      lag: { seconds: 0.25, isFailing: false },
      processorShare: 0.5,
      eventLoopP99Seconds: 0.002,
      commitsLooked: 4,
    });
    expect(figures.operations).toEqual([
      { operation: "READ", perSecond: 2000, errorsPerSecond: 2, meanMicroseconds: expect.closeTo(25, 6) as number },
      { operation: "WRITE", perSecond: 500, errorsPerSecond: 0, meanMicroseconds: undefined },
    ]);
    expect(figures.busiestDomains).toEqual([
      { name: "dom0", commits: 3 },
      { name: "dom7", commits: 1 },
    ]);
    expect(figures.busiestPaths).toEqual([
      { name: "/a/b", commits: 2 },
      { name: "/local/domain/7", commits: 1 },
    ]);
  });

  test("of a daemon that was started again count from nothing", () => {
    const figures = topFigures(after, sample(4000, metricsText({ reads: 10 })));
    expect(figures).toMatchObject({ requestsPerSecond: 0, commitsPerSecond: 0, operations: [] });
  });
});

describe("topScreen", () => {
  test("has the figures in words, and two tables", () => {
    expect(topScreen(topFigures(before, after), Infinity)).toEqual([
      "requests 2,500/s   commits 500/s   EAGAIN 0/s   events 0/s",
      "connections 3 dom0, 20 guest   domains 0   nodes 12,345   watches 0",
      "transactions 0 open, 0 wait for a turn   unread output 0.0 MiB",
      "history 0.3 s behind, 0 commits",
      "processor 50%   memory 0 MiB   event loop late by 2.0 ms (p99)",
      "",
      "OPERATION  per second  errors   mean",
      "READ            2,000     2.0  25 us",
      "WRITE             500       0",
      "",
      "DOMAIN  commits  commits  PATH",
      "dom0        75%      50%  /a/b",
      "dom7        25%      25%  /local/domain/7",
    ]);
  });

  test("is as wide as the screen, and says when the history cannot be written", () => {
    const failing = topFigures(before, sample(3000, metricsText({ isFailing: 1 })));
    const lines = topScreen(failing, 40);
    expect(Math.max(...lines.map(({ length }) => length))).toBe(40);
    expect(topScreen(failing, 200).join("\n")).toContain("IT CANNOT BE WRITTEN");
  });
});
