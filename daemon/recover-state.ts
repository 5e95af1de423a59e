/**
 * What the daemon finds when it starts: the root at the tip of the history, and the journal's commits beyond it.
 *
 * Owns that order (tip → its ref made durable → journal, opened behind the tip's seq → replay) and what redaction does to a
 * recovered root. It starts no thread and opens no socket, so the crash tests run it on a disk in memory, as it is. It must
 * never change the repository. Source: design.md, "Journal and recorder", "Start".
 */
import type { Seq } from "../protocol/identifiers.js";
import { loadTip } from "./history/recorder/load-tip.js";
import { MAIN_BRANCH, refOfBranch } from "./history/repository/layout.js";
import { RefStore } from "./history/repository/ref-store.js";
import { journalDirectory } from "./journal/journal-directory.js";
import { openJournal, type Durability, type Journal, type OpenedJournal } from "./journal/journal.js";
import type { PathGlob } from "./journal/path-glob.js";
import { createRedactionKey, readRedactionKey } from "./journal/redaction-key.js";
import { emptyMarkedChanges, emptyMarkedNodes, redactCommit } from "./journal/redaction.js";
import type { FileSystem } from "./platform/file-system.js";
import type { Change, Commit } from "./store/commit.js";
import { applyChanges } from "./store/diff.js";
import { emptyRoot, type Root } from "./store/root.js";

/** Where the state is, and how the journal goes on. */
export interface RecoveryOptions {
  readonly fileSystem: FileSystem;
  /** Absolute. */
  readonly stateDirectory: string;
  /** A repository that `createRepository` made. */
  readonly repositoryDirectory: string;
  /** Which branch; main unless told. */
  readonly branch?: string | undefined;
  readonly durability: Durability;
  /** The kernel's boot id; left out where there is none. */
  readonly bootId?: string | undefined;
  /** Paths whose values are not written down; none unless told. */
  readonly redact?: readonly PathGlob[] | undefined;
  /** A segment of the journal that has reached this size gets no more commits. */
  readonly segmentBytesMax: number;
}

/** The state, ready to be served. */
export interface RecoveredState {
  readonly journal: Journal;
  readonly root: Root;
  /** The last commit. */
  readonly seq: Seq;
  /** The last commit that the history has. */
  readonly recorded: Seq;
  /** What the journal's recovery removed or passed over. */
  readonly opened: Pick<OpenedJournal, "cut" | "passedOver">;
  /** Changes out of the history as the store may take them: a value that was redacted there is empty. */
  readonly emptyRedacted: (changes: readonly Change[]) => readonly Change[];
}

/**
 * Loads the root at the tip of the history and replays what the journal holds beyond it.
 *
 * @throws what `loadTip` and `openJournal` throw, in words for people
 */
export function recoverState(options: RecoveryOptions): RecoveredState {
  const { fileSystem, stateDirectory, branch = MAIN_BRANCH, durability, bootId, segmentBytesMax } = options;
  const ref = refOfBranch(branch);
  const tip = loadTip(fileSystem, options.repositoryDirectory, ref);
  const recorded = tip?.seq ?? (0 as Seq);
  // An earlier life may have died between moving the ref and making that durable; the journal is about to forget those commits.
  if (tip !== undefined) new RefStore(fileSystem, options.repositoryDirectory).sync(ref);
  const redactor = openRedactor(options);
  let root = tip?.root ?? emptyRoot();
  if (redactor !== undefined) root = redactor.emptyNodes(root, recorded);
  let seq = recorded;
  const opened = openJournal({
    fileSystem,
    directory: journalDirectory(stateDirectory, branch),
    branch,
    after: recorded,
    durability,
    bootId,
    redact: redactor?.redact,
    segmentBytesMax,
    replay: (commit) => {
      root = applyChanges(root, redactor?.emptyChanges(commit.changes) ?? commit.changes, commit.seq);
      seq = commit.seq;
    },
  });
  const emptyRedacted: RecoveredState["emptyRedacted"] = (changes) => redactor?.emptyChanges(changes) ?? changes;
  return { journal: opened.journal, root, seq, recorded, opened, emptyRedacted };
}

interface OpenedRedactor {
  /** Undefined when no value is to be redacted now. */
  readonly redact: ((commit: Commit) => Commit) | undefined;
  emptyNodes(root: Root, seq: Seq): Root;
  emptyChanges(changes: readonly Change[]): readonly Change[];
}

/** Undefined when nothing is to be redacted and nothing ever was. */
function openRedactor({ fileSystem, stateDirectory, redact: globs = [] }: RecoveryOptions): OpenedRedactor | undefined {
  let key = readRedactionKey(fileSystem, stateDirectory);
  if (key === undefined && globs.length === 0) return undefined;
  key ??= createRedactionKey(fileSystem, stateDirectory);
  const redactor = { key, globs };
  return {
    redact: globs.length === 0 ? undefined : (commit) => redactCommit(commit, redactor),
    emptyNodes: (root, seq) => emptyMarkedNodes(root, redactor, seq),
    emptyChanges: (changes) => emptyMarkedChanges(changes, redactor),
  };
}
