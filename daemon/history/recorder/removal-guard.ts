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
 *     the recorder puts into its own packs, and what the tip at that time had.
 * A loose object that goes because a pack has it is one of the latter: what was needed and in an old pack was in the new one.
 *
 * Invariants
 *  1. Of what compactions made and relied on, no pack is forgotten until another one that we made has all of it.
 *  2. A new attempt replaces the facts only when it replaces packs (`adopt`); until then the old ones hold.
 */
import type { Seq } from "../../../protocol/identifiers.js";
import type { FileSystem } from "../../platform/file-system.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import { listIfPresent } from "../repository/durable-file.js";
import { MissingObjectError } from "../repository/errors.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { packDirectory } from "../repository/pack-file.js";
import type { Ref } from "../repository/ref-store.js";
import { SeqIndex } from "../repository/seq-index.js";
import { NotACommitError, readCommit } from "../repository/walk.js";
import { listLiveRefs, peel, type LiveRefs } from "./live-refs.js";

/** What is guarded. */
export interface GuardedRepository {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Full name of the branch's ref. */
  readonly branch: string;
  /** Closed after use. */
  readonly reader: ObjectReader;
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
    };
  }

  /** It will replace packs now, and the history begins at `boundary`. */
  adopt(boundary: Seq): void {
    this.#facts = this.#next ?? this.#facts;
    this.#next = undefined;
    this.#boundary = boundary;
  }

  /** A pack was placed. */
  noteAdded(name: string): void {
    this.#facts?.packs.add(name);
    this.#next?.packs.add(name);
  }

  /** Packs were replaced by one; or by none, when nothing of them was needed. */
  noteReplaced(names: readonly string[], by?: string): void {
    for (const facts of [this.#facts, this.#next]) {
      if (facts === undefined) continue;
      for (const name of names) facts.packs.delete(name);
      if (by !== undefined) facts.packs.add(by);
    }
  }

  /**
   * Why the filtered packs may not go, in words; undefined when they may.
   *
   * @throws what the disk throws, DamagedRefError
   */
  objection(): string | undefined {
    const facts = this.#facts;
    if (facts === undefined) return "nothing is known of what stays";
    return this.#missingPack(facts) ?? this.#unsafeRef(facts);
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

  #unsafeRef({ tagged, whole }: Facts): string | undefined {
    const { fileSystem, repositoryDirectory, branch } = this.#repository;
    const { tags, others } = listLiveRefs(fileSystem, repositoryDirectory, branch);
    const isNewTag = ({ oid }: Ref): boolean => !tagged.has(oid) && !whole.has(oid);
    const changed = [...tags.filter(isNewTag), ...others.filter(({ oid }) => !whole.has(oid))];
    if (changed.length === 0) return undefined;
    const { reader } = this.#repository;
    const index = new SeqIndex({ fileSystem, repositoryDirectory, ref: branch });
    try {
      const unsafe = changed.find((ref) => !this.#isOnKeptCommit(ref, index));
      return unsafe && `${unsafe.name} leads to ${hexFromOid(unsafe.oid)} now, which may need what was dropped`;
    } finally {
      index.close();
      reader.close();
    }
  }

  /** Most new refs are on recent commits of the branch, and those are kept whatever else is. */
  #isOnKeptCommit(ref: Ref, index: SeqIndex): boolean {
    const { reader } = this.#repository;
    try {
      const { tagObjects, oid, type } = peel(reader, ref);
      if (type !== "commit" || !tagObjects.every((tagObject) => this.#isLoose(tagObject))) return false;
      const { seq } = readCommit(reader, oid).trailers;
      return seq !== undefined && seq >= this.#boundary && index.oidOfSeq(seq) === oid;
    } catch (error) {
      if (error instanceof MissingObjectError || error instanceof NotACommitError) return false;
      throw error;
    }
  }

  #isLoose(oid: Oid): boolean {
    const { fileSystem, repositoryDirectory } = this.#repository;
    const hex = hexFromOid(oid);
    return fileSystem.exists(`${repositoryDirectory}/objects/${hex.slice(0, 2)}/${hex.slice(2)}`);
  }
}
