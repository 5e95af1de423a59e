/**
 * Compaction: the beginning of a history goes, and its space comes back.
 *
 * Owns the order of steps and what a crash between them leaves. What to drop is `retention-plan.ts`'s to say, what to keep
 * `mark-needed.ts`'s, which packs are rewritten together `rewrite-plan.ts`'s, and how `merge-packs.ts`'s. It runs in the recorder's thread as a generator that
 * pauses after a few milliseconds at most, so commits are recorded and sealed while it is under way; one runs at a time,
 * and no consolidation beside it.
 *
 *   snapshot ─► plan ─► mark ─► note the boundary ─► write `shallow` ─► for each pack: rewrite, place, retire ─► forget the note
 *      ▲                  │           durable             durable                 durable         │
 *      └── refs moved, a pack is gone: begin again                                                │
 *      └── when the old packs are to be removed, they may hold what is needed now (removal-guard.ts)
 *
 * Invariants
 *  1. Until `shallow` is written nothing has changed. From then on the repository is whole behind its new beginning, and
 *     what the rewriting drops is reachable from nothing.
 *  2. A pack is retired only when the packs that remain hold everything that is needed of it, durably; and removed only
 *     while that is still so.
 *  3. Only packs of the snapshot are touched: not what was sealed later, not what somebody has marked with `.keep`, not what
 *     has been merged into another (an object's last copy could be taken for the one that stays there). What an earlier
 *     compaction has filtered and is still there is in use again.
 *  4. What was recorded since the snapshot needs, of older objects, only those of the snapshot's tips, of main and of the
 *     forks (recorder invariant 3), which are marked; or of the commits that forks started from since (own-forks.ts).
 *  5. Before a pack is retired the refs are read again: one that leads to something that was not marked makes it all begin
 *     again, and so does a fork that started there. A fork that goes on does not.
 *  6. The note is there from before `shallow` changes until the old packs are gone. A start that finds it compacts again,
 *     with that boundary; doing so twice does no harm.
 *  7. One pack that cannot be rewritten stays as it is, and hinders nothing else.
 */
import { isErrno } from "../../platform/errno.js";
import { Buffer } from "node:buffer";
import type { Seq } from "../../../protocol/identifiers.js";
import { hexFromOid, type Oid } from "../object/oid.js";
import { listIfPresent, readIfPresent, removeIfPresent, writeDurableFile } from "../repository/durable-file.js";
import { DamagedObjectError, MissingObjectError, ShallowMovedError } from "../repository/errors.js";
import { FileVanishedError } from "../repository/file-window.js";
import { discardWrittenPack, packDirectory, placeWrittenPack, removeKeep } from "../repository/pack-file.js";
import { RefStore, type Ref } from "../repository/ref-store.js";
import {
  readShallow,
  removeStaleShallowLock,
  sameCommits,
  updateShallow,
  type Shallow,
} from "../repository/shallow.js";
import { SeqIndex } from "../repository/seq-index.js";
import { readCommit } from "../repository/walk.js";
import { walkChain, type CommitChain } from "./commit-chain.js";
import type { ObjectReader } from "../repository/object-reader.js";
import { findPins, isReported, listLiveRefs, withoutBroken, type LiveRefs, type Pin } from "./live-refs.js";
import { ifPresent, peel } from "../repository/peel.js";
import { markNeeded, type MarkContext, type Marked, type NeededObjects } from "./mark-needed.js";
import { lookAtForks, type ForksSeen, type OwnForks } from "./own-forks.js";
import { readPackFacts } from "./pack-facts.js";
import { planRewrites, type RewritablePack } from "./rewrite-plan.js";
import { PackTooLargeError, rewritePacks, type RewriteRequest, type RewrittenPack } from "./merge-packs.js";
import type { RemovalGuard } from "./removal-guard.js";
import type { RetiredPacks } from "./retired-packs.js";
import {
  isLimited,
  isWorthwhile,
  resolveRevision,
  wantedBoundary,
  withinPins,
  type NamedCommit,
  type Resolution,
  type RetentionLimits,
  type RetentionThreshold,
} from "./retention-plan.js";

