/**
 * Whether the packs that a compaction has filtered may still go.
 *
 * Owns the facts on which the compaction relied, and their comparison with the repository as it is when the old packs are
 * to be removed, seconds or minutes later. Until then Git sees old and new packs side by side, and builds on both: a
 * `git repack --geometric -d` leaves an object out of its new pack because an old one has it, and removes the pack that had
 * it too; `git tag` names a commit that was dropped; a push or `hash-object -w` does not write what is there already.
 * It reads only.
 *
 * Why the facts are enough. When the compaction has replaced its packs, all that is needed is in the packs that stay, or
 * loose. It can come to lie in an old pack alone only
 *   - when somebody else than we removed a pack that stays, or was sealed since: then that pack is missing;
 *   - when somebody needs what was not needed then: by a ref, or by the branch itself. The branch's new commits need what
 *     the recorder puts into its own packs, and what the tip at that time had; so do those of our forks (own-forks.ts), and
 *     what a fork started from that came later. That must be judged itself: packs that recorders made since are taken to need
 *     nothing that goes, whichever branch they are of.
 * A loose object that goes because a pack has it is one of the latter: what was needed and in an old pack was in the new one.
 * What somebody makes of dropped objects without naming the result (`git commit-tree`) is safe as long as the old packs are
 * there, and not longer: Git keeps such things for two weeks, and we do not.
 *
 * Invariants
 *  1. Of what compactions made and relied on, no pack is forgotten until another one that we made has all of it.
 *  2. A new attempt replaces the facts only when it replaces packs (`adopt`); until then the old ones hold.
 */
