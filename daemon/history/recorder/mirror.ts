/**
 * The recorder's picture of the recorded tree: what the last recorded commit's root looks like in Git.
 *
 * Owns how a commit's changes become new objects: it edits the directories that they touch and hands every new blob and
 * tree to the pack. It never reads an object back: what it needs of the recorded state is in memory. It must give the
 * same tree oids as `object/root-encoder.ts`; the recorder checks that at start, the tests after every commit.
 *
 * Invariants
 *  1. Between commits the directories are exactly those of the recorded root: every directory but the top has a node child
 *     (or is `.domains` with a record), every other node is an entry in its parent.
 *  2. After `apply`, every object of the new root is in the pack under construction or was in the root before (at whatever
 *     path). Nothing is left out because some older pack holds it.
 *  3. The pack gets no object that the new root does not reach, so that `git fsck` has nothing dangling to report. That
 *     rests on changes being net: no path is set twice in one commit.
 *  4. An error in `apply` leaves the mirror unusable: whoever sees one starts again from the tip.
 */
import type { ByteString } from "../../../protocol/bytes.js";
import type { Path } from "../../../protocol/identifiers.js";
import type { SpecialPath } from "../../../protocol/path.js";
import { samePerms, type Perms } from "../../../protocol/perms.js";
import type { Change, NodeState } from "../../store/commit.js";
import { withEntry } from "../../store/diff.js";
import type { QuotaName } from "../../store/quota.js";
import { isEmptyRecord, type DomainRecord } from "../../store/root.js";
import {
  DOMAINS_DIRECTORY,
  PERMS_FILE,
  QUOTAS_FILE,
  serializeDomainFile,
  serializePermsFile,
  serializeQuotasFile,
  serializeSpecialFile,
  SPECIAL_FILE,
  VALUE_FILE,
} from "../object/dot-file.js";
import { EMPTY_BLOB, hashObject, type Oid } from "../object/oid.js";
import type { PackBuilder } from "../object/pack.js";
import { TreeEdit } from "../object/tree-edit.js";
import { isDirectoryKey, type EntryKey } from "../object/tree-object.js";
import { Directory, isNodeKey } from "./directory.js";
import type { KeyPool } from "./key-pool.js";
import { SKIP_CHAIN_FROM_BYTES, SkipChain } from "./skip-chain.js";

/** Stands in an entry until its directory has been hashed, and for the tree of a history without commits. */
export const NO_OID = "\0".repeat(20) as Oid;

/** What a mirror starts from. */
export interface RecordedTree {
  readonly top: Directory;
  readonly oid: Oid;
  readonly special: ReadonlyMap<SpecialPath, Perms>;
  readonly quotas: ReadonlyMap<QuotaName, number>;
  /** The pool that the directories' keys come from. */
  readonly keys: KeyPool;
}

/** A change that the recorded state has no place for: the journal and the history do not belong together. */
export class ChangeMisfitError extends Error {
  override readonly name = "ChangeMisfitError";
  constructor(path: string) {
    super(`the change of ${path} does not fit the recorded state: its parent, or the node to remove, is missing`);
  }
}

/** The mirror of one branch. */
export class Mirror {
  readonly #top: Directory;
  readonly #keys: KeyPool;
  #special: ReadonlyMap<SpecialPath, Perms>;
  #quotas: ReadonlyMap<QuotaName, number>;
  #treeOid: Oid;
  readonly #pack: PackBuilder;
  /** Directories that the commit under way has touched, by depth. */
  readonly #touched: Directory[][] = [];
  /** The largest depth among them; -1 when there are none. */
  #deepest = -1;
  /** The edit of whichever directory `#replacesLeaf` is at. */
  readonly #replacement = new TreeEdit(0);
  /** Leaves that got an empty value in the commit under way; most become directories in the same commit. */
  readonly #emptied: { readonly parent: Directory; readonly key: EntryKey }[] = [];
  #isDirectoryRemoved = false;
  /** Whether `.special` and `.quotas` must be written anew; once for all of a commit's changes (invariant 3). */
  #isSpecialStale = false;
  #areQuotasStale = false;

  /** @param recorded - the mirror's content; before the first commit its oid is `NO_OID` */
  constructor(recorded: RecordedTree, pack: PackBuilder) {
    this.#top = recorded.top;
    this.#treeOid = recorded.oid;
    this.#special = recorded.special;
    this.#quotas = recorded.quotas;
    this.#keys = recorded.keys;
    this.#pack = pack;
  }

  /** The oid of the recorded root; before the first commit, `NO_OID`. */
  get treeOid(): Oid {
    return this.#treeOid;
  }

