/**
 * A daemon's life as a list of steps on one disk, without threads, sockets and timers, and every moment at which it can die.
 *
 * Owns the steps and the points. What a life does at its start is the daemon's own code (`recover-state.ts`,
 * `open-recorder.ts`); then it does what the daemon does, in its order: the journal as the server drives it, the recorder and
 * the maintenance as `recorder-loop.ts` drives them, with a clock that goes on when it is looked at. What it promises is
 * written into a `HistoryModel`. To have a new part of the daemon tried at every crash point, add a step.
 */
import type { Maintenance } from "../../daemon/history/recorder/maintenance.js";
import { openRecorder } from "../../daemon/history/recorder/open-recorder.js";
import type { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import type { RetentionThreshold } from "../../daemon/history/recorder/retention-plan.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { JournalFollower } from "../../daemon/journal/follower.js";
import type { Durability, Journal } from "../../daemon/journal/journal.js";
import type { FileSystem, OpenFile } from "../../daemon/platform/file-system.js";
import { recoverState } from "../../daemon/recover-state.js";
import type { Root } from "../../daemon/store/root.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "./memory-file-system.js";
import { HistoryModel } from "./history-model.js";

const STATE_DIRECTORY = "/state";
/** Where the repository is. */
export const REPOSITORY_DIRECTORY: string = `${STATE_DIRECTORY}/store.git`;
const JOURNAL_DIRECTORY = `${STATE_DIRECTORY}/journal/main`;

/** Some four commits. */
const SEGMENT_BYTES_MAX = 1500;
/** How far a look at the clock moves it: a step of the maintenance then ends after each pause of its work. */
const LOOK_MILLISECONDS = 3;
/** Long against the looks of a whole merge, so that it passes only where a scenario lets it. */
const RETIREMENT_MILLISECONDS = 100_000;
/** Small enough for the limits to drop something more than once. */
const RETENTION_THRESHOLD: RetentionThreshold = { commitsMin: 4, partMin: 0.1 };
/** How many commits more than the limit says may be left when the maintenance is at rest. */
export const COMMITS_TOO_MANY_MAX: number = RETENTION_THRESHOLD.commitsMin - 1;
/** Far more than any life needs to come to rest. */
const STEPS_MAX = 20_000;

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
  readonly maintenance: Maintenance;
  readonly #follower: JournalFollower;
  readonly #failures: string[] = [];
  /** The monotonic clock. */
  #now = 0;

  constructor({ disk, model, durability }: LifeOptions) {
    this.model = model;
    createRepository(disk, REPOSITORY_DIRECTORY);
    const { journal, root, seq } = recoverState({
      fileSystem: disk,
      stateDirectory: STATE_DIRECTORY,
      repositoryDirectory: REPOSITORY_DIRECTORY,
      durability,
      bootId: `boot-${String(model.boot)}`,
      segmentBytesMax: SEGMENT_BYTES_MAX,
    });
    this.found = { seq, root };
    this.journal = journal;
    const { recorder, maintenance } = openRecorder({
      fileSystem: disk,
      repositoryDirectory: REPOSITORY_DIRECTORY,
      ref: MAIN_REF,
      hostName: model.hostName,
      monotonicMilliseconds: () => (this.#now += LOOK_MILLISECONDS),
      retirementMillisecondsMin: RETIREMENT_MILLISECONDS,
      retirementMilliseconds: RETIREMENT_MILLISECONDS,
      isInUse: () => false,
      onFailure: (reason) => this.#failures.push(reason),
      retention: {
        limits: { keepCommits: model.keepCommits, keepSeconds: undefined },
        threshold: RETENTION_THRESHOLD,
        onDropped: () => undefined,
      },
    });
    this.recorder = recorder;
    this.maintenance = maintenance;
    this.#follower = new JournalFollower(disk, JOURNAL_DIRECTORY, recorder.recordedSeq);
  }

  /** A tick that commits. */
  append(commits: number): void {
    this.journal.append(this.model.extend(commits));
    this.model.acknowledged = this.model.appended;
  }

  /** A turn of the recorder's thread. */
  record(commitsMax = Infinity): void {
    for (const commit of this.#follower.readUpTo(this.journal.position(), commitsMax)) this.recorder.record(commit);
    while (this.recorder.isIndexIncomplete) this.recorder.repairIndex(256);
  }

  /** A seal, and what the main thread does when it hears of it. */
  seal(): void {
    const pack = this.recorder.seal();
    if (pack !== undefined) this.maintenance.noteSeal(pack);
    const { sealedSeq } = this.recorder.progress();
    this.model.sealed = sealedSeq;
    this.journal.discardThrough(sealedSeq);
  }

  /** Commits that are sealed at once. */
  commit(commits: number): void {
    this.append(commits);
    this.record();
    this.seal();
  }

  /** Maintains the repository for so many steps, or until it must wait. */
  maintain(stepsMax = STEPS_MAX): void {
    for (let steps = 0; steps < stepsMax && this.maintenance.isDue; steps++) this.#step(steps);
  }

  /** Maintains it until there is nothing left to do, whatever time passes. */
  settle(): void {
    for (let steps = 0; ; steps++) {
      const milliseconds = this.maintenance.millisecondsUntilDue();
      if (milliseconds === undefined) return;
      this.#now += milliseconds;
      this.#step(steps);
    }
  }

  #step(steps: number): void {
    this.maintenance.step();
    if (this.#failures.length > 0) throw new Error(`the maintenance failed: ${this.#failures.join("; ")}`);
    if (steps >= STEPS_MAX - 1) throw new Error("the maintenance does not come to rest");
  }

  /** Asks for the history to begin at a commit. */
  compact(seq: number): void {
    const { model } = this;
    model.askToBeginAt(seq);
    this.maintenance.compact(`@{${String(seq)}}`, (answer) => {
      if (!("failure" in answer)) {
        if (answer.refusal !== undefined) this.#failures.push(answer.refusal);
        model.answerBeginningAt(seq);
      } else if (answer.failure !== "the daemon stops" && answer.failure !== "it was interrupted") {
        this.#failures.push(answer.failure);
      }
    });
  }

  /** The end of the process, gentle or not, as far as files are concerned. */
  end(): void {
    this.maintenance.close();
    this.#follower.close();
    this.recorder.close();
    this.journal.close();
  }
}

/** A part of a scenario. */
export type ScenarioStep =
  /**
   * The process ends and is started again; what the recorder had not sealed it records again. From there on the history
   * is limited to so many commits, where a limit is given.
   */
  | { readonly kind: "restart"; readonly keepCommits?: number }
  /** Somebody else makes a tag, which is on the disk at once. */
  | { readonly kind: "tag"; readonly name: string; readonly seq: number }
  | { readonly kind: "run"; readonly run: (life: Life) => void };

function run(work: (life: Life) => void): ScenarioStep {
  return { kind: "run", run: work };
}

/** Journal and recorder. Between the starts the life rotates its journal several times and discards segments. */
export const RECORDING: readonly ScenarioStep[] = [
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

/** Seals that are as many as the plan leaves unmerged. */
const UNMERGED_SEALS = 7;

/**
 * Merging, dropping and removing, each of them with commits in its midst, and cut short by a restart as well as brought to
 * its end.
 */
export const MAINTAINING: readonly ScenarioStep[] = [
  run((life) => {
    for (let seals = 0; seals < UNMERGED_SEALS; seals++) life.commit(2);
  }),
  { kind: "tag", name: "refs/tags/old", seq: 3 },
  // Eight packs are merged; a ninth comes meanwhile.
  run((life) => {
    life.commit(2);
    life.maintain(3);
    life.commit(1);
    life.maintain();
  }),
  { kind: "restart" },
  run((life) => {
    life.settle();
  }),
  // To its end without a restart: shallow, the rewriting, and the note, which goes with the old packs.
  run((life) => {
    life.commit(2);
    life.compact(8);
    life.maintain(4);
    life.commit(1);
    life.maintain();
    life.append(1);
    life.settle();
  }),
  // Its packs are replaced and not yet removed; the restart does it all once more, and has limits to keep besides.
  run((life) => {
    life.commit(2);
    life.compact(13);
    life.maintain();
    life.append(1);
  }),
  { kind: "restart", keepCommits: 9 },
  run((life) => {
    life.record();
    for (let seals = 0; seals < 3; seals++) {
      life.commit(2);
      life.maintain(6);
    }
    life.settle();
    life.append(2);
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
    else if (step.kind === "tag") {
      const refs = new RefStore(memory, REPOSITORY_DIRECTORY);
      refs.update(step.name, { expected: undefined, to: model.oidAt(step.seq) });
      model.tags.set(step.name, step.seq);
    } else {
      life.end();
      if (step.keepCommits !== undefined) model.keepCommits = step.keepCommits;
      life = new Life({ disk, model, durability });
    }
  }
  life.end();
  return { disk: memory, model };
}

/** A file system that calls `visit` before each change of the one behind it. */
export function observe(memory: MemoryFileSystem, model: HistoryModel, visit: (point: CrashPoint) => void): FileSystem {
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
