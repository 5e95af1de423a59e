import { describe, expect, test } from "vitest";
import {
  COMMITS_MAX,
  loadRecording,
  RECENT_COMMITS,
  type LoadProgress,
  type RecordingPorts,
} from "../../../../../clients/explorer/boot/load-recording.js";
import { microsecondsOf } from "../../../../../clients/explorer/words/times.js";
import type { ActivityCommit, ActivityQuery } from "../../../../../protocol/http-api/activity.js";
import type { TraceLineJson, TraceQuery } from "../../../../../protocol/http-api/trace.js";
import { iso, START } from "./recorded-boot.js";

const PAGE = 1000;
const LINES_PAGE = 5000;

const commit = (seq: number): ActivityCommit => ({
  ...{ oid: String(seq), seq, time: iso(START + seq * 10), subject: "", requests: [], changes: [] },
});
const lineAt = (time: number): TraceLineJson => ({ kind: "opened", time, connection: "a", domain: 0 });

/** A daemon with commits 1 to `tip`, ten microseconds apart. */
class Daemon implements RecordingPorts {
  tip: number;
  readonly lines: TraceLineJson[] = [];
  hasTrace = true;
  readonly asked: string[] = [];
  readonly told: LoadProgress[] = [];

  constructor(tip: number) {
    this.tip = tip;
  }

  density: RecordingPorts["density"] = async ({ from, to }) => {
    const seqOf = (revision: string): number => {
      if (revision === "HEAD") return this.tip;
      const inside = revision.slice(2, -1);
      const seq = inside.includes("T") ? Math.floor((microsecondsOf(inside) - START) / 10) : Number(inside);
      return Math.min(Math.max(seq, 1), this.tip);
    };
    return { from: commit(from === undefined ? 1 : seqOf(from)), to: commit(seqOf(to ?? "HEAD")), ends: [] };
  };

  activity = async ({ from, to, cursor }: ActivityQuery) => {
    // An object's name, here its number, or so many before it.
    const seqOf = (revision = ""): number => {
      const [oid = "", back = "0"] = revision.split("~");
      return Number(oid) - Number(back);
    };
    const [first = 0, last = 0] = cursor?.split(" ").map(Number) ?? [seqOf(from), seqOf(to)];
    const count = Math.min(PAGE, last - first + 1);
    this.asked.push(`${String(first)}..${String(first + count - 1)}`);
    const commits = Array.from({ length: count }, (_none, index) => commit(first + index));
    const next = first + count <= last ? `${String(first + count)} ${String(last)}` : undefined;
    return { commits, next };
  };

  trace = async ({ from = 0, to = Infinity, cursor = "0" }: TraceQuery) => {
    if (!this.hasTrace) return undefined;
    const found = this.lines.filter(({ time }) => time >= from && time <= to);
    const start = Number(cursor);
    const next = start + LINES_PAGE < found.length ? String(start + LINES_PAGE) : undefined;
    return { lines: found.slice(start, start + LINES_PAGE), next };
  };

  failures = async () => ({ failures: [] });

  progress = (progress: LoadProgress): void => {
    this.told.push(progress);
  };
}

const ends = (commits: readonly ActivityCommit[]): readonly (number | undefined)[] => [
  commits[0]?.seq,
  commits.at(-1)?.seq,
  commits.length,
];

describe("loadRecording", () => {
  test("loads the last commits up to the tip, page by page, and tells how far it is", async () => {
    const daemon = new Daemon(12_345);
    const { commits, omitted } = await loadRecording(daemon, { to: "HEAD" }, undefined);
    expect(ends(commits)).toEqual([12_345 - RECENT_COMMITS + 1, 12_345, RECENT_COMMITS]);
    expect(omitted).toBe(12_345 - RECENT_COMMITS);
    expect(daemon.told.filter(({ what }) => what === "commits").at(-1)).toEqual({
      what: "commits",
      done: 5000,
      of: 5000,
    });
    expect(daemon.told).toContainEqual({ what: "commits", done: 2000, of: 5000 });
  });

  test("asks only for what came since", async () => {
    const daemon = new Daemon(300);
    daemon.lines.push(lineAt(START + 10), lineAt(START + 3000));
    const held = await loadRecording(daemon, { to: "HEAD" }, undefined);
    daemon.tip = 305;
    daemon.lines.push(lineAt(START + 3000), lineAt(START + 3050));
    daemon.asked.length = 0;
    const { commits, lines } = await loadRecording(daemon, { to: "HEAD" }, held);
    expect(daemon.asked).toEqual(["301..305"]);
    expect(ends(commits)).toEqual([1, 305, 305]);
    expect(lines?.map(({ time }) => time - START)).toEqual([10, 3000, 3000, 3050]);
  });

  test("asks for what is before and behind what is held", async () => {
    const daemon = new Daemon(900);
    const span = (from: number, to: number) => ({ span: { from: START + from * 10, to: START + to * 10 } });
    const held = await loadRecording(daemon, span(400, 500), undefined);
    daemon.asked.length = 0;
    const { commits } = await loadRecording(daemon, span(300, 600), held);
    expect(daemon.asked).toEqual(["300..399", "501..600"]);
    expect(commits.map(({ seq }) => seq)).toEqual(Array.from({ length: 301 }, (_none, index) => 300 + index));
  });

  test("leaves out the commit before a span that a time names", async () => {
    const { commits } = await loadRecording(
      new Daemon(900),
      { span: { from: START + 4005, to: START + 5000 } },
      undefined,
    );
    expect(ends(commits)).toEqual([401, 500, 100]);
  });

  test("loads the last commits of a span that has too many, and says how many are left out", async () => {
    const daemon = new Daemon(COMMITS_MAX + 500);
    const { commits, omitted } = await loadRecording(
      daemon,
      { span: { from: START + 10, to: START + 10 * daemon.tip } },
      undefined,
    );
    expect(ends(commits)).toEqual([501, COMMITS_MAX + 500, COMMITS_MAX]);
    expect(omitted).toBe(500);
  });

  test("is without lines where the daemon keeps no trace", async () => {
    const daemon = new Daemon(10);
    daemon.hasTrace = false;
    expect((await loadRecording(daemon, { to: "HEAD" }, undefined)).lines).toBeUndefined();
  });

  test("is empty where a span is between two commits", async () => {
    const { commits } = await loadRecording(
      new Daemon(900),
      { span: { from: START + 4002, to: START + 4008 } },
      undefined,
    );
    expect(commits).toEqual([]);
  });
});
