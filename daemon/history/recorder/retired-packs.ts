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
 * A process that has a, b, c open goes on reading them, also after they are gone: the files live as long as they are open. One
 * that has only listed them finds X when it looks again, as Git and our reader do; but `git fsck` and `git repack` complain of a
 * pack that they listed and cannot open. So a pack goes when the least delay has passed and no process has a file of the pack
 * directory open or mapped, and at the latest when the longest delay has.
 *
 * The record is the file `xenstore-tng/retired` in the repository: a line for each merge, the superseding pack first.
 *
 * Invariants
 *  1. A pack is removed only while the pack that supersedes it is there, whole and under its own name. Is that gone (a person
 *     has repacked), the pack is in use again.
 *  2. A pack that a `multi-pack-index` lists is not removed (Git would report it missing), nor one with a `.keep`.
 *  3. The index goes first: Git lists `*.idx`, and a pack without one is invisible, while an index without its pack is an error.
 *  4. Whatever the moment of a crash, a pack is either in use or in the record: the record is written before the superseding
 *     pack can be seen, and a line goes only after the removals are on the disk. A line whose superseding pack is not
 *     there at start says nothing; one whose superseded packs are gone does no harm.
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

interface Retirement {
  superseding: string;
  superseded: string[];
  /** When the delay began; undefined as long as the superseding pack is not placed. */
  since: number | undefined;
}

const RECORD_LINE = /^[0-9a-f]{40}(?: [0-9a-f]{40})+$/;
/** While somebody uses the repository, and where a pack cannot be removed, it is looked at again after this. */
const AGAIN_MILLISECONDS = 1000;
/** In the order of removal (invariant 3); Git makes `.rev` and `.bitmap` beside packs that it has looked into. */
const PACK_ENDINGS = ["idx", "rev", "bitmap", "pack"] as const;

/** The packs of one repository that are on their way out. */
export class RetiredPacks {
  readonly #options: RetirementOptions;
  readonly #directory: string;
  #retirements: Retirement[] = [];
  #againAt = 0;

  /** Reads the record that an earlier process left; the delay of its packs starts anew. */
  constructor(options: RetirementOptions) {
    this.#options = options;
    this.#directory = packDirectory(options.repositoryDirectory);
    const record = Buffer.from(readIfPresent(options.fileSystem, this.#recordPath) ?? []).toString("latin1");
    const since = options.monotonicMilliseconds();
    for (const line of record.split("\n")) {
      if (!RECORD_LINE.test(line)) continue;
      const [superseding, ...superseded] = line.split(" ") as [string, ...string[]];
      if (this.#isWhole(superseding)) this.#retirements.push({ superseding, superseded, since });
    }
  }

  /** The packs that are superseded and not yet removed; none of them is to be merged again. */
  names(): Set<string> {
    const names = new Set<string>();
    for (const { since, superseded } of this.#retirements) {
      if (since !== undefined) for (const name of superseded) names.add(name);
    }
    return names;
  }

  /** Records that `superseding`, which will be placed now, has everything that the others have. */
  announce(superseding: string, superseded: readonly string[]): void {
    const others = superseded.filter((name) => name !== superseding);
    if (others.length === 0) return;
    // A pack's name is its content's, so one that was on its way out may be made again: then it stays.
    for (const retirement of this.#retirements) {
      retirement.superseded = retirement.superseded.filter((name) => name !== superseding);
    }
    this.#retirements.push({ superseding, superseded: others, since: undefined });
    this.#writeRecord();
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
   * @throws what the disk throws; calling again later is right
   */
  removeDue(): string[] {
    const { leastMilliseconds, mostMilliseconds, isInUse } = this.#options;
    const now = this.#options.monotonicMilliseconds();
    const due = this.#retirements.filter(({ since }) => since !== undefined && now - since >= leastMilliseconds);
    if (due.length === 0) return [];
    const isYoung = ({ since }: Retirement): boolean => since !== undefined && now - since < mostMilliseconds;
    const isUsed = due.some(isYoung) && isInUse(this.#directory);
    const removed: string[] = [];
    let hasChanged = false;
    const listed = listedPacks(this.#options.fileSystem, this.#directory);
    for (const retirement of due) {
      if (isUsed && isYoung(retirement)) continue;
      if (!this.#isWhole(retirement.superseding)) {
        retirement.superseded = [];
        hasChanged = true;
        continue;
      }
      retirement.superseded = retirement.superseded.filter((name) => {
        if (listed === "all" || listed.has(name) || this.#isKept(name)) return true;
        if (this.#remove(name)) removed.push(name);
        this.#passOn(name, retirement.superseding);
        hasChanged = true;
        return false;
      });
    }
    if (due.some(({ superseded }) => superseded.length > 0)) this.#againAt = now + AGAIN_MILLISECONDS;
    if (!hasChanged) return removed;
    this.#options.fileSystem.syncDirectory(this.#directory);
    this.#retirements = this.#retirements.filter(({ superseded }) => superseded.length > 0);
    this.#writeRecord();
    return removed;
  }

  /** What `name` had superseded and is still there is superseded by the pack that superseded `name`. */
  #passOn(name: string, superseding: string): void {
    for (const retirement of this.#retirements) {
      if (retirement.superseding === name) retirement.superseding = superseding;
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

  #writeRecord(): void {
    const { fileSystem, repositoryDirectory } = this.#options;
    if (listIfPresent(fileSystem, repositoryDirectory).includes("xenstore-tng")) {
      removeIfPresent(fileSystem, `${this.#recordPath}.new`);
    } else {
      fileSystem.makeDirectory(this.#recordDirectory);
      fileSystem.syncDirectory(repositoryDirectory);
    }
    const lines = this.#retirements.map(({ superseding, superseded }) => `${[superseding, ...superseded].join(" ")}\n`);
    writeDurableFile(fileSystem, `${this.#recordPath}.new`, [Buffer.from(lines.join(""), "latin1")]);
    fileSystem.rename(`${this.#recordPath}.new`, this.#recordPath);
    fileSystem.syncDirectory(this.#recordDirectory);
  }
}
