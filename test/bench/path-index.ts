/**
 * `npm run bench -- path-index [--commits N]`: the commits of a path, and what it costs to find them fast.
 *
 * Records N commits (100,000 unless told) of guests that boot, run and go, a hundred at a time, and asks for the last commits of
 * paths and for the origin of each node. Warm is the median of many after some; the rest of the figures says what a walk costs
 * without the index, how large the index is, and how much of the recorder's time it takes: the index is written
 * a second time, beside the repository, in turns with the recorder. While the recorder lags most of that waits until it is idle.
 */
import { mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blame } from "../../daemon/history/query/blame.js";
import { openHistory, type History, type HistoryView } from "../../daemon/history/query/history.js";
import { walkLog } from "../../daemon/history/query/log.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { oidFromHex } from "../../daemon/history/object/oid.js";
import type { FoundCommit } from "../../daemon/history/repository/find-commit.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { pathIndexDirectory } from "../../daemon/history/repository/path-index-files.js";
import { PathIndexWriter } from "../../daemon/history/repository/path-index-writer.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Change, Commit } from "../../daemon/store/commit.js";
import type { Domid, Microseconds, Path, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { median, rounded, type BenchmarkOptions, type Figures } from "./figures.js";

const COMMITS = 100_000;
/** Guests at a time. */
const GUESTS = 100;
/** Commits of a guest, from its making to its removal. */
const LIFE = 50;
const SEAL_COMMITS = 4096;
/** As the recorder's loop does it when it lags. */
const BATCH_COMMITS = 128;
const BATCH_INDEXED = 16;
const LAST = 20;
const QUERIES = 25;
const WALKED = 5000;
const PERMS = parsePerms(["n0"]) as Perms;

function set(path: string, value: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: { value, perms: PERMS } };
}

function remove(path: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: undefined };
}

/** What a guest writes again and again. */
const WRITTEN = [
  "/local/domain/D/device/vif/0/state",
  "/local/domain/0/backend/vif/D/0/state",
  "/local/domain/D/device/vbd/51712/state",
  "/local/domain/0/backend/vbd/D/51712/state",
  "/local/domain/D/memory/target",
  "/local/domain/D/data/updated",
];
/** What is made for a guest, parents first. */
const MADE = [
  "/local/domain/D",
  "/local/domain/D/name",
  "/local/domain/D/memory",
  "/local/domain/D/data",
  "/local/domain/D/device",
  "/local/domain/D/device/vif",
  "/local/domain/D/device/vif/0",
  "/local/domain/D/device/vif/0/mac",
  "/local/domain/D/device/vbd",
  "/local/domain/D/device/vbd/51712",
  "/local/domain/0/backend/vif/D",
  "/local/domain/0/backend/vif/D/0",
  "/local/domain/0/backend/vbd/D",
  "/local/domain/0/backend/vbd/D/51712",
  ...WRITTEN,
];
/** What goes with a guest. */
const REMOVED = ["/local/domain/D", "/local/domain/0/backend/vif/D", "/local/domain/0/backend/vbd/D"];
const BEFORE_ALL = [
  "/local",
  "/local/domain",
  "/local/domain/0",
  "/local/domain/0/backend",
  "/local/domain/0/backend/vif",
  "/local/domain/0/backend/vbd",
  "/tool",
  "/tool/xenstored",
];

interface Guest {
  readonly domid: number;
  age: number;
}

/** The commits, in order; the guests take turns and are of different ages. */
export class GuestCommits {
  readonly #guests: (Guest | undefined)[] = [];
  #seq = 0;
  #nextDomid = 1;

  next(): Commit {
    const seq = ++this.#seq;
    const changes = seq === 1 ? BEFORE_ALL.map((path) => set(path, "")) : this.#changes(seq);
    const subject = changes[0]?.kind === "node" ? changes[0].path : "";
    return {
      seq: seq as Seq,
      time: (1_767_225_600_000_000 + seq * 1000) as Microseconds,
      origin: { domid: 0 as Domid, connection: "socket-1", transaction: undefined },
      base: (seq - 1) as Seq,
      requests: [{ operation: "WRITE", subject, detail: String(seq), detailBytes: String(seq).length }],
      requestsOmitted: 0,
      changes,
    };
  }