  /**
   * Makes a commit's changes, in order, and adds the objects that they bring to the pack.
   *
   * @returns the oid of the new root, which is the old one when nothing differs
   * @throws ChangeMisfitError
   */
  apply(changes: readonly Change[]): Oid {
    if (this.#treeOid === NO_OID) {
      this.#isSpecialStale = true;
      this.#makePermsStale(this.#top);
    }
    if (changes.length === 1 && this.#replacesLeaf(changes[0] as Change)) return this.#treeOid;
    for (const change of changes) this.#applyChange(change);
    this.#finish();
    return this.#treeOid;
  }

  /**
   * Makes the change that most commits are, another value for a leaf, in one walk to the top and back; says whether the
   * change is such a one, and does nothing otherwise.
   */
  #replacesLeaf(change: Change): boolean {
    if (change.kind !== "node" || change.after === undefined || this.#treeOid === NO_OID) return false;
    const { path, after } = change;
    const parent = after.value === "" ? undefined : this.#findParent(path);
    if (parent === undefined) return false;
    const name = path.slice(path.lastIndexOf("/") + 1);
    let index = parent.find(name);
    if (index < 0 || !samePerms(parent.exceptions?.get(name) ?? (parent.perms as Perms), after.perms)) return false;
    let oid = hashObject("blob", after.value);
    if (parent.hasOidAt(index, oid)) return true;
    this.#pack.addObject("blob", oid, after.value);
    for (let directory: Directory | undefined = parent; directory !== undefined;) {
      this.#beginEdit(directory, this.#replacement);
      directory.setOidAt(index, oid);
      oid = directory.hash();
      this.#store(directory, oid);
      const above: Directory | undefined = directory.parent;
      index = above === undefined ? -1 : above.slotOf(directory);
      directory = above;
    }
    this.#treeOid = oid;
    return true;
  }

  /** The directory above a path's last name, if there is one. */
  #findParent(path: Path): Directory | undefined {
    let directory: Directory | undefined = this.#top;
    for (
      let start = 1, slash = path.indexOf("/", 1);
      slash !== -1 && directory !== undefined;
      start = slash + 1, slash = path.indexOf("/", start)
    ) {
      const index = directory.find(path.slice(start, slash + 1));
      directory = index < 0 ? undefined : directory.childAt(index);
    }
    return directory;
  }

