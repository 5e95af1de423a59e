/**
 * Keeping the repository in order, in small steps between the recorder's own work.
 *
 * Owns what is done when: looking at the packs, merging those that the plan names, removing those that were superseded,
 * dropping old history (`retention.ts`) before the next merge, and waiting after a failure. It never touches a ref, and nothing
 * that it does is needed for the history to be complete: whatever fails here is tried again later, and recording goes on.
 * Source: design.md, "Journal and recorder".
 *
 *   noteSeal ──► due ──step()──► looking ──► merging ──► placed, the sources retired ──► due again … nothing to merge: idle
 *                                   │           │ a source vanished (somebody repacked): look again
 *                                   │           │ the disk refuses: wait, twice as long each time
 *                                   │           │ a source is damaged: it is left alone from now on
 *                                   ▼
 *                        retired packs whose time has come are removed before each look
 *
 * Invariants
 *  1. A step takes a few milliseconds, but for one sync or one object, which may take longer.
 *  2. A source is retired only when the pack that supersedes it is placed, and placed only when the record names it
 *     (retired-packs invariants 1 and 4).
 *  3. Packs that we did not make, that a person keeps (`.keep`) or that are superseded are no sources.
 *  4. No temporary file outlives a merge that ends without a result.
 *  5. Nothing is looked at or changed before it is known what an earlier process left (`#start`).
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import { messageOf } from "../../platform/error-message.js";
import { listIfPresent } from "../repository/durable-file.js";
import { isErrno } from "../../platform/errno.js";
import { DamagedObjectError } from "../repository/errors.js";
import { FileVanishedError } from "../repository/file-window.js";
import { MAIN_REF } from "../repository/layout.js";
import { ObjectReader } from "../repository/object-reader.js";
import { packPath } from "../repository/pack-entries.js";
import { discardWrittenPack, packDirectory, placeWrittenPack, removeKeep } from "../repository/pack-file.js";
import { planMerge, type PackSize } from "./merge-plan.js";
import { rewritePacks, type RewrittenPack } from "./merge-packs.js";
import { readPackFacts, type PackFacts } from "./pack-facts.js";
import { BackOff } from "./back-off.js";
import type { OwnForks } from "./own-forks.js";
import { Retention, type CompactionAnswer, type RetentionOptions } from "./retention.js";
import { RetiredPacks } from "./retired-packs.js";

/** What maintenance works with. */
export interface MaintenanceOptions {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** A clock that never steps back. */
  readonly monotonicMilliseconds: () => number;
  /** How long superseded packs stay at least. */
  readonly retirementMillisecondsMin: number;
  /** How long they stay when somebody may be using them. */
  readonly retirementMilliseconds: number;
  /** Whether any other process has a file of this directory open. */
  readonly isInUse: (directory: string) => boolean;
  /** Calls back when something failed; it is tried again. */
  readonly onFailure: (reason: string) => void;
  /** Which branch's history is kept how long; all of main's unless told. */
  readonly retention?: Pick<RetentionOptions, "branch" | "limits" | "threshold" | "onDropped">;
  /** The forks that are recorded in this thread, whose seals are told to `noteSeal` too; none unless told. */
  readonly forks?: OwnForks | undefined;
}

/** What the repository is like. */
export interface MaintenanceProgress {
  /** Packs in use. */
  readonly packs: number;
  /** Bytes of these and their indexes, as of the last look. */
  readonly packBytes: number;
  /** Packs that were superseded and are not yet removed. */
  readonly packsRetired: number;
  /** The commit that the history begins with; undefined when there is none yet. */
  readonly oldestSeq: Seq | undefined;
  /** Time spent on merging, dropping and removing since the start. */
  readonly maintenanceMilliseconds: number;
}

/** How long a step goes on. */
const STEP_MILLISECONDS = 4;
/** How long after a failure it is tried again; twice as long each time. */
const RETRY = { leastMilliseconds: 1000, mostMilliseconds: 300_000 };
/** How long after a source vanished: whoever repacks is not done yet. So often in a row, then it is a failure like others. */
const VANISHED_MILLISECONDS = 200;
const VANISHED_IN_A_ROW_MAX = 25;