  #changes(seq: number): Change[] {
    const slot = seq % GUESTS;
    const guest = this.#guests[slot];
    if (guest === undefined) {
      // The first ones die at different times.
      const age = seq <= GUESTS + 1 ? Math.floor((slot * LIFE) / GUESTS) : 0;
      const made = (this.#guests[slot] = { domid: this.#nextDomid++, age });
      return MADE.map((path) => set(pathOf(path, made.domid), "0"));
    }
    guest.age++;
    if (guest.age < LIFE) return [set(pathOf(WRITTEN[guest.age % WRITTEN.length] as string, guest.domid), String(seq))];
    this.#guests[slot] = undefined;
    return REMOVED.map((path) => remove(pathOf(path, guest.domid)));
  }

  /** A guest that is there. */
  get guest(): number {
    return this.#guests.find((guest) => guest !== undefined)?.domid ?? 0;
  }
}

function pathOf(path: string, domid: number): Path {
  return path.replace("D", String(domid)) as Path;
}

/** Adds up what some work takes. */
class Stopwatch {
  milliseconds = 0;
  longestMilliseconds = 0;

  time(run: () => void): void {
    const time = milliseconds(run);
    this.milliseconds += time;
    this.longestMilliseconds = Math.max(this.longestMilliseconds, time);
  }
}

/** A recorder and what it records. */
interface Recording {
  readonly recorder: HistoryRecorder;
  readonly stream: GuestCommits;
  /** What all took, and what an index took that was written beside. */
  readonly all: Stopwatch;
  readonly index: Stopwatch;
  readonly indexSteps: Stopwatch;
}

/** Records, and after each batch writes the index of its commits once more, so that both are measured on the same machine. */
function record(directory: string, commits: number): Recording {
  createRepository(nodeFileSystem, directory);
  const place = { fileSystem: nodeFileSystem, ref: MAIN_REF };
  const recorder = new HistoryRecorder({ ...place, repositoryDirectory: directory, hostName: "bench" });
  const beside = `${directory}.index`;
  nodeFileSystem.makeDirectory(`${beside}/xenstore-tng`);
  symlinkSync(`${directory}/xenstore-tng/seq`, `${beside}/xenstore-tng/seq`);
  const writer = new PathIndexWriter({ ...place, repositoryDirectory: beside }, undefined);
  const [all, index, indexSteps] = [new Stopwatch(), new Stopwatch(), new Stopwatch()];
  const stream = new GuestCommits();
  const seal = (): void => {
    all.time(() => recorder.seal());
    const { tip } = recorder.progress();
    index.time(() => {
      writer.publish(oidFromHex(tip as string));
    });
  };
  for (let seq = 1; seq <= commits; seq += BATCH_COMMITS) {
    const batch = Array.from({ length: Math.min(BATCH_COMMITS, commits - seq + 1) }, () => stream.next());
    all.time(() => {
      for (const commit of batch) recorder.record(commit);
      if (recorder.isIndexIncomplete) recorder.repairIndex(BATCH_INDEXED, true);
    });
    index.time(() => {
      for (const commit of batch) writer.note(commit.seq, commit.changes);
    });
    if (recorder.isFull || (seq - 1) % SEAL_COMMITS === 0) seal();
    if (writer.isPressing) {
      indexSteps.time(() => {
        writer.step(1);
      });
    }
  }
  seal();
  while (recorder.isIndexIncomplete) {
    all.time(() => {
      recorder.repairIndex(1);
    });
  }
  while (writer.isWorkDue) {
    indexSteps.time(() => {
      writer.step(1);
    });
  }
  writer.close();
  rmSync(beside, { recursive: true });
  return { recorder, stream, all, index, indexSteps };
}

function milliseconds(run: () => unknown): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function lastOf(view: HistoryView, path: Path): FoundCommit[] {
  const found: FoundCommit[] = [];
  for (const commit of walkLog(view, { to: view.tip(MAIN_REF) as FoundCommit }, { path })) {
    if (found.push(commit) === LAST) break;
  }
  return found;
}

