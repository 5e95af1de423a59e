/**
 * Packs that another pack has taken the place of, on their way out.
 *
 * Owns when a pack may be removed, and the removal. It never reads a pack and never decides that one is superseded.
 *
 *   announce(X, [a, b, c])    the record says "X supersedes a, b, c", on the disk, before X is placed
 *   (the caller places X)
 *   retire(X)                 the delay starts
 *   removeDue()               a, b, c go, then the line in the record
 *   withdraw(X)               X could not be placed: the line goes
 *
 * A pack is retired for one of two reasons. It was *merged*: the superseding pack has all that it has. Or it was *filtered*:
 * the superseding pack has what was needed of it when somebody looked, and Git, which still sees both, may build on the
 * rest until the old one is gone. So who filtered is asked once more before it goes, and may take it back (`giveBackFiltered`).
 *
 * A process that has a, b, c open goes on reading them, also after they are gone: the files live as long as they are open. One
 * that has only listed them finds X when it looks again, as Git and our reader do; but `git fsck` and `git repack` complain of a
 * pack that they listed and cannot open. So a pack goes when the least delay has passed and no process has a file of the pack
 * directory open or mapped, and at the latest when the longest delay has.
 *
 * The record is the file `xenstore-tng/retired` in the repository: a line for each merge, the superseding pack first. What
 * was filtered is not in it: a start finds those packs in use, and the compaction's note, which leads to looking again. But
 * before filtered packs go, a line `going` names them, so that a start removes what a crash left of them.
 *
 * Invariants
 *  1. A pack is removed only while the pack that supersedes it is there, whole and under its own name. Is that gone (a person
 *     has repacked), the pack is in use again.
 *  2. A pack that a `multi-pack-index` lists is not removed (Git would report it missing), nor one with a `.keep`.
 *  3. The index goes first: Git lists `*.idx`, and a pack without one is invisible, while an index without its pack is an error.
 *  4. Whatever the moment of a crash, a merged pack is either in use or in the record: the record is written before the
 *     superseding pack can be seen, and a line goes only after the removals are on the disk. A line whose superseding pack is
 *     not there at start says nothing; one whose superseded packs are gone does no harm.
 *  5. Half a pack is removed at start when the record says that it was going (after a power cut it may be either half);
 *     others may be Git's, which places a pack before its index.
 *  6. A filtered pack is removed only in the step in which `judgeFiltered` allowed it.
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { listIfPresent, readIfPresent, removeIfPresent, writeDurableFile } from "../repository/durable-file.js";
import { listedPacks } from "../repository/multi-pack-index.js";
import { packDirectory } from "../repository/pack-file.js";

/** How long packs are kept, and for whom. */
export interface RetirementOptions {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** A clock that never steps back. */
  readonly monotonicMilliseconds: () => number;
  /** A pack stays at least so long. */
  readonly leastMilliseconds: number;
  /** A pack that somebody may be using goes after so long. */
  readonly mostMilliseconds: number;
  /** Whether any other process has a file of this directory open. */
  readonly isInUse: (directory: string) => boolean;
}

/** Why a pack is on its way out. */
export type RetirementReason = "merged" | "filtered";

/** What is to become of filtered packs whose time has come: they go, they wait, or they are in use again. */
export type FilteredJudgement = "remove" | "wait" | "give back";

interface Retirement {
  superseding: string;
  superseded: string[];
  reason: RetirementReason;
  /** When the delay began; undefined as long as the superseding pack is not placed. */
  since: number | undefined;
}

const RECORD_LINE = /^[0-9a-f]{40}(?: [0-9a-f]{40})+$/;
const GOING_LINE = /^going(?: [0-9a-f]{40})+$/;
/** While somebody uses the repository, and where a pack cannot be removed, it is looked at again after this. */
const AGAIN_MILLISECONDS = 1000;
/** In the order of removal (invariant 3); the others beside index and pack are Git's. */
const PACK_ENDINGS = ["idx", "rev", "bitmap", "mtimes", "pack"] as const;

/** The packs of one repository that are on their way out. */
export class RetiredPacks {
  readonly #options: RetirementOptions;
  readonly #directory: string;
  #retirements: Retirement[] = [];
  #againAt = 0;

  constructor(options: RetirementOptions) {
    this.#options = options;
    this.#directory = packDirectory(options.repositoryDirectory);
  }