  #applyChange(change: Change): void {
    switch (change.kind) {
      case "node":
        if (change.after === undefined) this.#remove(change.path);
        else this.#set(change.path, change.after);
        break;
      case "special":
        this.#special = withEntry(this.#special, change.path, change.after);
        this.#isSpecialStale = true;
        break;
      case "quota":
        this.#quotas = withEntry(this.#quotas, change.name, change.after);
        this.#areQuotasStale = true;
        break;
      case "domain":
        this.#setDomain(String(change.domid), change.after);
        break;
    }
  }

  #setDomain(key: EntryKey, record: DomainRecord | undefined): void {
    const index = this.#top.find(DOMAINS_DIRECTORY);
    const existing = index < 0 ? undefined : this.#top.childAt(index);
    const content = record === undefined || isEmptyRecord(record) ? "" : serializeDomainFile(record);
    if (existing === undefined && content === "") return;
    this.#setFile(existing ?? this.#insertDirectory(this.#top, DOMAINS_DIRECTORY, undefined), key, content);
  }

  #set(path: Path, state: NodeState): void {
    if (path.length === 1) {
      this.#setDirectory(this.#top, state);
      return;
    }
    const parent = this.#descend(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    const index = parent.find(name);
    if (index < 0) {
      const child = parent.find(`${name}/`);
      if (child >= 0) this.#setDirectory(parent.childAt(child) as Directory, state);
      else {
        this.#touch(parent);
        parent.insertAt(-index - 1, this.#keys.pooled(name), this.#putValue(parent, name, state.value), undefined);
        this.#setLeafPerms(parent, name, state.perms);
      }
      return;
    }
    const oid = hashObject("blob", state.value);
    if (!parent.hasOidAt(index, oid)) {
      this.#putValue(parent, name, state.value, oid);
      this.#touch(parent);
      parent.setOidAt(index, oid);
    }
    this.#setLeafPerms(parent, name, state.perms);
  }

  /** Adds a leaf's value to the pack; an empty one only at the end, see `#emptied`. */
  #putValue(parent: Directory, key: EntryKey, value: ByteString, oid = hashObject("blob", value)): Oid {
    if (value === "") this.#emptied.push({ parent, key });
    else this.#pack.addObject("blob", oid, value);
    return oid;
  }

  #setLeafPerms(parent: Directory, name: string, perms: Perms): void {
    const old = parent.exceptions?.get(name);
    const isOwn = parent.perms !== undefined && samePerms(parent.perms, perms);
    if (isOwn ? old === undefined : old !== undefined && samePerms(old, perms)) return;
    if (isOwn) removeException(parent, name);
    else (parent.exceptions ??= new Map<string, Perms>()).set(this.#keys.pooled(name), perms);
    this.#makePermsStale(parent);
  }

  #setDirectory(directory: Directory, state: NodeState): void {
    this.#setFile(directory, VALUE_FILE, state.value);
    const old = directory.perms as Perms;
    if (samePerms(old, state.perms)) return;
    const exceptions = new Map<string, Perms>();
    for (const key of directory.keys) {
      if (!isNodeKey(key) || isDirectoryKey(key)) continue;
      const perms = directory.exceptions?.get(key) ?? old;
      if (!samePerms(perms, state.perms)) exceptions.set(key, perms);
    }
    directory.exceptions = exceptions.size === 0 ? undefined : exceptions;
    directory.perms = state.perms;
    this.#makePermsStale(directory);
  }

  #remove(path: Path): void {
    const parent = this.#descend(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    let index = parent.find(name);
    if (index < 0) {
      index = parent.find(`${name}/`);
      if (index < 0) throw new ChangeMisfitError(path);
      (parent.childAt(index) as Directory).isRemoved = true;
      this.#isDirectoryRemoved = true;
    } else if (removeException(parent, name)) this.#makePermsStale(parent);
    this.#touch(parent);
    parent.removeAt(index);
  }

  /** The directory above a path's last name; a leaf on the way becomes a directory. */
  #descend(path: Path): Directory {
    let directory = this.#top;
    for (
      let start = 1, slash = path.indexOf("/", 1);
      slash !== -1;
      start = slash + 1, slash = path.indexOf("/", start)
    ) {
      const index = directory.find(path.slice(start, slash + 1));
      directory =
        index >= 0
          ? (directory.childAt(index) as Directory)
          : this.#makeDirectory(directory, path.slice(start, slash), path);
    }
    return directory;
  }

  /** Turns a leaf into a directory, which takes its value and perms along. */
  #makeDirectory(parent: Directory, name: string, path: Path): Directory {
    const index = parent.find(name);
    if (index < 0) throw new ChangeMisfitError(path);
    const value = parent.oidAt(index);
    const perms = parent.exceptions?.get(name) ?? parent.perms;
    this.#touch(parent);
    parent.removeAt(index);
    if (removeException(parent, name)) this.#makePermsStale(parent);
    const directory = this.#insertDirectory(parent, `${name}/`, perms);
    if (value !== EMPTY_BLOB) directory.insertAt(0, VALUE_FILE, value, undefined);
    return directory;
  }

  #insertDirectory(parent: Directory, key: EntryKey, perms: Perms | undefined): Directory {
    const directory = new Directory({ parent, key: this.#keys.pooled(key), perms });
    this.#touch(parent);
    parent.insertAt(-parent.find(key) - 1, directory.key, NO_OID, directory);
    if (perms === undefined) this.#touch(directory);
    else this.#makePermsStale(directory);
    return directory;
  }

  /** Gives a dot file (or a domain's record) a content; an empty one removes it. */
  #setFile(directory: Directory, key: EntryKey, content: ByteString): void {
    const index = directory.find(key);
    if (content === "") {
      if (index < 0) return;
      this.#touch(directory);
      directory.removeAt(index);
      return;
    }
    const oid = hashObject("blob", content);
    if (index >= 0 && directory.hasOidAt(index, oid)) return;
    this.#pack.addObject("blob", oid, content);
    this.#touch(directory);
    if (index >= 0) directory.setOidAt(index, oid);
    else directory.insertAt(-index - 1, this.#keys.pooled(key), oid, undefined);
  }

  #makePermsStale(directory: Directory): void {
    directory.isPermsStale = true;
    this.#touch(directory);
  }

  #touch(directory: Directory): void {
    if (directory.isTouched) return;
    directory.isTouched = true;
    this.#beginEdit(directory, undefined);
    const { depth } = directory;
    this.#deepest = Math.max(this.#deepest, depth);
    while (this.#touched.length <= depth) this.#touched.push([]);
    (this.#touched[depth] as Directory[]).push(directory);
  }

  /**
   * Starts the trace of what happens to a directory, when its content is in the pack under construction.
   *
   * @param edit - to be used for it, and free again when the directory was stored; a new one when undefined
   */
  #beginEdit(directory: Directory, edit: TreeEdit | undefined): void {
    if (directory.packGeneration !== this.#pack.generation) return;
    if (directory.chain !== undefined) return;
    if (edit === undefined) directory.edit = new TreeEdit(directory.contentBytes);
    else {
      edit.restart(directory.contentBytes);
      directory.edit = edit;
    }
  }

  /** Adds a directory's new tree object to the pack, as a delta where an earlier version is in it. */
  #store(directory: Directory, oid: Oid): void {
    const pack = this.#pack;
    const { hashed, contentStart, contentBytes, edit, chain } = directory;
    directory.edit = undefined;
    if (directory.packGeneration !== pack.generation) {
      directory.packEntry = pack.addTree(oid, hashed, contentStart);
      directory.packGeneration = pack.generation;
      directory.chain = undefined;
      return;
    }
    if (chain !== undefined) {
      const entry = pack.addEditedTree(oid, hashed, contentStart, chain.next());
      directory.packEntry = entry;
      if (pack.isWhole(entry)) directory.chain = new SkipChain(entry, contentBytes);
      else chain.advance(entry, contentBytes);
      return;
    }
    directory.packEntry =
      edit === undefined
        ? pack.addTree(oid, hashed, contentStart)
        : pack.addEditedTree(oid, hashed, contentStart, { base: directory.packEntry, edit });
    if (contentBytes >= SKIP_CHAIN_FROM_BYTES) directory.chain = new SkipChain(directory.packEntry, contentBytes);
  }

  /** Brings what was touched up to date, deepest first, so that every oid is known when its parent is hashed. */
  #finish(): void {
    if (this.#isSpecialStale) this.#setFile(this.#top, SPECIAL_FILE, serializeSpecialFile(this.#special));
    if (this.#areQuotasStale) this.#setFile(this.#top, QUOTAS_FILE, serializeQuotasFile(this.#quotas));
    this.#isSpecialStale = false;
    this.#areQuotasStale = false;
    for (let depth = this.#deepest; depth >= 0; depth--) {
      const level = this.#touched[depth] as Directory[];
      for (const directory of level) {
        if (!this.#isDirectoryRemoved || !isOutOfTree(directory)) this.#finishDirectory(directory);
        directory.isTouched = false;
        directory.edit = undefined;
      }
      level.length = 0;
    }
    for (const { parent, key } of this.#emptied) {
      if (parent.find(key) >= 0) this.#pack.addObject("blob", EMPTY_BLOB, "");
    }
    this.#emptied.length = 0;
    this.#isDirectoryRemoved = false;
    this.#deepest = -1;
  }

  #finishDirectory(directory: Directory): void {
    const { parent } = directory;
    if (parent !== undefined && isWithoutEntries(directory)) {
      this.#collapse(parent, directory);
      return;
    }
    if (directory.isPermsStale) {
      directory.isPermsStale = false;
      this.#setFile(directory, PERMS_FILE, serializePermsFile(directory.perms as Perms, directory.exceptions));
    }
    const oid = directory.hash();
    if (parent === undefined) {
      if (oid === this.#treeOid) return;
      this.#treeOid = oid;
    } else {
      const slot = parent.slotOf(directory);
      if (parent.hasOidAt(slot, oid)) return;
      this.#touch(parent);
      parent.setOidAt(slot, oid);
    }
    this.#store(directory, oid);
  }

  /** Turns a directory without children into a leaf; `.domains` without records goes. */
  #collapse(parent: Directory, directory: Directory): void {
    this.#touch(parent);
    parent.removeAt(parent.slotOf(directory));
    directory.isRemoved = true;
    const { perms } = directory;
    if (perms === undefined) return;
    const valueIndex = directory.find(VALUE_FILE);
    const name = directory.key.slice(0, -1);
    const key = this.#keys.pooled(name);
    const index = -parent.find(key) - 1;
    if (valueIndex >= 0) parent.insertAt(index, key, directory.oidAt(valueIndex), undefined);
    else parent.insertAt(index, key, this.#putValue(parent, key, ""), undefined);
    this.#setLeafPerms(parent, key, perms);
  }
}

function removeException(directory: Directory, name: string): boolean {
  const { exceptions } = directory;
  if (exceptions?.delete(name) !== true) return false;
  if (exceptions.size === 0) directory.exceptions = undefined;
  return true;
}

/** Whether a directory has become one that cannot be: no node below it, or no domain. */
function isWithoutEntries(directory: Directory): boolean {
  const { keys } = directory;
  if (directory.perms === undefined) return keys.length === 0;
  for (const key of keys) if (isNodeKey(key)) return false;
  return true;
}

function isOutOfTree(directory: Directory): boolean {
  for (let at: Directory | undefined = directory; at !== undefined; at = at.parent) if (at.isRemoved) return true;
  return false;
}
