/**
 * A daemon's life as a list of steps on one disk, without threads, sockets and timers, and every moment at which it can die.
 *
 * Owns the steps and the points. A life does what the daemon does, in its order: `daemon.ts` at the start, the journal as
 * the server drives it, the recorder as `recorder-loop.ts` drives it; what it promises is written into a `HistoryModel`. To
 * have a new part of the daemon tried at every crash point, add a step.
 */
import type { Seq } from "../../protocol/identifiers.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { loadTip } from "../../daemon/history/recorder/load-tip.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { JournalFollower } from "../../daemon/journal/follower.js";
import { openJournal, type Durability, type Journal } from "../../daemon/journal/journal.js";
import type { FileSystem, OpenFile } from "../../daemon/platform/file-system.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "./memory-file-system.js";
import { HistoryModel } from "./history-model.js";

const STATE_DIRECTORY = "/state";
/** Where the repository is. */
export const REPOSITORY_DIRECTORY: string = `${STATE_DIRECTORY}/store.git`;
const JOURNAL_DIRECTORY = `${STATE_DIRECTORY}/journal/main`;

/** Some four commits. */
const SEGMENT_BYTES_MAX = 1500;

/** What a life goes on from. */
export interface LifeOptions {
  readonly disk: FileSystem;
  readonly model: HistoryModel;
  readonly durability: Durability;
}

/** A daemon from one start to its end. Making one is the start; it throws what a start throws. */
export class Life {
  readonly model: HistoryModel;
  /** The root and the last commit that it found. */
  readonly found: { readonly seq: number; readonly root: Root };
  readonly journal: Journal;
  readonly recorder: HistoryRecorder;
  readonly #follower: JournalFollower;

  constructor({ disk, model, durability }: LifeOptions) {
    this.model = model;
    createRepository(disk, REPOSITORY_DIRECTORY);
    const tip = loadTip(disk, REPOSITORY_DIRECTORY);
    const after = tip?.seq ?? (0 as Seq);
    const { journal, recovered } = openJournal({
      fileSystem: disk,
      directory: JOURNAL_DIRECTORY,
      after,
      durability,
      segmentBytesMax: SEGMENT_BYTES_MAX,
    });
    let root = tip?.root ?? emptyRoot();
    for (const commit of recovered) root = applyChanges(root, commit.changes, commit.seq);
    this.found = { seq: recovered.at(-1)?.seq ?? after, root };
    this.journal = journal;
    createRepository(disk, REPOSITORY_DIRECTORY);
    this.recorder = new HistoryRecorder({
      fileSystem: disk,
      repositoryDirectory: REPOSITORY_DIRECTORY,
      ref: MAIN_REF,
      hostName: "host",
    });
    this.#follower = new JournalFollower(disk, JOURNAL_DIRECTORY, this.recorder.recordedSeq);
  }

  /** A tick that commits. */
  append(commits: number): void {
    this.journal.append(this.model.extend(commits));
    this.model.acknowledged = this.model.appended;
  }

  /** A turn of the recorder's thread. */
  record(commitsMax = Infinity): void {
    for (const commit of this.#follower.readUpTo(this.journal.position(), commitsMax)) this.recorder.record(commit);
  }

  /** A seal, and what the main thread does when it hears of it. */
  seal(): void {
    this.recorder.seal();
    const { sealedSeq } = this.recorder.progress();
    this.model.sealed = sealedSeq;
    this.journal.discardThrough(sealedSeq);
  }

