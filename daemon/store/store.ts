/**
 * The store: the current root, the seq of its last commit, and the books that belong to it.
 *
 * Owns the step from a draft to a commit, and the memory of recent commits that explains conflicts. Invariants:
 *
 * 1. `root` is the state after the commit `seq`; both change together, in `commit`, and in `rewind`.
 * 2. `accounts` describe `root`.
 */
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { isAtOrBelow } from "../../protocol/path.js";
import { Accounts } from "./accounts.js";
import type { Change, Commit, Origin, RequestRecord } from "./commit.js";
import type { Draft } from "./draft.js";
import type { Root } from "./root.js";

/** What a commit is made of besides its draft. */
export interface CommitDetails {
  readonly time: Microseconds;
  readonly origin: Origin;
  /** Seq of the snapshot that was read; the parent's for a request outside a transaction. */
  readonly base: Seq;
  readonly requests: readonly RequestRecord[];
  readonly requestsOmitted: number;
  /** As in `Commit`. */
  readonly merged?: string | undefined;
}

/** What the store was at some moment; see `Store.mark`. */
export interface StoreMark {
  readonly root: Root;
  readonly seq: Seq;
}

/** What is remembered of a commit to explain conflicts. */
export interface RecentCommit {
  readonly seq: Seq;
  readonly origin: Origin;
  /** What it changed: paths of nodes, and special paths. */
  readonly paths: readonly string[];
}

/** How many changed paths are remembered; the oldest commits go first. */
const RECENT_PATHS_MAX = 16_384;

/** The current state. */
export class Store {
  #root: Root;
  #seq: Seq;
  readonly #accounts: Accounts;
  /** What was committed since `settle`, newest last, for `rewind`. */
  #unsettled: { readonly seq: Seq; readonly before: Root; readonly changes: readonly Change[] }[] = [];
  /** The last commits, oldest first. */
  #recent: RecentCommit[] = [];
  #recentPaths = 0;

  constructor(root: Root, seq: Seq) {
    this.#root = root;
    this.#seq = seq;
    this.#accounts = new Accounts(root);
  }

  get root(): Root {
    return this.#root;
  }

  get seq(): Seq {
    return this.#seq;
  }

  get accounts(): Accounts {
    return this.#accounts;
  }

  /** Makes the draft, whose base must be the current root, the current state. */
  commit(draft: Draft, details: CommitDetails): Commit {
    if (draft.base !== this.#root) throw new Error("a draft of another root cannot be committed");
    const changes = draft.netChanges();
    const seq = (this.#seq + 1) as Seq;
    const { time, origin, base, requests, requestsOmitted, merged } = details;
    const own = { seq, time, origin, base, requests, requestsOmitted, changes };
    const commit: Commit = merged === undefined ? own : { ...own, merged };
    this.#accounts.apply(this.#root, changes);
    this.#unsettled.push({ seq, before: this.#root, changes });
    this.#root = draft.root;
    this.#seq = seq;
    this.#remember(commit);
    return commit;
  }

  /**
   * The last commit after `base` that changed a path, something above it or something below it; undefined when none is
   * remembered.
   */
  findCommitTouching(path: string, base: Seq): RecentCommit | undefined {
    for (let index = this.#recent.length - 1; index >= 0; index--) {
      const commit = this.#recent[index] as RecentCommit;
      if (commit.seq <= base) return undefined;
      if (commit.paths.some((changed) => isAtOrBelow(changed, path) || isAtOrBelow(path, changed))) return commit;
    }
    return undefined;
  }

  /** What was committed stands: it will not be undone any more. */
  settle(): void {
    this.#unsettled = [];
  }

  /** Remembers this moment for `rewind`. */
  mark(): StoreMark {
    return { root: this.#root, seq: this.#seq };
  }

  /** Undoes the commits since the mark, which is no older than the last `settle`. */
  rewind(mark: StoreMark): void {
    while ((this.#unsettled.at(-1)?.seq ?? 0) > mark.seq) {
      const undone = this.#unsettled.pop();
      if (undone !== undefined) this.#accounts.revert(undone.before, undone.changes);
    }
    this.#root = mark.root;
    this.#seq = mark.seq;
    this.#recent = this.#recent.filter((commit) => commit.seq <= mark.seq);
    this.#recentPaths = this.#recent.reduce((sum, commit) => sum + commit.paths.length + 1, 0);
  }

  #remember(commit: Commit): void {
    const paths: string[] = [];
    for (const change of commit.changes) {
      if (change.kind === "node" || change.kind === "special") paths.push(change.path);
    }
    this.#recent.push({ seq: commit.seq, origin: commit.origin, paths });
    this.#recentPaths += paths.length + 1;
    if (this.#recentPaths <= 2 * RECENT_PATHS_MAX) return;
    let kept = 0;
    let first = this.#recent.length;
    while (first > 0 && kept <= RECENT_PATHS_MAX) kept += (this.#recent[--first] as RecentCommit).paths.length + 1;
    this.#recent = this.#recent.slice(first);
    this.#recentPaths = kept;
  }
}