/** What a compaction works with. */
export interface CompactionContext extends MarkContext {
  /** Full name of the branch's ref. */
  readonly branch: string;
  /** Takes over the packs that have been replaced, and knows those that only wait for their removal. */
  readonly retired: RetiredPacks;
  /** Remembers what the removal of the old packs relies on. */
  readonly guard: RemovalGuard;
  /** The forks that are recorded in this thread; none unless told. */
  readonly forks?: OwnForks | undefined;
}

/** Where the history shall begin. */
export type CompactionTarget =
  /** At the commit that a person named, or not at all; whatever can be freed is freed. */
  | { readonly kind: "revision"; readonly revision: string }
  /** Where the limits say, as far as other branches allow, if it is worth the work. */
  | { readonly kind: "limits"; readonly limits: RetentionLimits; readonly threshold?: RetentionThreshold }
  /** Where a compaction that did not come to its end wanted it, or further on where the limits say by now. */
  | { readonly kind: "resume"; readonly limits: RetentionLimits };

/** What came of it. */
export type CompactionOutcome =
  | { readonly kind: "refused"; readonly reason: string }
  /** There was nothing to drop, or too little. */
  | { readonly kind: "unnecessary"; readonly oldest: Seq | undefined }
  | {
      readonly kind: "done";
      /** The commit that the history begins with now. */
      readonly oldest: Seq;
      readonly commitsDropped: number;
      readonly packsRewritten: number;
      readonly packsRetired: number;
      /** What could not be done, in words: packs that cannot be rewritten, refs that lead nowhere. */
      readonly complaints: readonly string[];
      /** Of packs and indexes, before and after; the space is free when the retired ones have been removed. */
      readonly bytesBefore: number;
      readonly bytesAfter: number;
    };

/** How often it begins again before it gives up for now. */
const ATTEMPTS_MAX = 5;
/** A pack of which less than this part could be dropped is left alone, unless a person asked. */
const DROPPED_PART_MIN = 0.1;
const PACK_INDEX_NAME = /^pack-([0-9a-f]{40})\.idx$/;
const NOTE = /^boundary ([0-9a-f]{40})\n$/;
const NOTE_DIRECTORY = "xenstore-tng";

/** The repository as it is when a compaction begins. */
interface Snapshot {
  readonly tip: Oid;
  readonly listed: LiveRefs;
  /** Those of them that lead somewhere. */
  readonly refs: LiveRefs;
  /** Those that do not. */
  readonly broken: readonly Ref[];
  /** The forks among them. */
  readonly forks: ForksSeen;
  readonly shallow: Shallow;
  /** All in use: their objects are marked. */
  readonly packs: readonly string[];
  /** Those of them that nobody keeps as they are. */
  readonly rewritable: ReadonlySet<string>;
}

/** Where a compaction begins the history, and how thorough it is. */
interface Decision {
  readonly boundary: Seq;
  readonly droppedPartMin: number;
}

function noteFile(repositoryDirectory: string): string {
  return `${repositoryDirectory}/${NOTE_DIRECTORY}/compaction`;
}

/** The boundary of a compaction that has not come to its end, in hexadecimal; undefined when there is none. */
export function readCompactionNote(
  context: Pick<CompactionContext, "fileSystem" | "repositoryDirectory">,
): string | undefined {
  const content = readIfPresent(context.fileSystem, noteFile(context.repositoryDirectory));
  // A note that cannot be read was never durable, so nothing had been changed on its behalf.
  return NOTE.exec(Buffer.from(content ?? []).toString("latin1"))?.[1];
}

/**
 * Forgets a compaction when its old packs are gone.
 *
 * Not synced: a note that comes back after a power cut leads to a compaction that finds nothing to do.
 */
export function removeCompactionNote(context: Pick<CompactionContext, "fileSystem" | "repositoryDirectory">): void {
  removeIfPresent(context.fileSystem, noteFile(context.repositoryDirectory));
}

