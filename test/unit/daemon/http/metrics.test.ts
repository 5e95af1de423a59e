/** The text that Prometheus reads. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DaemonFigures } from "../../../../daemon/http/metrics/daemon-figures.js";
import { METRICS_TYPE, renderMetrics } from "../../../../daemon/http/metrics/render-metrics.js";
import { DURATION_BOUNDS_SECONDS, DurationCounts } from "../../../../daemon/dispatch/duration-counts.js";
import { findProgram } from "../../../support/daemon-process.js";

function durations(...seconds: number[]): ReturnType<DurationCounts["figures"]> {
  const counts = new DurationCounts();
  for (const each of seconds) counts.add(each);
  return counts.figures();
}

const FIGURES: DaemonFigures = {
  core: {
    nodes: 11,
    domains: 2,
    dom0Connections: 3,
    guestConnections: 4,
    watches: 5,
    transactions: 6,
    transactionLogBytes: 7,
    outboxBytes: 8,
    turns: { turns: 21, waits: 22, waiting: 23, waitsEnded: 24, turnsLost: 25, waitedMilliseconds: 2600 },
  },
  requests: {
    requests: [
      { operation: "READ", outcome: "ok", count: 31 },
      { operation: "READ", outcome: "ENOENT", count: 32 },
    ],
    durations: [{ operation: "READ", duration: durations(0.0001, 0.0001, 99) }],
    events: [{ fate: "sent", count: 33 }],
    conflicts: [{ operation: "DIRECTORY", count: 34 }],
    transactionsEnded: [{ result: "committed", count: 35 }],
    journalAppends: durations(0.5),
  },
  commits: 41,
  journal: { bytes: 42, segments: 43 },
  recorder: {
    lag: { commits: 51, bytes: 52, seconds: 0.5 },
    packs: 53,
    packBytes: 54,
    packsRetired: 55,
    packsSealed: 56,
    bytesSealed: 57,
    sealSeconds: 58,
    maintenanceSeconds: 59,
    isFailing: true,
  },
  eventLoop: { meanSeconds: 0.001, p50Seconds: 0.002, p99Seconds: 0.003, maxSeconds: 0.004 },
  process: { cpuSeconds: 61, residentBytes: 62, heapBytes: 63, heapUsedBytes: 64, startedSeconds: 65 },
};

/** Figures of a daemon that has done nothing. */
const NOTHING: DaemonFigures = {
  ...FIGURES,
  requests: {
    requests: [],
    durations: [],
    events: [],
    conflicts: [],
    transactionsEnded: [],
    journalAppends: durations(),
  },
};

/** The samples: name with labels, and value. */
async function samplesOf(figures: DaemonFigures): Promise<ReadonlyMap<string, number>> {
  const lines = (await renderMetrics(figures, "1.2.3"))
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [, name = "", value = ""] = /^(\S+) (\S+)$/.exec(line) ?? [];
      return [name, Number(value)];
    }),
  );
}

