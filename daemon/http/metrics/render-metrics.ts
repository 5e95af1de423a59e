/**
 * The metrics: a daemon's figures in the text format of Prometheus.
 *
 * Owns their names, units and labels, by the conventions of Prometheus (base units, `_total` for what only grows). Labels are
 * bounded: operations, error names and the like; no path, domain or connection is ever one. prom-client writes the text.
 *
 * All are made anew for each answer, out of figures that were counted elsewhere: nothing is kept here that could differ.
 */
import { Counter, Gauge, Histogram, Registry, type MetricObjectWithValues, type MetricValue } from "prom-client";
import type { DaemonFigures, DurationFigures } from "./daemon-figures.js";

/** What the text is called. */
export const METRICS_TYPE: string = Registry.PROMETHEUS_CONTENT_TYPE;

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The text. */
export function renderMetrics(figures: DaemonFigures, version: string): Promise<string> {
  const metrics = new Metrics();
  metrics.gauge("xenstored_build_info", "The version of the daemon; always 1.", [{ labels: { version }, value: 1 }]);
  addRequests(metrics, figures);
  addCore(metrics, figures);
  addTurns(metrics, figures);
  addHistory(metrics, figures);
  addProcess(metrics, figures);
  return metrics.text();
}

function addRequests(metrics: Metrics, { requests, commits }: DaemonFigures): void {
  metrics.counter(
    "xenstored_requests_total",
    "Requests that were answered, by operation and by ok or the error's name.",
    requests.requests.map(({ operation, outcome, count }) => ({ labels: { operation, outcome }, value: count })),
  );
  metrics.histogram(
    "xenstored_request_duration_seconds",
    "From when the requests of a turn of the event loop are taken up until all their replies are handed to the sockets.",
    requests.durations.map(({ operation, duration }) => ({ labels: { operation }, duration })),
  );
  metrics.counter("xenstored_commits_total", "Commits that were acknowledged.", commits);
  metrics.counter(
    "xenstored_transactions_ended_total",
    "Transactions that their clients ended, by what came of it.",
    requests.transactionsEnded.map(({ result, count }) => ({ labels: { result }, value: count })),
  );
  metrics.counter(
    "xenstored_transaction_conflicts_total",
    "Transactions that ended in EAGAIN, by the operation whose answer was no longer the same.",
    requests.conflicts.map(({ operation, count }) => ({ labels: { operation }, value: count })),
  );
  metrics.counter(
    "xenstored_watch_events_total",
    "Watch events by what became of them: sent, collapsed into one that waits, or dropped because too much was unread.",
    requests.events.map(({ fate, count }) => ({ labels: { fate }, value: count })),
  );
  metrics.histogram(
    "xenstored_journal_append_duration_seconds",
    "Writing a turn's commits to the journal, with its sync.",
    [{ labels: {}, duration: requests.journalAppends }],
  );
}

function addCore(metrics: Metrics, { core }: DaemonFigures): void {
  metrics.gauge("xenstored_connections", "Connections, by whom they speak for.", [
    { labels: { kind: "dom0" }, value: core.dom0Connections },
    { labels: { kind: "guest" }, value: core.guestConnections },
  ]);
  metrics.gauge("xenstored_domains", "Domains that the store knows.", core.domains);
  metrics.gauge("xenstored_nodes", "Nodes in the store.", core.nodes);
  metrics.gauge("xenstored_watches", "Registered watches.", core.watches);
  metrics.gauge("xenstored_transactions_open", "Transactions that have not ended.", core.transactions);
  metrics.gauge(
    "xenstored_transaction_log_bytes",
    "What is kept of the requests of open transactions.",
    core.transactionLogBytes,
  );
  metrics.gauge("xenstored_outbox_bytes", "Output that clients have not read.", core.outboxBytes);
}

function addTurns(metrics: Metrics, { core: { turns } }: DaemonFigures): void {
  metrics.gauge("xenstored_turn_waiters", "Contended transactions that wait for their turn.", turns.waiting);
  metrics.counter("xenstored_turns_total", "Turns of contended transactions.", turns.turns);
  metrics.counter("xenstored_turn_waits_total", "Waits for a turn.", turns.waits);
  metrics.counter(
    "xenstored_turn_waits_ended_total",
    "Waits for a turn that were ended because they took too long.",
    turns.waitsEnded,
  );
  metrics.counter("xenstored_turns_lost_total", "Turns that were taken from who was slow.", turns.turnsLost);
  metrics.counter(
    "xenstored_turn_wait_seconds_total",
    "Time that contended transactions waited, all together.",
    turns.waitedMilliseconds / 1000,
  );
}