/**
 * Cleans up after a compaction that a crash ended; at start, before anything else runs. Says whether it must be resumed.
 */
export function recoverCompaction(context: Pick<CompactionContext, "fileSystem" | "repositoryDirectory">): boolean {
  const { fileSystem, repositoryDirectory } = context;
  const torn = `${noteFile(repositoryDirectory)}.new`;
  if (fileSystem.exists(torn)) fileSystem.remove(torn);
  if (readCompactionNote(context) === undefined) return false;
  removeStaleShallowLock(fileSystem, repositoryDirectory);
  return true;
}

/**
 * The first commit of a history, by its seq; undefined when there is none.
 *
 * Of the commits that `shallow` lists, those that are kept for the sake of a tag or of a merge come before it, so it
 * is the one with the highest seq. Costs one read for each.
 */
export function readOldestSeq(context: MarkContext, tip: Oid | undefined): Seq | undefined {
  if (tip === undefined) return undefined;
  const tipSeq = readCommit(context.reader, tip).trailers.seq;
  if (tipSeq === undefined) return undefined;
  let oldest = 1 as Seq;
  for (const oid of readShallow(context.fileSystem, context.repositoryDirectory)) {
    const seq = readSeqIfWhole(context.reader, oid);
    if (seq !== undefined && seq > oldest && seq <= tipSeq) oldest = seq;
  }
  return oldest;
}

/** Undefined for a commit that is not there, or damaged: of a tag's sake, which says nothing of the branch. */
function readSeqIfWhole(reader: ObjectReader, oid: Oid): Seq | undefined {
  try {
    return readCommit(reader, oid).trailers.seq;
  } catch (error) {
    if (error instanceof MissingObjectError || error instanceof DamagedObjectError) return undefined;
    throw error;
  }
}

/**
 * Runs a compaction.
 *
 * When it ends with "done", the caller removes the note (`removeCompactionNote`) once no retired pack is left.
 *
 * @throws what the disk throws, ShallowLockedError, BrokenChainError, MissingObjectError, DamagedObjectError: the
 *   repository is as good as before, and running it again later is right
 */
export function* runCompaction(
  context: CompactionContext,
  target: CompactionTarget,
): Generator<void, CompactionOutcome> {
  const work: Work = { target, commitsDropped: 0 };
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    try {
      const outcome = yield* attemptCompaction(context, work);
      if (outcome !== undefined) return outcome;
    } catch (error) {
      if (!(error instanceof FileVanishedError || error instanceof ShallowMovedError)) throw error;
    } finally {
      context.reader.close();
    }
  }
  throw new Error(
    `${context.repositoryDirectory}: somebody else changes refs or packs faster than they can be looked through; compaction is tried again later`,
  );
}

/** What one attempt leaves for the next. */
interface Work {
  target: CompactionTarget;
  /** By moving the boundary, so far. */
  commitsDropped: number;
}

/** The boundary is moved, so no limit asks for more; but the space is yet to be freed. */
function noteMoved(work: Work, commitsDropped: number): void {
  work.commitsDropped += commitsDropped;
  if (work.target.kind === "limits") work.target = { kind: "resume", limits: work.target.limits };
}

function keyOf({ name, oid }: Ref): string {
  return `${name} ${oid}`;
}