/** The median time of a query. */
function warm(history: History, query: (view: HistoryView) => unknown): number {
  const times: number[] = [];
  for (let round = 0; round < QUERIES; round++) times.push(milliseconds(() => query(history.view())));
  return rounded(median(times.slice(5)));
}

function sizeOf(directory: string): { readonly bytes: number; readonly files: number } {
  const names = nodeFileSystem.list(directory);
  return { bytes: names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0), files: names.length };
}

/** `npm run bench -- path-index [--commits N]`. */
export function benchPathIndex({ commits = COMMITS }: BenchmarkOptions): Promise<Figures> {
  const directory = join(mkdtempSync(join(tmpdir(), "xenstore-bench-")), "store.git");
  try {
    const { recorder, stream, all, index, indexSteps } = record(directory, commits);
    const indexMilliseconds = index.milliseconds + indexSteps.milliseconds;
    const { bytes, files } = sizeOf(pathIndexDirectory({ repositoryDirectory: directory, ref: MAIN_REF }));
    const guest = stream.guest;
    const paths: Record<string, Path> = {
      leaf: pathOf(WRITTEN[0] as string, guest),
      "leaf that was written once": "/tool/xenstored" as Path,
      "domain 0": "/local/domain/0" as Path,
      "domain that is there": pathOf("/local/domain/D", guest),
      "domain that is gone": "/local/domain/5" as Path,
      "path that never was": "/local/domain/5/never" as Path,
      "/local/domain": "/local/domain" as Path,
      "/": "/" as Path,
    };
    const history = openHistory(nodeFileSystem, directory);
    const queries: Record<string, Figures> = {};
    for (const [name, path] of Object.entries(paths)) {
      const view = history.view();
      const tip = view.tip(MAIN_REF) as FoundCommit;
      queries[name] = {
        found: lastOf(view, path).length,
        logMilliseconds: warm(history, (each) => lastOf(each, path)),
        nodes: blame(view, tip, path).length,
        blameMilliseconds: warm(history, (each) => blame(each, tip, path)),
      };
    }
    const whileRecording: number[] = [];
    for (let round = 0; round < QUERIES; round++) {
      for (let count = 0; count < BATCH_COMMITS; count++) recorder.record(stream.next());
      recorder.seal();
      recorder.repairIndex(BATCH_INDEXED);
      whileRecording.push(milliseconds(() => lastOf(history.view(), "/local/domain/5" as Path)));
    }
    recorder.close();
    history.close();
    return Promise.resolve({
      commits,
      recordMicrosecondsPerCommit: rounded((all.milliseconds * 1000) / commits),
      indexMicrosecondsPerCommit: rounded((indexMilliseconds * 1000) / commits),
      indexPartPercent: rounded((indexMilliseconds * 100) / all.milliseconds),
      indexPartWhileLaggingPercent: rounded((index.milliseconds * 100) / all.milliseconds),
      indexLongestStepMilliseconds: rounded(indexSteps.longestMilliseconds),
      indexBytesPerCommit: rounded(bytes / commits),
      indexFiles: files,
      walkMicrosecondsPerCommit: walkCost(directory),
      ...queries,
      whileRecordingMilliseconds: rounded(median(whileRecording)),
      whileRecordingMillisecondsMax: rounded(Math.max(...whileRecording)),
    });
  } finally {
    rmSync(join(directory, ".."), { recursive: true, force: true });
  }
}

/** What a commit costs that a walk passes over; the index goes. */
function walkCost(directory: string): number {
  rmSync(pathIndexDirectory({ repositoryDirectory: directory, ref: MAIN_REF }), { recursive: true });
  const history = openHistory(nodeFileSystem, directory);
  const view = history.view();
  const to = view.tip(MAIN_REF) as FoundCommit;
  const from = view.commitWithSeq(MAIN_REF, (to.commit.trailers.seq as number) - WALKED) as FoundCommit;
  const walk = (): unknown => [...walkLog(view, { to, from }, { path: "/local/domain/5/never" as Path })];
  walk();
  const time = milliseconds(walk);
  history.close();
  return rounded((time * 1000) / WALKED);
}