describe("renderMetrics", () => {
  it("gives every figure a sample", async () => {
    const samples = await samplesOf(FIGURES);
    expect(Object.fromEntries([...samples].filter(([name]) => !name.includes("_bucket")))).toEqual({
      'xenstored_build_info{version="1.2.3"}': 1,
      'xenstored_requests_total{operation="READ",outcome="ok"}': 31,
      'xenstored_requests_total{operation="READ",outcome="ENOENT"}': 32,
      'xenstored_request_duration_seconds_sum{operation="READ"}': 99.0002,
      'xenstored_request_duration_seconds_count{operation="READ"}': 3,
      xenstored_commits_total: 41,
      'xenstored_transactions_ended_total{result="committed"}': 35,
      'xenstored_transaction_conflicts_total{operation="DIRECTORY"}': 34,
      'xenstored_watch_events_total{fate="sent"}': 33,
      xenstored_journal_append_duration_seconds_sum: 0.5,
      xenstored_journal_append_duration_seconds_count: 1,
      'xenstored_connections{kind="dom0"}': 3,
      'xenstored_connections{kind="guest"}': 4,
      xenstored_domains: 2,
      xenstored_nodes: 11,
      xenstored_watches: 5,
      xenstored_transactions_open: 6,
      xenstored_transaction_log_bytes: 7,
      xenstored_outbox_bytes: 8,
      xenstored_turn_waiters: 23,
      xenstored_turns_total: 21,
      xenstored_turn_waits_total: 22,
      xenstored_turn_waits_ended_total: 24,
      xenstored_turns_lost_total: 25,
      xenstored_turn_wait_seconds_total: 2.6,
      xenstored_journal_bytes: 42,
      xenstored_journal_segments: 43,
      xenstored_history_lag_commits: 51,
      xenstored_history_lag_bytes: 52,
      xenstored_history_lag_seconds: 0.5,
      xenstored_history_failing: 1,
      xenstored_packs: 53,
      xenstored_packs_retired: 55,
      xenstored_pack_bytes: 54,
      xenstored_seals_total: 56,
      xenstored_sealed_bytes_total: 57,
      xenstored_seal_seconds_total: 58,
      xenstored_consolidation_seconds_total: 59,
      'xenstored_event_loop_delay_seconds{statistic="mean"}': 0.001,
      'xenstored_event_loop_delay_seconds{statistic="p50"}': 0.002,
      'xenstored_event_loop_delay_seconds{statistic="p99"}': 0.003,
      'xenstored_event_loop_delay_seconds{statistic="max"}': 0.004,
      process_cpu_seconds_total: 61,
      process_resident_memory_bytes: 62,
      process_start_time_seconds: 65,
      nodejs_heap_size_total_bytes: 63,
      nodejs_heap_size_used_bytes: 64,
    });
  });

  it("counts in each class of a histogram what is in those below it", async () => {
    const samples = await samplesOf(FIGURES);
    const bucket = (le: string) =>
      samples.get(`xenstored_request_duration_seconds_bucket{le="${le}",operation="READ"}`);
    expect(["0.00005", "0.0001", "2.5", "+Inf"].map(bucket)).toEqual([0, 2, 2, 3]);
    const buckets = [...samples.keys()].filter((name) => name.startsWith("xenstored_request_duration_seconds_bucket"));
    expect(buckets).toHaveLength(DURATION_BOUNDS_SECONDS.length + 1);
  });

  const promtool = findProgram("promtool", "PROMTOOL");
  it.skipIf(promtool === undefined)("is what promtool takes, with nothing counted as with everything", async () => {
    for (const figures of [FIGURES, NOTHING]) {
      const input = await renderMetrics(figures, "1.2.3");
      // It complains on standard error, and exits with 3.
      const options = { input, encoding: "utf8", stdio: "pipe" } as const;
      expect(execFileSync(promtool ?? "", ["check", "metrics"], options)).toBe("");
    }
  });

  describe.each(["grafana-dashboard.json", "alerts.yml"])("%s", (name) => {
    const file = new URL(`../../../../daemon/http/metrics/${name}`, import.meta.url).pathname;

    it("asks for metrics that there are, by labels that they have", async () => {
      const families = new Map<string, Set<string>>();
      for (const [, family = "", labels = ""] of (await renderMetrics(FIGURES, "1")).matchAll(
        /^([a-z]\w*)(?:\{(.*)\})? /gm,
      )) {
        const known = families.get(family) ?? new Set(["instance", "job", "le"]);
        for (const [, label = ""] of labels.matchAll(/(\w+)=/g)) known.add(label);
        families.set(family, known);
      }
      const text = readFileSync(file, "utf8").replaceAll('\\"', '"');
      const uses = [...text.matchAll(/\b((?:xenstored|process|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)];
      expect(uses.length).toBeGreaterThan(4);
      for (const [, family = "", labels = ""] of uses) {
        const known = families.get(family);
        expect(known, family).toBeDefined();
        for (const [, label = ""] of labels.matchAll(/(\w+)(?:=~|!=|=)/g))
          expect([...(known ?? [])], family).toContain(label);
      }
    });
  });

  it.skipIf(promtool === undefined)("has alert rules that promtool takes", () => {
    const file = new URL("../../../../daemon/http/metrics/alerts.yml", import.meta.url).pathname;
    expect(execFileSync(promtool ?? "", ["check", "rules", file], { encoding: "utf8" })).toContain(
      "SUCCESS: 6 rules found",
    );
  });

  it("has the type of Prometheus's text format", () => {
    expect(METRICS_TYPE).toMatch(/^text\/plain; version=0\.0\.4/);
  });
});