/** Undefined: what was looked at is no longer so, begin again. */
function* attemptCompaction(context: CompactionContext, work: Work): Generator<void, CompactionOutcome | undefined> {
  const { target } = work;
  const snapshot = yield* takeSnapshot(context);
  if (snapshot === undefined) {
    return target.kind === "revision"
      ? { kind: "refused", reason: "nothing is recorded yet" }
      : { kind: "unnecessary", oldest: undefined };
  }
  const chain = yield* walkChain(context.reader, snapshot.tip, snapshot.shallow);
  const decision = yield* decide(context, { target, snapshot, chain });
  if ("kind" in decision) return decision;
  const marked = yield* markNeeded(context, { ...snapshot, chain, boundary: decision.boundary });
  try {
    const missing = new Map([...snapshot.broken.map((ref) => [ref.oid, ref] as const), ...marked.missing]);
    const kept: Kept = { needed: marked.needed, chain, boundary: decision.boundary };
    if (haveRefsMoved(context, snapshot, kept)) return undefined;
    context.retired.giveBackFiltered();
    context.guard.noteMissing([...missing.keys()]);
    context.guard.adopt(decision.boundary);
    moveBoundary(context, { snapshot, marked, boundary: chain.oidAt(decision.boundary) });
    noteMoved(work, decision.boundary - chain.oldest);
    yield;
    const freed = yield* rewriteAll(context, { snapshot, kept, decision });
    if (freed === undefined) return undefined;
    const { commitsDropped } = work;
    const complaints = [...missingObjects(missing), ...freed.complaints];
    return { kind: "done", oldest: decision.boundary, commitsDropped, ...freed, complaints };
  } finally {
    marked.needed.close();
  }
}

/** What matters in one step, so that refs, list and packs belong together. */
function* takeSnapshot(context: CompactionContext): Generator<void, Snapshot | undefined> {
  const { fileSystem, repositoryDirectory, branch } = context;
  const tip = new RefStore(fileSystem, repositoryDirectory).read(branch);
  if (tip === undefined) return undefined;
  const names = new Set(listIfPresent(fileSystem, packDirectory(repositoryDirectory)));
  const retired = context.retired.mergedNames();
  const packs: string[] = [];
  for (const name of names) {
    const pack = PACK_INDEX_NAME.exec(name)?.[1];
    if (pack !== undefined && !retired.has(pack) && names.has(`pack-${pack}.pack`)) packs.push(pack);
  }
  const rewritable = new Set(packs.filter((pack) => !names.has(`pack-${pack}.keep`)));
  const listed = listLiveRefs(fileSystem, repositoryDirectory, branch);
  const forks = lookAtForks(context.forks, listed.others);
  context.guard.prepare({ packs, refs: listed });
  const shallow = readShallow(fileSystem, repositoryDirectory);
  const { present, broken } = yield* withoutBroken(context.reader, listed);
  return { tip, listed, refs: present, broken, forks, shallow, packs, rewritable };
}

/** One complaint for each ref that somebody should mend. */
function missingObjects(missing: ReadonlyMap<Oid, Ref>): string[] {
  const refs = new Map<string, string>();
  for (const [oid, ref] of missing) {
    const word = `${ref.name} needs ${hexFromOid(oid)}, which is not there: mend or delete it`;
    if (isReported(ref) && !refs.has(ref.name)) refs.set(ref.name, word);
  }
  return [...refs.values()];
}

/** The boundary; or why there is none. */
function* decide(
  context: CompactionContext,
  subject: { readonly target: CompactionTarget; readonly snapshot: Snapshot; readonly chain: CommitChain },
): Generator<void, Decision | CompactionOutcome> {
  const { target, snapshot, chain } = subject;
  const pins = yield* findPins(context.reader, { ...snapshot, chain });
  const secondsAt = (seq: Seq): number => readCommit(context.reader, chain.oidAt(seq)).committer.seconds;
  switch (target.kind) {
    case "limits": {
      const boundary = withinPins(wantedBoundary(target.limits, chain, secondsAt), pins);
      if (!isWorthwhile(boundary, chain, target.threshold)) {
        if (chain.damage !== undefined) throw chain.damage;
        return { kind: "unnecessary", oldest: chain.oldest };
      }
      return { boundary, droppedPartMin: DROPPED_PART_MIN };
    }
    case "revision": {
      const named = namedCommits(context, snapshot);
      const resolution = yield* resolveRevision(target.revision, { chain, named });
      if ("refusal" in resolution && chain.damage !== undefined) throw chain.damage;
      return fromResolution(target.revision, resolution, pins);
    }
    case "resume": {
      const note = readCompactionNote(context);
      const resolution = note === undefined ? undefined : yield* resolveRevision(note, { chain, named: [] });
      // It may have been dropped since, by a boundary further on; and what the limits want has moved on as well.
      let seq = resolution !== undefined && "seq" in resolution ? resolution.seq : chain.oldest;
      if (isLimited(target.limits)) seq = Math.max(seq, wantedBoundary(target.limits, chain, secondsAt)) as Seq;
      return { boundary: Math.max(chain.oldest, withinPins(seq, pins)) as Seq, droppedPartMin: 0 };
    }
  }
}

