/**
 * A recorded history, for whoever asks about it.
 *
 * Owns the readers of one repository and the moment as of which questions are answered: a `HistoryView` has the refs as they
 * were when it was taken, so that every answer is as of one commit, however many are recorded meanwhile. It only reads, and
 * needs no daemon.
 *
 *     const history = openHistory(fileSystem, "STATE/store.git");
 *     const view = history.view();
 *     view.commitWithSeq(MAIN_REF, 17);
 *     history.close();
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import type { Oid } from "../object/oid.js";
import { NotARepositoryError, UnsupportedRepositoryError } from "../repository/errors.js";
import { findCommit, type CommitSearch, type FoundCommit } from "../repository/find-commit.js";
import { MAIN_REF, openRepository } from "../repository/layout.js";
import { ObjectReader } from "../repository/object-reader.js";
import { ifPresent } from "../repository/peel.js";
import { PathIndex } from "../repository/path-index.js";
import { PackRanges } from "../repository/pack-ranges.js";
import { ForeignDirectoryError } from "../repository/read-path.js";
import { RefStore, type Ref } from "../repository/ref-store.js";
import { SeqIndex } from "../repository/seq-index.js";
import { readShallow, type Shallow } from "../repository/shallow.js";
import { NotACommitError, readCommit } from "../repository/walk.js";

const LOCAL_BRANCH = /^refs\/heads\//;

export type { FoundCommit } from "../repository/find-commit.js";

/** What is kept of a branch from one question to the next. */
export interface BranchReaders {
  readonly index: SeqIndex;
  readonly packs: PackRanges;
  readonly paths: PathIndex;
}

/**
 * Opens the history in a bare repository.
 *
 * @param directory - absolute
 * @throws NotARepositoryError, UnsupportedRepositoryError
 */
export function openHistory(fileSystem: FileSystem, directory: string): History {
  openRepository(fileSystem, directory);
  return new History(fileSystem, directory);
}

/** Whether an error says that this is no repository that can be read, or that what it holds is no history of a XenStore. */
export function isForeignHistory(error: unknown): error is Error {
  return [NotARepositoryError, UnsupportedRepositoryError, ForeignDirectoryError, NotACommitError].some(
    (kind) => error instanceof kind,
  );
}

/** The history of one repository. Synchronous; it belongs to one thread. */
export class History {
  readonly reader: ObjectReader;
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #refs: RefStore;
  readonly #branches = new Map<string, BranchReaders>();