  /**
   * Reads the record that an earlier process left, and finishes what it was doing; before anything else. The delay of its
   * packs starts anew.
   *
   * @throws what the disk throws; calling again is right
   */
  load(): void {
    const { fileSystem, monotonicMilliseconds } = this.#options;
    removeIfPresent(fileSystem, `${this.#recordPath}.new`);
    const record = Buffer.from(readIfPresent(fileSystem, this.#recordPath) ?? []).toString("latin1");
    const since = monotonicMilliseconds();
    const retirements: Retirement[] = [];
    for (const line of record.split("\n")) {
      if (GOING_LINE.test(line)) this.#finishRemoval(line.split(" ").slice(1));
      if (!RECORD_LINE.test(line)) continue;
      const [superseding, ...superseded] = line.split(" ") as [string, ...string[]];
      if (this.#isWhole(superseding)) retirements.push({ superseding, superseded, reason: "merged", since });
    }
    // Whoever placed the superseding packs may have died before that was durable.
    if (retirements.length > 0) fileSystem.syncDirectory(this.#directory);
    this.#retirements = retirements;
  }

  /** Invariant 5. Not synced: the record says the same until it is written again. */
  #finishRemoval(names: readonly string[]): void {
    for (const name of names) if (!this.#isWhole(name)) this.#remove(name);
  }

  /** The packs that are superseded and not yet removed; none of them is to be merged again. */
  names(): Set<string> {
    return this.#namesOf(({ since }) => since !== undefined);
  }

  /** Those of which another pack, which is there, has everything. */
  mergedNames(): Set<string> {
    return this.#namesOf(
      ({ since, reason, superseding }) => since !== undefined && reason === "merged" && this.#isWhole(superseding),
    );
  }

  #namesOf(isMeant: (retirement: Retirement) => boolean): Set<string> {
    return new Set(this.#retirements.filter(isMeant).flatMap(({ superseded }) => superseded));
  }

  /** Whether a filtered pack has yet to go. */
  get hasFiltered(): boolean {
    return this.#retirements.some(({ reason }) => reason === "filtered");
  }

  /** From now on the filtered packs are in use again. */
  giveBackFiltered(): void {
    this.#retirements = this.#retirements.filter(({ reason }) => reason !== "filtered");
  }

  /** Says that `superseding`, which will be placed now, takes the place of the others; on record when they were merged. */
  announce(superseding: string, superseded: readonly string[], reason: RetirementReason): void {
    const others = superseded.filter((name) => name !== superseding);
    if (others.length === 0) return;
    // A pack's name is its content's, so one that was on its way out may be made again: then it stays.
    this.takeBack(superseding);
    this.#retirements.push({ superseding, superseded: others, reason, since: undefined });
    if (reason === "merged") this.#writeRecord();
  }

  /**
   * Says that the recorder has placed this pack. What a crash left before the ref moved is of no use to anybody, and is made
   * again from the journal, byte for byte: from now on it is in use.
   */
  takeBack(name: string): void {
    for (const retirement of this.#retirements) {
      retirement.superseded = retirement.superseded.filter((each) => each !== name);
    }
    this.#retirements = this.#retirements.filter(({ superseded }) => superseded.length > 0);
  }

  /** Starts the delay of the packs that `superseding`, which is placed and durable, has taken the place of. */
  retire(superseding: string): void {
    const since = this.#options.monotonicMilliseconds();
    for (const retirement of this.#retirements) {
      if (retirement.superseding === superseding) retirement.since ??= since;
    }
  }

  /** Takes an announcement back; the record follows with the next change, because a pack that is not there says nothing. */
  withdraw(superseding: string): void {
    this.#retirements = this.#retirements.filter(
      (retirement) => retirement.superseding !== superseding || retirement.since !== undefined,
    );
  }

  /** When `removeDue` has something to do next; undefined when nothing is retired. */
  dueMilliseconds(): number | undefined {
    let due: number | undefined;
    for (const { since } of this.#retirements) {
      if (since === undefined) continue;
      due = Math.min(due ?? Infinity, since + this.#options.leastMilliseconds);
    }
    return due === undefined ? undefined : Math.max(due, this.#againAt);
  }

  /**
   * Removes the packs whose time has come; returns their names.
   *
   * @param judgeFiltered - asked once, when filtered packs could go, or are gone already: somebody may have copied them
   * @throws what the disk throws, and, after the merged packs have gone, `judgeFiltered`; calling again later is right
   */
  removeDue(judgeFiltered: () => FilteredJudgement): string[] {
    const { leastMilliseconds, mostMilliseconds, isInUse } = this.#options;
    const now = this.#options.monotonicMilliseconds();
    const isDue = ({ since }: Retirement): boolean => since !== undefined && now - since >= leastMilliseconds;
    if (!this.#retirements.some(isDue)) return [];
    // Where the disk refuses, too.
    this.#againAt = now + AGAIN_MILLISECONDS;
    const isYoung = ({ since }: Retirement): boolean => since !== undefined && now - since < mostMilliseconds;
    const isUsed = this.#retirements.some((each) => isDue(each) && isYoung(each)) && isInUse(this.#directory);
    const mayGo = (each: Retirement): boolean => isDue(each) && !(isUsed && isYoung(each));
    const judged = this.#judge(mayGo, judgeFiltered);
    const removed = this.#removeJudged(mayGo, judged.judgement);
    if (judged.error !== undefined) throw judged.error;
    if (!this.#retirements.some((each) => isDue(each) && each.superseded.length > 0)) this.#againAt = 0;
    return removed;
  }

  #removeJudged(mayGo: (retirement: Retirement) => boolean, judgement: FilteredJudgement): string[] {
    if (judgement === "give back") this.giveBackFiltered();
    const removed: string[] = [];
    let hasChanged = false;
    const listed = listedPacks(this.#options.fileSystem, this.#directory);
    const going = this.#retirements.filter(
      (each) => mayGo(each) && !(each.reason === "filtered" && judgement === "wait"),
    );
    const mustStay = (name: string): boolean => listed === "all" || listed.has(name) || this.#isKept(name);
    const filtered = going.filter(({ reason }) => reason === "filtered").flatMap(({ superseded }) => superseded);
    const filteredGoing = filtered.filter((name) => !mustStay(name));
    if (filteredGoing.length > 0) this.#writeRecord(filteredGoing);
    for (const retirement of going) {
      if (!this.#isWhole(retirement.superseding)) {
        retirement.superseded = [];
        hasChanged = true;
        continue;
      }
      retirement.superseded = retirement.superseded.filter((name) => {
        if (mustStay(name)) return true;
        if (this.#remove(name)) removed.push(name);
        this.#passOn(name, retirement);
        hasChanged = true;
        return false;
      });
    }
    if (!hasChanged) return removed;
    this.#options.fileSystem.syncDirectory(this.#directory);
    this.#retirements = this.#retirements.filter(({ superseded }) => superseded.length > 0);
    this.#writeRecord();
    return removed;
  }

  /** Where it cannot be told, the filtered packs wait, and nothing else does. */
  #judge(
    mayGo: (retirement: Retirement) => boolean,
    judgeFiltered: () => FilteredJudgement,
  ): { readonly judgement: FilteredJudgement; readonly error?: Error } {
    if (!this.#retirements.some((each) => each.reason === "filtered" && mayGo(each))) return { judgement: "remove" };
    try {
      return { judgement: judgeFiltered() };
    } catch (error) {
      return { judgement: "wait", error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  /**
   * What `name` had superseded and is still there is superseded by the pack that superseded `name`; and if that does not
   * have everything of `name`, it has not everything of those either.
   */
  #passOn(name: string, { superseding, reason }: Retirement): void {
    for (const retirement of this.#retirements) {
      if (retirement.superseding !== name) continue;
      retirement.superseding = superseding;
      if (reason === "filtered") retirement.reason = reason;
    }
  }

  #remove(name: string): boolean {
    let wasThere = false;
    for (const ending of PACK_ENDINGS) {
      wasThere = removeIfPresent(this.#options.fileSystem, `${this.#directory}/pack-${name}.${ending}`) || wasThere;
    }
    return wasThere;
  }

  #isWhole(name: string): boolean {
    return ["idx", "pack"].every((ending) =>
      this.#options.fileSystem.exists(`${this.#directory}/pack-${name}.${ending}`),
    );
  }

  #isKept(name: string): boolean {
    return this.#options.fileSystem.exists(`${this.#directory}/pack-${name}.keep`);
  }

  get #recordDirectory(): string {
    return `${this.#options.repositoryDirectory}/xenstore-tng`;
  }

  get #recordPath(): string {
    return `${this.#recordDirectory}/retired`;
  }

  /** @param going - filtered packs that will be removed when it is written */
  #writeRecord(going: readonly string[] = []): void {
    const { fileSystem, repositoryDirectory } = this.#options;
    if (listIfPresent(fileSystem, repositoryDirectory).includes("xenstore-tng")) {
      removeIfPresent(fileSystem, `${this.#recordPath}.new`);
    } else {
      fileSystem.makeDirectory(this.#recordDirectory);
      fileSystem.syncDirectory(repositoryDirectory);
    }
    const lines = this.#retirements
      .filter(({ reason }) => reason === "merged")
      .map(({ superseding, superseded }) => `${[superseding, ...superseded].join(" ")}\n`);
    if (going.length > 0) lines.push(`${["going", ...going].join(" ")}\n`);
    writeDurableFile(fileSystem, `${this.#recordPath}.new`, [Buffer.from(lines.join(""), "latin1")]);
    fileSystem.rename(`${this.#recordPath}.new`, this.#recordPath);
    fileSystem.syncDirectory(this.#recordDirectory);
  }
}