function fromResolution(revision: string, resolution: Resolution, pins: readonly Pin[]): Decision | CompactionOutcome {
  if ("refusal" in resolution) return { kind: "refused", reason: resolution.refusal };
  const { seq } = resolution;
  const pin = pins.find((each) => each.seq < seq);
  if (pin === undefined) return { boundary: seq, droppedPartMin: 0 };
  return {
    kind: "refused",
    reason: `${revision} is commit @{${String(seq)}}, and ${pin.ref} is built on @{${String(pin.seq)}}: delete that ref first, or name an older commit`,
  };
}

function namedCommits(context: CompactionContext, { tip, refs }: Snapshot): NamedCommit[] {
  const named = [{ name: context.branch, commit: tip }];
  for (const ref of [...refs.tags, ...refs.others]) {
    const { oid, type } = peel(context.reader, ref);
    if (type === "commit") named.push({ name: ref.name, commit: oid });
  }
  return named;
}

/** What was marked. */
interface Kept {
  readonly needed: NeededObjects;
  readonly chain: CommitChain;
  readonly boundary: Seq;
}

/** Whether a ref leads to something now for whose sake not all was marked (invariant 5). */
function haveRefsMoved(context: CompactionContext, { listed, forks }: Snapshot, { needed, ...kept }: Kept): boolean {
  const known = new Set([...listed.tags, ...listed.others].map(keyOf));
  const now = listLiveRefs(context.fileSystem, context.repositoryDirectory, context.branch);
  const isSafeTag = (ref: Ref): boolean => known.has(keyOf(ref)) || needed.has(ref.oid);
  // What a branch is built on must be there too, and an old commit may have been kept for a tag's sake alone.
  const isSafe = (ref: Ref): boolean => known.has(keyOf(ref)) || isOnBranch(context, ref, kept);
  const others = forks.refsToJudge(now.others);
  const { blobs, trees } = listed.staged;
  const areStagedSafe =
    [...now.staged.blobs].every((oid) => blobs.has(oid) || needed.has(oid)) &&
    [...now.staged.trees].every((oid) => trees.has(oid) || needed.has(oid));
  return !(now.tags.every(isSafeTag) && others?.every(isSafe) === true && areStagedSafe);
}

/** Whether a ref is on a commit of the branch that is kept; it may have been recorded since the snapshot (invariant 4). */
function isOnBranch(context: CompactionContext, ref: Ref, { chain, boundary }: Omit<Kept, "needed">): boolean {
  const commit = commitOf(context.reader, ref);
  if (commit === undefined || commit.seq < boundary) return false;
  const { seq, oid } = commit;
  if (seq <= chain.tip) return chain.has(seq) && chain.oidAt(seq) === oid;
  const { fileSystem, repositoryDirectory, branch } = context;
  const index = new SeqIndex({ fileSystem, repositoryDirectory, ref: branch });
  try {
    return index.oidOfSeq(seq) === oid;
  } finally {
    index.close();
  }
}

/** Undefined for what is no commit of ours, or not there: what a fork started from that is deleted may be gone. */
function commitOf(reader: ObjectReader, ref: Ref): { readonly oid: Oid; readonly seq: Seq } | undefined {
  return ifPresent(() => {
    const { oid, type } = peel(reader, ref);
    const seq = type === "commit" ? readCommit(reader, oid).trailers.seq : undefined;
    return seq === undefined ? undefined : { oid, seq };
  });
}