  /** @param directory - a repository that `openRepository` accepted */
  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#refs = new RefStore(fileSystem, directory);
    this.reader = new ObjectReader(fileSystem, directory);
  }

  /**
   * The history as it is now.
   *
   * @throws DamagedShallowError; DamagedRefError where it is the ref of `HEAD`
   */
  view(): HistoryView {
    // A compaction moves the boundary and then removes objects: who reads the boundary last never walks beyond it.
    // Of one branch whose ref is damaged the others' history is not to suffer; who reads that branch is told by `HEAD`.
    const refs = this.#refs.list("refs/", () => undefined);
    const head = this.#refs.readSymbolic("HEAD");
    if (head !== undefined) this.#refs.read(head);
    const detached = head === undefined ? this.#refs.read("HEAD") : undefined;
    const shallow = readShallow(this.#fileSystem, this.#directory);
    return new HistoryView(this, { refs, head: head ?? MAIN_REF, detached, shallow });
  }

  /** What finds commits of a branch. */
  branch(ref: string): BranchReaders {
    let readers = this.#branches.get(ref);
    if (readers === undefined) {
      const place = { fileSystem: this.#fileSystem, repositoryDirectory: this.#directory, ref };
      readers = { index: new SeqIndex(place), packs: new PackRanges(), paths: new PathIndex(place) };
      this.#branches.set(ref, readers);
    }
    return readers;
  }

  /** Closes all files; it may be used again. */
  close(): void {
    for (const { index, paths } of this.#branches.values()) {
      index.close();
      paths.close();
    }
    this.#branches.clear();
    this.reader.close();
  }
}

/** The refs of a moment. */
interface ViewedRefs {
  readonly refs: readonly Ref[];
  /** The ref that `HEAD` names. */
  readonly head: string;
  /** What `HEAD` is on where it names no ref. */
  readonly detached: Oid | undefined;
  readonly shallow: Shallow;
}

/** How commits of a branch are found. */
interface BranchSearch extends CommitSearch {
  /** The newest commit that has a seq: in a clone somebody may have put commits of his own on top. */
  readonly newestSeq: number;
}

/** The history as of one moment. */
export class HistoryView {
  readonly reader: ObjectReader;
  readonly #history: History;
  readonly #viewed: ViewedRefs;
  readonly #oids: ReadonlyMap<string, Oid>;
  /** By ref, once they were asked for. */
  readonly #boundaries = new Map<string, { readonly commit: FoundCommit | undefined }>();
  /** The same; undefined for a branch that has no commit with a seq. */
  readonly #searches = new Map<string, BranchSearch | undefined>();
  /** The branches that have an index of seqs, main first; undefined until one was looked for. */
  #indexed: readonly string[] | undefined;
  /** The same for the index of paths. */
  #pathIndexed: readonly string[] | undefined;

  constructor(history: History, viewed: ViewedRefs) {
    this.reader = history.reader;
    this.#history = history;
    this.#viewed = viewed;
    this.#oids = new Map(viewed.refs.map(({ name, oid }) => [name, oid]));
  }

  /** All refs, by name. */
  get refs(): readonly Ref[] {
    return this.#viewed.refs;
  }

  /** The full name of the branch that `HEAD` is on; undefined when it is on none. */
  get headRef(): string | undefined {
    return this.#viewed.detached === undefined ? this.#viewed.head : undefined;
  }

  /** What a ref names; undefined when there is none of this full name, or it leads nowhere. */
  ref(name: string): Oid | undefined {
    if (name !== "HEAD") return this.#oids.get(name);
    return this.#viewed.detached ?? this.#oids.get(this.#viewed.head);
  }

  /**
   * The commit with this oid.
   *
   * @throws NotACommitError, MissingObjectError, DamagedObjectError
   */
  commit(oid: Oid): FoundCommit {
    return { oid, commit: readCommit(this.reader, oid, this.#viewed.shallow) };
  }

  /** The commit before this one on its branch; undefined where the history begins. @throws what `commit` throws */
  previous(found: FoundCommit): FoundCommit | undefined {
    const [parent] = this.#viewed.shallow.has(found.oid) ? [] : found.commit.parents;
    return parent === undefined ? undefined : this.commit(parent);
  }

  /** The newest commit of a branch; undefined when there is no such branch. @param ref - its full name */
  tip(ref: string): FoundCommit | undefined {
    const oid = this.ref(ref);
    return oid === undefined ? undefined : this.commit(oid);
  }

  /**
   * The commit with this seq on a branch; undefined when the branch does not have it (any more).
   *
   * @param ref - the branch's full name
   * @throws what `commit` throws
   */
  commitWithSeq(ref: string, seq: number): FoundCommit | undefined {
    const beginning = this.#boundary(ref)?.commit.trailers.seq ?? 1;
    if (seq < beginning || !Number.isSafeInteger(seq)) return undefined;
    return this.#find(ref, seq);
  }

  /**
   * The full name of a branch that has this commit; undefined when none has it, or it has no seq. Of several it is one whose tip it
   * is, or main.
   *
   * @param kind - which refs are branches to who asks
   * @throws what `commit` throws
   */
  branchWith({ oid, commit }: FoundCommit, kind = LOCAL_BRANCH): string | undefined {
    const { seq } = commit.trailers;
    if (seq === undefined) return undefined;
    const rank = (ref: Ref): number => (ref.oid === oid ? 0 : 2) + (ref.name === MAIN_REF ? 0 : 1);
    const branches = this.refs.filter(({ name }) => kind.test(name)).sort((left, right) => rank(left) - rank(right));
    // A branch that leads nowhere is none of this question's.
    return branches.find(({ name }) => ifPresent(() => this.commitWithSeq(name, seq))?.oid === oid)?.name;
  }

  /** The full names of the branches that have an index of paths. */
  get branchesWithPaths(): readonly string[] {
    this.#pathIndexed ??= this.#branchNames().filter((name) => {
      const { paths } = this.readers(name);
      paths.refresh();
      return paths.isPresent;
    });
    return this.#pathIndexed;
  }

  /** Whether what was before a commit has been given up: what that one changed is not known any more. */
  isCut({ oid, commit }: FoundCommit): boolean {
    return this.#viewed.shallow.has(oid) || (commit.parents.length === 0 && (commit.trailers.seq ?? 1) > 1);
  }

  /** The seq of the commit at which a branch was cut; undefined when it was not. @throws what `commit` throws */
  cutSeq(ref: string): Seq | undefined {
    return this.#boundary(ref)?.commit.trailers.seq;
  }

  /** What finds commits of a branch. Indexes may know more than this view, or have been cut meanwhile. */
  readers(ref: string): BranchReaders {
    return this.#history.branch(ref);
  }

  /** The first commit of a branch that is left; undefined when there is no such branch. @throws what `commit` throws */
  oldest(ref: string): FoundCommit | undefined {
    let oldest = this.#boundary(ref) ?? this.#find(ref, 1) ?? this.tip(ref);
    // Somebody else's commits have no seqs.
    for (let before = oldest; before !== undefined; before = this.previous(before)) oldest = before;
    return oldest;
  }

  /** Where the branch was cut. Its other commits in `shallow` are older ones on which tags are. */
  #boundary(ref: string): FoundCommit | undefined {
    const known = this.#boundaries.get(ref);
    if (known !== undefined) return known.commit;
    let newest: FoundCommit | undefined;
    for (const oid of this.#viewed.shallow) {
      const commit = ifPresent(() => this.commit(oid));
      const seq = commit?.commit.trailers.seq;
      if (seq === undefined || seq <= (newest?.commit.trailers.seq ?? 0)) continue;
      if (this.#find(ref, seq)?.oid === oid) newest = commit;
    }
    this.#boundaries.set(ref, { commit: newest });
    return newest;
  }

  /** As `commitWithSeq`; what was given up may be found as long as it is not removed. */
  #find(ref: string, seq: number): FoundCommit | undefined {
    if (!this.#searches.has(ref)) this.#searches.set(ref, this.#searchOf(ref));
    const search = this.#searches.get(ref);
    // A seq beyond the tip may be in the index by now, and is of a later moment.
    return search === undefined || seq > search.newestSeq ? undefined : findCommit(search, seq);
  }

  #searchOf(ref: string): BranchSearch | undefined {
    let at = this.tip(ref);
    while (at !== undefined && at.commit.trailers.seq === undefined) at = this.previous(at);
    const newestSeq = at?.commit.trailers.seq;
    if (at === undefined || newestSeq === undefined) return undefined;
    const { index, packs } = this.readers(ref);
    // The index of a branch that was removed may be there, and one with its name. Main's lags for a moment, at most.
    const isOwn = index.has(newestSeq, at.oid) || (ref === MAIN_REF && index.oidOfSeq(newestSeq) === undefined);
    return {
      reader: this.reader,
      index: isOwn ? index : undefined,
      elsewhere: { indexes: () => this.#indexesBut(isOwn ? ref : undefined), known: new Map() },
      tip: at.oid,
      newestSeq,
      givenUp: this.#viewed.shallow,
      packs,
    };
  }

  /** All indexes but that of one branch. */
  #indexesBut(ref: string | undefined): SeqIndex[] {
    this.#indexed ??= this.#branchNames().filter((name) => {
      const { index } = this.readers(name);
      // Another branch may have had this name when the file was opened.
      if (name !== MAIN_REF) index.close();
      return index.firstSeq() !== undefined;
    });
    return this.#indexed.flatMap((name) => (name === ref ? [] : [this.readers(name).index]));
  }

  /** The full names of all branches, main first: a fork's history goes on there, mostly. */
  #branchNames(): string[] {
    const names = this.refs.flatMap(({ name }) => (LOCAL_BRANCH.test(name) ? [name] : []));
    return names.includes(MAIN_REF) ? [MAIN_REF, ...names.filter((name) => name !== MAIN_REF)] : names;
  }
}