function addHistory(metrics: Metrics, { journal, recorder }: DaemonFigures): void {
  const { lag } = recorder;
  metrics.gauge("xenstored_journal_bytes", "Size of the journal.", journal.bytes);
  metrics.gauge("xenstored_journal_segments", "Files of the journal.", journal.segments);
  metrics.gauge("xenstored_history_lag_commits", "Acknowledged commits that are not in the history yet.", lag.commits);
  metrics.gauge("xenstored_history_lag_bytes", "Their lines in the journal.", lag.bytes);
  metrics.gauge("xenstored_history_lag_seconds", "Age of the oldest of them.", lag.seconds);
  metrics.gauge(
    "xenstored_history_failing",
    "1 while the history cannot be written; the log says why.",
    recorder.isFailing ? 1 : 0,
  );
  metrics.gauge("xenstored_packs", "Packs of the repository that are in use.", recorder.packs);
  metrics.gauge(
    "xenstored_packs_retired",
    "Packs that were merged into others and are not removed yet.",
    recorder.packsRetired,
  );
  metrics.gauge("xenstored_pack_bytes", "Size of the packs in use and their indexes.", recorder.packBytes);
  metrics.counter("xenstored_seals_total", "Packs that were written.", recorder.packsSealed);
  metrics.counter("xenstored_sealed_bytes_total", "Bytes of these packs.", recorder.bytesSealed);
  metrics.counter("xenstored_seal_seconds_total", "Time that writing them took.", recorder.sealSeconds);
  metrics.counter(
    "xenstored_consolidation_seconds_total",
    "Time spent on merging, dropping and removing packs.",
    recorder.maintenanceSeconds,
  );
}

function addProcess(metrics: Metrics, { eventLoop, process }: DaemonFigures): void {
  metrics.gauge(
    "xenstored_event_loop_delay_seconds",
    "How late the daemon's event loop was since the last scrape.",
    Object.entries({
      mean: eventLoop.meanSeconds,
      p50: eventLoop.p50Seconds,
      p99: eventLoop.p99Seconds,
      max: eventLoop.maxSeconds,
    }).map(([statistic, value]) => ({ labels: { statistic }, value })),
  );
  metrics.counter("process_cpu_seconds_total", "Processor time of all threads.", process.cpuSeconds);
  metrics.gauge("process_resident_memory_bytes", "Resident memory.", process.residentBytes);
  metrics.gauge(
    "process_start_time_seconds",
    "When the process began, since the beginning of 1970.",
    process.startedSeconds,
  );
  metrics.gauge("nodejs_heap_size_total_bytes", "Heap of the main thread.", process.heapBytes);
  metrics.gauge("nodejs_heap_size_used_bytes", "Heap of the main thread that is used.", process.heapUsedBytes);
}

/** A registry that is filled once. What has labels, and nothing yet that they could be about, is left out. */
class Metrics {
  readonly #registry = new Registry();

  counter(name: string, help: string, figures: number | readonly Sample[]): void {
    const samples = samplesOf(figures);
    if (samples.length === 0) return;
    const metric = new Counter({ name, help, labelNames: labelNamesOf(samples), registers: [this.#registry] });
    for (const { labels = {}, value } of samples) metric.inc(labels, value);
  }

  gauge(name: string, help: string, figures: number | readonly Sample[]): void {
    const samples = samplesOf(figures);
    if (samples.length === 0) return;
    const metric = new Gauge({ name, help, labelNames: labelNamesOf(samples), registers: [this.#registry] });
    for (const { labels = {}, value } of samples) metric.set(labels, value);
  }

  histogram(name: string, help: string, samples: readonly DurationSample[]): void {
    if (samples.length > 0) this.#registry.registerMetric(new CountedDurations(name, help, samples));
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

interface DurationSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly duration: DurationFigures;
}

/** A histogram whose classes were counted elsewhere. */
class CountedDurations extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #samples: readonly DurationSample[];

  constructor(name: string, help: string, samples: readonly DurationSample[]) {
    super({ name, help, labelNames: labelNamesOf(samples), registers: [] });
    this.#name = name;
    this.#help = help;
    this.#samples = samples;
  }

  override get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    const values = this.#samples.flatMap((sample) => valuesOf(this.#name, sample));
    return Promise.resolve({
      name: this.#name,
      help: this.#help,
      type: "histogram",
      values,
      aggregator: "sum",
    } as never);
  }

  /** What a registry asks for the text, where there is one; else it would be the histogram's own, empty. */
  getForPromString(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    return this.get();
  }
}

/** A value for each class and those below it, the sum and the count. */
function valuesOf(name: string, { labels, duration }: DurationSample): object[] {
  let count = 0;
  const classes = duration.counts.map((inClass, index) => {
    count += inClass;
    const le = duration.bounds[index] ?? "+Inf";
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count, exemplar: null };
  });
  return [
    ...classes,
    { metricName: `${name}_sum`, labels, value: duration.seconds },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

/** A figure without labels is a sample by itself. */
function samplesOf(figures: number | readonly Sample[]): readonly Sample[] {
  return typeof figures === "number" ? [{ value: figures }] : figures;
}

function labelNamesOf(samples: readonly { readonly labels?: Readonly<Record<string, string>> }[]): string[] {
  return Object.keys(samples[0]?.labels ?? {});
}