  /** The end of the process, gentle or not, as far as files are concerned. */
  end(): void {
    this.#follower.close();
    this.journal.close();
  }
}

/** A part of a scenario. */
export type ScenarioStep =
  /** The process ends and is started again; what the recorder had not sealed it records again. */
  { readonly kind: "restart" } | { readonly kind: "run"; readonly run: (life: Life) => void };

function run(work: (life: Life) => void): ScenarioStep {
  return { kind: "run", run: work };
}

/** The steps after the first start. Between them the life has rotated its journal several times and has discarded segments. */
export const SCENARIO: readonly ScenarioStep[] = [
  run((life) => {
    life.append(1);
    life.append(3);
  }),
  run((life) => {
    life.record();
    life.seal();
  }),
  run((life) => {
    life.append(4);
    life.record(2);
    life.append(2);
    life.seal();
    life.append(3);
  }),
  { kind: "restart" },
  run((life) => {
    life.record(3);
    life.append(1);
    life.record();
    life.seal();
    life.append(5);
    life.append(1);
  }),
  run((life) => {
    life.record();
    life.seal();
    life.append(2);
    life.record();
  }),
];

/** The moment before a call that changes the disk. */
export interface CrashPoint {
  /** Of the call, counted from the first start. */
  readonly index: number;
  /** Such as `write /state/journal/main/0000000000000001.journal`. */
  readonly call: string;
  /** The disk at this moment, as often as asked for a new one; with the first bytes of the write done, where it is one. */
  disk(partOfWrite?: "half"): MemoryFileSystem;
  readonly isWrite: boolean;
  /** What was promised at this moment; a new copy each time. */
  model(): HistoryModel;
}

/** Which life, and who is told of its moments. */
export interface ScenarioRun {
  readonly durability: Durability;
  readonly steps: readonly ScenarioStep[];
  readonly visit: (point: CrashPoint) => void;
}

/** Plays a scenario to its end, calling `visit` at every crash point; returns the disk and the model at the end. */
export function playScenario({ durability, steps, visit }: ScenarioRun): {
  readonly disk: MemoryFileSystem;
  readonly model: HistoryModel;
} {
  const memory = createMemoryFileSystem();
  memory.makeDirectory(STATE_DIRECTORY);
  memory.syncDirectory("/");
  const model = new HistoryModel();
  const disk = observe(memory, model, visit);
  let life = new Life({ disk, model, durability });
  for (const step of steps) {
    if (step.kind === "run") step.run(life);
    else {
      life.end();
      life = new Life({ disk, model, durability });
    }
  }
  life.end();
  return { disk: memory, model };
}

/** Visits every crash point of the start after a crash; a start that fails is the visitor's caller's to see. */
export function playStart(
  start: LifeOptions & { readonly disk: MemoryFileSystem },
  visit: (point: CrashPoint) => void,
): Life {
  return new Life({ ...start, disk: observe(start.disk, start.model, visit) });
}

/** A file system that calls `visit` before each change of the one behind it. */
function observe(memory: MemoryFileSystem, model: HistoryModel, visit: (point: CrashPoint) => void): FileSystem {
  let count = 0;
  const before = (call: string, halfDone?: (fork: MemoryFileSystem) => void): void => {
    visit({
      index: count++,
      call,
      isWrite: halfDone !== undefined,
      disk: (part) => {
        const fork = memory.fork();
        if (part === "half") halfDone?.(fork);
        return fork;
      },
      model: () => model.fork(),
    });
  };
  const observeFile = (file: OpenFile, path: string): OpenFile => ({
    ...file,
    write: (data, position) => {
      before(`write ${path}`, (fork) => {
        const open = fork.open(path, "write");
        open.write(data.subarray(0, data.length >> 1), position);
        open.close();
      });
      return file.write(data, position);
    },
    truncate: (length) => {
      before(`truncate ${path}`);
      file.truncate(length);
    },
    syncData: () => {
      before(`syncData ${path}`);
      file.syncData();
    },
    sync: () => {
      before(`sync ${path}`);
      file.sync();
    },
  });
  return {
    ...memory,
    open: (path, mode) => {
      if (mode === "create") before(`create ${path}`);
      return observeFile(memory.open(path, mode), path);
    },
    makeDirectory: (path) => {
      before(`makeDirectory ${path}`);
      memory.makeDirectory(path);
    },
    rename: (from, to) => {
      before(`rename ${to}`);
      memory.rename(from, to);
    },
    remove: (path) => {
      before(`remove ${path}`);
      memory.remove(path);
    },
    syncDirectory: (path) => {
      before(`syncDirectory ${path}`);
      memory.syncDirectory(path);
    },
  };
}