import type { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import { MalformedTreeError, TreeDifference } from "../object/tree-difference.js";
import { listIfPresent } from "../repository/durable-file.js";
import { DamagedObjectError, MissingObjectError } from "../repository/errors.js";
import { looseObjectPath, type ObjectReader } from "../repository/object-reader.js";
import { WindowPool } from "../repository/file-window.js";
import { indexPath } from "../repository/pack-entries.js";
import { packDirectory } from "../repository/pack-file.js";
import { PackIndex } from "../repository/pack-index.js";
import type { Ref } from "../repository/ref-store.js";
import { SeqIndex } from "../repository/seq-index.js";
import { NotACommitError, readCommit } from "../repository/walk.js";
import { listLiveRefs, type LiveRefs } from "./live-refs.js";
import { lookAtForks, type ForksSeen, type OwnForks } from "./own-forks.js";
import { DamagedTagError, peel, tagTarget } from "../repository/peel.js";

/** What is guarded. */
export interface GuardedRepository {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Full name of the branch's ref. */
  readonly branch: string;
  /** Closed after use. */
  readonly reader: ObjectReader;
  /** The forks that are recorded in this thread; none unless told. */
  readonly forks?: OwnForks | undefined;
}

/** What a compaction saw when it began. */
export interface GuardedFacts {
  /** The packs in use, by their checksums in hexadecimal. */
  readonly packs: readonly string[];
  readonly refs: LiveRefs;
}

interface Facts {
  readonly packs: Set<string>;
  readonly tagged: ReadonlySet<Oid>;
  /** With all that they are built on. */
  readonly whole: ReadonlySet<Oid>;
  readonly staged: LiveRefs["staged"];
  readonly forks: ForksSeen;
  /** Packs that were placed since. */
  readonly added: Set<string>;
  /** Packs whose objects need nothing that goes: all of it was needed, or the recorder made it since. */
  readonly closed: Set<string>;
  /** What refs needed and was not there. */
  missing: readonly Oid[];
}

/** Guards one repository. */
export class RemovalGuard {
  readonly #repository: GuardedRepository;
  #facts: Facts | undefined;
  #next: Facts | undefined;
  #boundary = Infinity;

  constructor(repository: GuardedRepository) {
    this.#repository = repository;
  }

  /** A compaction begins: these are the facts that it relies on. */
  prepare({ packs, refs }: GuardedFacts): void {
    this.#next = {
      packs: new Set(packs),
      tagged: new Set(refs.tags.map(({ oid }) => oid)),
      whole: new Set(refs.others.map(({ oid }) => oid)),
      staged: refs.staged,
      forks: lookAtForks(this.#repository.forks, refs.others),
      added: new Set(),
      closed: new Set(),
      missing: [],
    };
  }

  /** Refs need these objects, which are not there; so what they need in turn is not known. */
  noteMissing(oids: readonly Oid[]): void {
    if (this.#next !== undefined) this.#next.missing = oids;
  }

  /** It will replace packs now, and the history begins at `boundary`. */
  adopt(boundary: Seq): void {
    this.#facts = this.#next ?? this.#facts;
    this.#next = undefined;
    this.#boundary = boundary;
  }

  /** A pack was placed. */
  noteAdded(name: string): void {
    for (const facts of [this.#facts, this.#next]) {
      facts?.packs.add(name);
      facts?.added.add(name);
      facts?.closed.add(name);
    }
  }

  /** All that is in these packs is needed. */
  noteClosed(names: readonly string[]): void {
    for (const name of names) this.#facts?.closed.add(name);
  }

  /** Whether a pack was placed since the compaction began; one that was there then may have been made again. */
  isAdded(name: string): boolean {
    return (this.#next ?? this.#facts)?.added.has(name) === true;
  }

  /** The packs that stay. */
  get packs(): ReadonlySet<string> {
    return this.#facts?.packs ?? new Set();
  }

  /** Packs were merged into one. */
  noteMerged(sources: readonly string[], by: string): void {
    for (const facts of [this.#facts, this.#next]) {
      if (facts === undefined) continue;
      const isClosed = sources.every((name) => facts.closed.has(name));
      for (const name of sources) facts.packs.delete(name);
      facts.packs.add(by);
      if (isClosed) facts.closed.add(by);
    }
  }

  /** Packs were replaced by one that has what is needed of them; or by none, when that is nothing. */
  noteFiltered(names: readonly string[], by?: string): void {
    for (const name of names) this.#facts?.packs.delete(name);
    if (by === undefined) return;
    this.#facts?.packs.add(by);
    this.#facts?.closed.add(by);
  }

  /**
   * Why the filtered packs may not go, in words; undefined when they may.
   *
   * @throws what the disk throws, DamagedRefError
   */
  objection(): string | undefined {
    const facts = this.#facts;
    if (facts === undefined) return "nothing is known of what stays";
    try {
      return this.#missingPack(facts) ?? this.#comeBack(facts) ?? this.#unsafeRef(facts);
    } finally {
      this.#repository.reader.close();
    }
  }

  #missingPack({ packs }: Facts): string | undefined {
    const { fileSystem, repositoryDirectory } = this.#repository;
    const files = new Set(listIfPresent(fileSystem, packDirectory(repositoryDirectory)));
    for (const name of packs) {
      if (!files.has(`pack-${name}.idx`) || !files.has(`pack-${name}.pack`)) {
        return `pack-${name} is gone: somebody has repacked meanwhile`;
      }
    }
    return undefined;
  }

  #comeBack({ missing }: Facts): string | undefined {
    const found = missing.find((oid) => this.#repository.reader.has(oid));
    return found && `${hexFromOid(found)}, which was not there, has come back, and may need what was dropped`;
  }

  #unsafeRef(facts: Facts): string | undefined {
    const { fileSystem, repositoryDirectory, branch, reader } = this.#repository;
    const { tags, others: listed, staged } = listLiveRefs(fileSystem, repositoryDirectory, branch);
    const others = facts.forks.refsToJudge(listed);
    if (others === undefined) return "more forks have come and gone than are remembered";
    const isNewTag = ({ oid }: Ref): boolean => !facts.tagged.has(oid) && !facts.whole.has(oid);
    const changed = [...tags.filter(isNewTag), ...others.filter(({ oid }) => !facts.whole.has(oid))];
    const blobs = [...staged.blobs].filter((oid) => !facts.staged.blobs.has(oid));
    const trees = [...staged.trees].filter((oid) => !facts.staged.trees.has(oid));
    if (changed.length + blobs.length + trees.length === 0) return undefined;
    const index = new SeqIndex({ fileSystem, repositoryDirectory, ref: branch });
    const staying = new StayingObjects(this.#repository, facts);
    try {
      const walk = new LooseWalk(reader, staying, facts.whole);
      const isSafe = (ref: Ref): boolean => this.#isOnKeptCommit(ref, index, staying) || walk.needsNothingElse(ref.oid);
      const unsafe = changed.find((ref) => !isSafe(ref));
      if (unsafe !== undefined) {
        const isRef = tags.includes(unsafe) || listed.includes(unsafe);
        const words = isRef ? "leads to" : "is, or was, a fork that started from";
        return `${unsafe.name} ${words} ${hexFromOid(unsafe.oid)}${isRef ? " now" : ""}, which may need what was dropped`;
      }
      const lost =
        blobs.find((oid) => !staying.has(oid) && reader.has(oid)) ??
        trees.find((oid) => !walk.needsNothingElse(oid) && reader.has(oid));
      return lost && `the index of a work tree names ${hexFromOid(lost)} now, which was dropped`;
    } finally {
      staying.close();
      index.close();
    }
  }

  /** Most new refs are on recent commits of the branch, and those are kept whatever else is. */
  #isOnKeptCommit(ref: Ref, index: SeqIndex, staying: StayingObjects): boolean {
    const { reader } = this.#repository;
    try {
      const { tagObjects, oid, type } = peel(reader, ref);
      if (type !== "commit" || !tagObjects.every((tagObject) => staying.has(tagObject))) return false;
      const { seq } = readCommit(reader, oid).trailers;
      return seq !== undefined && seq >= this.#boundary && index.oidOfSeq(seq) === oid;
    } catch (error) {
      if (isUnreadable(error)) return false;
      throw error;
    }
  }
}

/** More than that are looked through by the next compaction, which pauses. */
const OBJECTS_LOOKED_AT_MAX = 256;

/** Somebody's own work: loose objects, down to what is needed anyway. One budget for all that is asked. */
class LooseWalk {
  readonly #reader: ObjectReader;
  readonly #staying: StayingObjects;
  readonly #whole: ReadonlySet<Oid>;
  /** Objects of which it is known that they need nothing else, or that will be if the walk under way ends well. */
  readonly #seen = new Set<Oid>();

  constructor(reader: ObjectReader, staying: StayingObjects, whole: ReadonlySet<Oid>) {
    this.#reader = reader;
    this.#staying = staying;
    this.#whole = whole;
  }

  /** After it has said no once, its caller asks no more. */
  needsNothingElse(oid: Oid): boolean {
    const pending: Needed[] = [{ oid, isBlob: false }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#seen.has(next.oid) || this.#whole.has(next.oid) || this.#staying.isClosed(next.oid)) continue;
      if (this.#seen.size >= OBJECTS_LOOKED_AT_MAX || !this.#staying.isLoose(next.oid)) return false;
      this.#seen.add(next.oid);
      const needed = next.isBlob ? [] : this.#neededBy(next.oid);
      if (needed === undefined) return false;
      pending.push(...needed);
    }
    return true;
  }

  /** Undefined for what cannot be understood. */
  #neededBy(oid: Oid): Needed[] | undefined {
    try {
      const { type, data } = this.#reader.read(oid);
      if (type === "blob") return [];
      if (type === "tree") return entriesOf(data);
      if (type === "commit") {
        const { tree, parents } = readCommit(this.#reader, oid);
        return [tree, ...parents].map((each) => ({ oid: each, isBlob: false }));
      }
      const target = tagTarget(data);
      return target === undefined ? undefined : [{ oid: target, isBlob: false }];
    } catch (error) {
      if (isUnreadable(error)) return undefined;
      throw error;
    }
  }
}

interface Needed {
  readonly oid: Oid;
  readonly isBlob: boolean;
}

function entriesOf(tree: Buffer): Needed[] {
  const found: Needed[] = [];
  const entries = new TreeDifference(tree);
  while (entries.next()) found.push({ oid: entries.oid(), isBlob: entries.kind === "blob" });
  return found;
}

/** Whether it is the object's fault; what cannot be read cannot be called safe, and the next compaction names it. */
function isUnreadable(error: unknown): boolean {
  return (
    error instanceof MissingObjectError ||
    error instanceof DamagedObjectError ||
    error instanceof NotACommitError ||
    error instanceof MalformedTreeError ||
    error instanceof DamagedTagError
  );
}

const INDEX_MEMORY = { windowBytesMax: 4 * 1024 * 1024, openFilesMax: 64 };

/** The objects that are loose or in packs that stay. */
class StayingObjects {
  readonly #repository: GuardedRepository;
  /** Of the packs of which all is needed, and of the others. */
  readonly #closed: PackIndex[] = [];
  readonly #open: PackIndex[] = [];

  constructor(repository: GuardedRepository, { packs, closed }: Facts) {
    const { fileSystem, repositoryDirectory } = repository;
    this.#repository = repository;
    const pool = new WindowPool(fileSystem, INDEX_MEMORY);
    try {
      for (const name of packs) {
        const index = new PackIndex(pool, indexPath({ repositoryDirectory, name }));
        (closed.has(name) ? this.#closed : this.#open).push(index);
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  has(oid: Oid): boolean {
    return this.isClosed(oid) || this.#open.some((index) => index.find(oid) !== undefined) || this.isLoose(oid);
  }

  /** Whether it is there with all that it needs. */
  isClosed(oid: Oid): boolean {
    return this.#closed.some((index) => index.find(oid) !== undefined);
  }

  isLoose(oid: Oid): boolean {
    const { fileSystem, repositoryDirectory } = this.#repository;
    return fileSystem.exists(looseObjectPath(repositoryDirectory, oid));
  }

  close(): void {
    for (const index of [...this.#closed, ...this.#open]) index.close();
  }
}