/** From here on the history begins at the boundary, for Git and for us. */
function moveBoundary(
  context: CompactionContext,
  move: { readonly snapshot: Snapshot; readonly marked: Marked; readonly boundary: Oid },
): void {
  const { fileSystem, repositoryDirectory } = context;
  const { snapshot, marked, boundary } = move;
  writeNote(context, boundary);
  // Without a list the boundary is the first commit of all: there is nothing to cut.
  if (marked.shallow.size > 0 && !sameCommits(marked.shallow, snapshot.shallow)) {
    updateShallow(fileSystem, repositoryDirectory, { expected: snapshot.shallow, to: marked.shallow });
  }
  removeCommitGraphs(context);
}

function writeNote({ fileSystem, repositoryDirectory }: CompactionContext, boundary: Oid): void {
  const file = noteFile(repositoryDirectory);
  const directory = `${repositoryDirectory}/${NOTE_DIRECTORY}`;
  const temporary = `${file}.new`;
  fileSystem.makeDirectory(directory);
  removeIfPresent(fileSystem, temporary);
  writeDurableFile(fileSystem, temporary, [Buffer.from(`boundary ${hexFromOid(boundary)}\n`, "latin1")]);
  fileSystem.rename(temporary, file);
  fileSystem.syncDirectory(directory);
  fileSystem.syncDirectory(repositoryDirectory);
}

/**
 * Git does not use a commit-graph in a shallow repository, but `git fsck` verifies the file, and finds commits in it that
 * are gone. It is a cache; `git gc` writes another one when there is use for it.
 */
function removeCommitGraphs({ fileSystem, repositoryDirectory }: CompactionContext): void {
  const info = `${repositoryDirectory}/objects/info`;
  const chain = `${info}/commit-graphs`;
  removeIfPresent(fileSystem, `${info}/commit-graph`);
  // The file that lists the others first: what it lists must be there.
  const names = listIfPresent(fileSystem, chain).sort((left, right) =>
    left.endsWith("-chain") ? -1 : right.endsWith("-chain") ? 1 : 0,
  );
  for (const name of names) removeIfPresent(fileSystem, `${chain}/${name}`);
}

interface Freed {
  readonly complaints: string[];
  packsRewritten: number;
  packsRetired: number;
  bytesBefore: number;
  bytesAfter: number;
}

/** What a compaction does to the packs. */
interface RewriteWork {
  readonly snapshot: Snapshot;
  readonly kept: Kept;
  readonly decision: Decision;
}

/** Undefined: a ref has moved, begin again. */
function* rewriteAll(context: CompactionContext, work: RewriteWork): Generator<void, Freed | undefined> {
  const { snapshot, kept, decision } = work;
  const packs = yield* measurePacks(context, snapshot, kept.needed);
  const bytesBefore = packs.reduce((sum, { bytes }) => sum + bytes, 0);
  const freed: Freed = { complaints: [], packsRewritten: 0, packsRetired: 0, bytesBefore, bytesAfter: bytesBefore };
  const { rewrites, useless } = planRewrites(packs, decision);
  const closed = kept.needed.summary().filter(({ objects, needed }) => objects === needed);
  context.guard.noteClosed(closed.map(({ name }) => name));
  const keep = (pack: string, position: number): boolean => kept.needed.isNeeded(pack, position);
  const bytesOf = new Map(packs.map(({ name, bytes }) => [name, bytes]));
  /** A pack may be rewritten into one that was there already, of an earlier attempt. */
  const made = new Set<string>();
  const retire = (names: readonly string[]): void => {
    freed.packsRetired += names.length;
    for (const name of names) freed.bytesAfter -= bytesOf.get(name) ?? 0;
  };
  const pending = [...rewrites];
  for (let sources = pending.shift(); sources !== undefined; sources = pending.shift()) {
    const rewritten = yield* rewriteIfPossible(context, { sources, keep }, freed.complaints);
    if (rewritten === undefined) {
      if (sources.length > 1) pending.push(...sources.map((source) => [source]));
      continue;
    }
    if (sources.some((source) => context.guard.isAdded(source)) || haveRefsMoved(context, snapshot, kept)) {
      discardWrittenPack(context.fileSystem, rewritten);
      return undefined;
    }
    const { name } = rewritten;
    const replaced = sources.filter((source) => source !== name);
    replacePacks(context, replaced, rewritten);
    retire(replaced);
    if (!bytesOf.has(name)) freed.bytesAfter += rewritten.packBytes + rewritten.indexBytes;
    freed.packsRewritten++;
    made.add(name);
    yield;
  }
  if (haveRefsMoved(context, snapshot, kept)) return undefined;
  const isGoing = (name: string): boolean => !made.has(name) && !context.guard.isAdded(name);
  retire(retireUseless(context, useless.filter(isGoing)));
  return freed;
}