const READER_MEMORY = { windowBytesMax: 8 * 1024 * 1024, baseBytesMax: 8 * 1024 * 1024, openFilesMax: 80 };

const KEEP_ALL = {
  branch: MAIN_REF,
  limits: { keepCommits: undefined, keepSeconds: undefined },
  onDropped: () => undefined,
};

/** A pack that is in the directory. */
interface KnownPack {
  readonly facts: PackFacts | undefined;
  readonly isDamaged: boolean;
}

/** The maintenance of one repository. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #reader: ObjectReader;
  readonly #retired: RetiredPacks;
  readonly #retention: Retention;
  readonly #known = new Map<string, KnownPack>();
  /** Packs that were placed and whose `.keep` could not be removed yet. */
  readonly #keeps = new Set<string>();
  #isStarted = false;
  #job: Generator<void, void> | undefined;
  /** Whether packs may have come since the last look. */
  #isStale = true;
  #packsSinceLook = 0;
  #isHurried = false;
  readonly #work = new BackOff(RETRY);
  readonly #removal = new BackOff(RETRY);
  #vanishedInARow = 0;
  #milliseconds = 0;

  /** Finds out at once what an earlier process left, if the disk allows; if not, the first step tries again. */
  constructor(options: MaintenanceOptions) {
    this.#options = options;
    const { fileSystem, repositoryDirectory, monotonicMilliseconds, isInUse } = options;
    this.#reader = new ObjectReader(fileSystem, repositoryDirectory, READER_MEMORY);
    this.#retired = new RetiredPacks({
      fileSystem,
      repositoryDirectory,
      monotonicMilliseconds,
      leastMilliseconds: options.retirementMillisecondsMin,
      mostMilliseconds: options.retirementMilliseconds,
      isInUse,
    });
    this.#retention = new Retention({
      ...(options.retention ?? KEEP_ALL),
      fileSystem,
      repositoryDirectory,
      monotonicMilliseconds,
      reader: this.#reader,
      retired: this.#retired,
      forks: options.forks,
      onFailure: options.onFailure,
    });
    try {
      this.#start();
      this.#retention.start();
    } catch {
      // The steps report it.
    }
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#retired.load();
    this.#isStarted = true;
  }

  /** Says that a recorder placed a pack, of whichever branch, by its checksum in hexadecimal. */
  noteSeal(pack: string): void {
    this.#isStale = true;
    this.#packsSinceLook++;
    this.#retired.takeBack(pack);
    this.#retention.noteSeal(pack);
  }

  /** Whether old history waits to be dropped, or is being dropped: that must get time even while the recorder lags. */
  get isPressing(): boolean {
    return this.#retention.isPressingAt(this.#options.monotonicMilliseconds());
  }

  /**
   * Drops the history before a commit as soon as may be: a merge that is under way is given up for it.
   *
   * @param answer - called once, at the end
   */
  compact(revision: string, answer: (answer: CompactionAnswer) => void): void {
    this.#retention.request(revision, answer);
    this.#work.notBefore = 0;
    if (this.#retention.isRunning) return;
    this.#job?.return();
    this.#job = undefined;
    this.#isStale = true;
  }

  /** How long until there is something to do; undefined when there is nothing. */
  millisecondsUntilDue(): number | undefined {
    const due = this.#dueAt();
    return due === undefined ? undefined : Math.max(0, Math.ceil(due - this.#options.monotonicMilliseconds()));
  }

  /** On the monotonic clock. */
  #dueAt(): number | undefined {
    const retired = this.#removalDueAt();
    const work = this.#job !== undefined || this.#isStale ? 0 : undefined;
    const retention = this.#retention.dueMilliseconds();
    if (retired === undefined && work === undefined && retention === undefined) return undefined;
    // What was replaced is removed whatever has failed: that is how a full disk gets room again.
    return Math.min(
      retired ?? Infinity,
      Math.max(this.#work.notBefore, Math.min(work ?? Infinity, retention ?? Infinity)),
    );
  }

  /** Whether there is something to do now. */
  get isDue(): boolean {
    return this.millisecondsUntilDue() === 0;
  }

  /**
   * Works for a few milliseconds. Never throws: what fails is reported and tried again.
   *
   * @param isHurried - whether the recorder lags: then what can wait is left for later
   */
  step(isHurried = false): void {
    const { monotonicMilliseconds } = this.#options;
    this.#isHurried = isHurried;
    const start = monotonicMilliseconds();
    const end = start + STEP_MILLISECONDS;
    try {
      this.#start();
      this.#removeRetired();
      if (monotonicMilliseconds() < this.#work.notBefore) return;
      do {
        this.#job ??= this.#nextJob();
        if (this.#job === undefined) return;
        if (this.#job.next().done === true) this.#job = undefined;
      } while (monotonicMilliseconds() < end);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#milliseconds += monotonicMilliseconds() - start;
    }
  }

  #nextJob(): Generator<void, void> | undefined {
    if (this.#retention.isDueAt(this.#options.monotonicMilliseconds())) {
      // It may leave packs that are worth merging.
      this.#isStale = true;
      return this.#retention.run();
    }
    if (!this.#isStale) return undefined;
    this.#isStale = false;
    return this.#consolidate();
  }

  progress(): MaintenanceProgress {
    const retired = this.#retired.names();
    let packs = this.#packsSinceLook;
    let packBytes = 0;
    for (const [name, { facts }] of this.#known) {
      if (retired.has(name)) continue;
      packs++;
      packBytes += facts?.bytes ?? 0;
    }
    const { oldestSeq } = this.#retention;
    return { packs, packBytes, packsRetired: retired.size, oldestSeq, maintenanceMilliseconds: this.#milliseconds };
  }

  /** Gives up what is under way, without a trace on the disk. */
  close(): void {
    this.#job?.return();
    this.#job = undefined;
    this.#retention.close();
    this.#reader.close();
  }

  /** On the monotonic clock. */
  #removalDueAt(): number | undefined {
    const due = this.#retention.isNoteSuperfluous ? 0 : this.#retired.dueMilliseconds();
    return due === undefined ? undefined : Math.max(due, this.#removal.notBefore);
  }

  /** Whatever goes wrong here concerns no other work. */
  #removeRetired(): void {
    const now = this.#options.monotonicMilliseconds();
    if ((this.#removalDueAt() ?? Infinity) > now) return;
    try {
      for (const name of this.#retired.removeDue(() => this.#retention.judgeFiltered())) this.#known.delete(name);
      this.#retention.noteRemovals();
      this.#removal.worked();
    } catch (error) {
      this.#removal.failed(now);
      this.#options.onFailure(`replaced packs could not be removed: ${messageOf(error)}`);
    }
  }

  /** One merge, if there is one to make; then whatever is due comes first. */
  *#consolidate(): Generator<void, void> {
    this.#removeKeeps();
    const packs = yield* this.#look();
    const sources = planMerge(packs);
    if (sources.length > 0) {
      yield* this.#merge(sources.map(({ name }) => name));
      this.#isStale = true;
    }
    this.#work.worked();
    this.#vanishedInARow = 0;
    this.#reader.close();
  }

  /** Lists the packs; returns those that may be merged (invariant 3). */
  *#look(): Generator<void, PackSize[]> {
    const { fileSystem, repositoryDirectory } = this.#options;
    const files = new Set(listIfPresent(fileSystem, packDirectory(repositoryDirectory)));
    for (const name of this.#known.keys()) if (!files.has(`pack-${name}.idx`)) this.#known.delete(name);
    const retired = this.#retired.names();
    this.#packsSinceLook = 0;
    const packs: PackSize[] = [];
    for (const file of files) {
      const name = /^pack-([0-9a-f]{40})\.idx$/.exec(file)?.[1];
      if (name === undefined || !files.has(`pack-${name}.pack`) || retired.has(name)) continue;
      let pack = this.#known.get(name);
      if (pack === undefined) {
        pack = yield* this.#lookAt(name);
        this.#known.set(name, pack);
      }
      const { facts, isDamaged } = pack;
      if (facts?.seq === undefined || isDamaged || files.has(`pack-${name}.keep`)) continue;
      packs.push({ ...facts, seq: facts.seq });
    }
    return packs;
  }

  *#lookAt(name: string): Generator<void, KnownPack> {
    const { fileSystem, repositoryDirectory } = this.#options;
    try {
      const facts = yield* readPackFacts(fileSystem, this.#reader, { repositoryDirectory, name });
      return { facts, isDamaged: false };
    } catch (error) {
      if (!(error instanceof DamagedObjectError)) throw error;
      this.#options.onFailure(`${error.message}; this pack is left as it is`);
      return { facts: undefined, isDamaged: true };
    }
  }

  *#merge(sources: readonly string[]): Generator<void, void> {
    const { fileSystem, repositoryDirectory } = this.#options;
    try {
      const pack = yield* rewritePacks(
        { fileSystem, repositoryDirectory, reader: this.#reader },
        { sources, isHurried: () => this.#isHurried },
      );
      if (pack !== undefined) this.#replace(sources, pack);
    } finally {
      this.#reader.close();
    }
  }

  /** Places the new pack and retires its sources (invariant 2). */
  #replace(sources: readonly string[], pack: RewrittenPack): void {
    const { fileSystem, repositoryDirectory } = this.#options;
    try {
      for (const name of sources) {
        const path = packPath({ repositoryDirectory, name });
        if (!fileSystem.exists(path)) throw new FileVanishedError(path);
      }
      this.#retired.announce(pack.name, sources, "merged");
      placeWrittenPack(fileSystem, repositoryDirectory, pack);
    } catch (error) {
      this.#retired.withdraw(pack.name);
      discardWrittenPack(fileSystem, pack);
      throw error;
    }
    this.#retired.retire(pack.name);
    this.#retention.noteMerge(sources, pack.name);
    this.#keeps.add(pack.name);
    this.#removeKeeps();
  }

  /** A `.keep` too many only keeps its pack from being merged; it is tried again before the next merge. */
  #removeKeeps(): void {
    const { fileSystem, repositoryDirectory, onFailure } = this.#options;
    for (const name of this.#keeps) {
      try {
        removeKeep(fileSystem, repositoryDirectory, name);
        this.#keeps.delete(name);
      } catch (error) {
        onFailure(`a pack was placed, but its .keep could not be removed: ${messageOf(error)}`);
      }
    }
  }

  /** Gives the job up: one that is suspended has temporary files to remove, files to close, and somebody to answer. */
  #endJob(): void {
    const job = this.#job;
    this.#job = undefined;
    try {
      job?.return();
    } catch (error) {
      this.#options.onFailure(`what was left of a merge could not be removed: ${messageOf(error)}`);
    }
  }

  #fail(error: unknown): void {
    this.#endJob();
    this.#reader.close();
    if (!this.#isStarted) this.#retention.close(messageOf(error));
    this.#isStale = true;
    const now = this.#options.monotonicMilliseconds();
    const hasVanished = error instanceof FileVanishedError || isErrno(error, "ENOENT");
    if (hasVanished && ++this.#vanishedInARow <= VANISHED_IN_A_ROW_MAX) {
      this.#work.notBefore = now + VANISHED_MILLISECONDS;
      return;
    }
    this.#work.failed(now);
    if (error instanceof DamagedObjectError) this.#leaveAlone(error.file);
    this.#options.onFailure(`packs could not be merged: ${messageOf(error)}`);
  }

  #leaveAlone(file: string): void {
    const name = /pack-([0-9a-f]{40})\.(?:pack|idx)$/.exec(file)?.[1];
    const pack = name === undefined ? undefined : this.#known.get(name);
    if (name !== undefined && pack !== undefined) this.#known.set(name, { ...pack, isDamaged: true });
  }
}