/** What the packs that may be rewritten are like. */
function* measurePacks(
  context: CompactionContext,
  { rewritable }: Snapshot,
  needed: NeededObjects,
): Generator<void, RewritablePack[]> {
  const { fileSystem, repositoryDirectory, reader } = context;
  const packs: RewritablePack[] = [];
  for (const need of needed.summary()) {
    if (!rewritable.has(need.name)) continue;
    try {
      const { bytes, seq } = yield* readPackFacts(fileSystem, reader, { repositoryDirectory, name: need.name });
      packs.push({ ...need, bytes, seq });
    } catch (error) {
      // Whether that hinders anything the rewriting will tell.
      if (!(error instanceof DamagedObjectError)) throw error;
      packs.push({ ...need, bytes: packBytes(context, need.name), seq: undefined });
    }
    yield;
  }
  return packs;
}

/** Undefined: the pack stays as it is (invariant 7). */
function* rewriteIfPossible(
  context: CompactionContext,
  request: RewriteRequest,
  complaints: string[],
): Generator<void, RewrittenPack | undefined> {
  try {
    return yield* rewritePacks(context, request);
  } catch (error) {
    if (!(error instanceof DamagedObjectError || error instanceof PackTooLargeError)) throw error;
    // Of several each is tried alone.
    if (request.sources.length === 1) complaints.push(`${error.message}; this pack is left as it is`);
    return undefined;
  }
}

/** Places a pack and lets those that it was made from go (invariant 2). */
function replacePacks(context: CompactionContext, replaced: readonly string[], pack: RewrittenPack): void {
  const { fileSystem, repositoryDirectory, retired, guard } = context;
  try {
    retired.announce(pack.name, replaced, "filtered");
    placeWrittenPack(fileSystem, repositoryDirectory, pack);
  } catch (error) {
    retired.withdraw(pack.name);
    discardWrittenPack(fileSystem, pack);
    throw error;
  }
  retired.retire(pack.name);
  guard.noteFiltered(replaced, pack.name);
  removeKeep(fileSystem, repositoryDirectory, pack.name);
}

/**
 * Lets packs go of which nothing is needed; returns those that do. Any pack that stays can stand for them, because there is
 * nothing in them that it would have to have. Where none is left (all that is needed is loose), they stay too.
 */
function retireUseless({ retired, guard }: CompactionContext, useless: readonly string[]): readonly string[] {
  if (useless.length === 0) return [];
  const going = new Set(useless);
  const staying = [...guard.packs].find((name) => !going.has(name));
  if (staying === undefined) return [];
  retired.announce(staying, useless, "filtered");
  retired.retire(staying);
  guard.noteFiltered(useless);
  return useless;
}

/** Of a pack and its index. */
function packBytes({ fileSystem, repositoryDirectory }: CompactionContext, name: string): number {
  let bytes = 0;
  for (const suffix of ["pack", "idx"]) {
    const path = `${packDirectory(repositoryDirectory)}/pack-${name}.${suffix}`;
    try {
      const file = fileSystem.open(path, "read");
      bytes += file.size();
      file.close();
    } catch (error) {
      if (isErrno(error, "ENOENT")) throw new FileVanishedError(path);
      throw error;
    }
  }
  return bytes;
}
