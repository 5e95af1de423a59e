/**
 * The store: the current root, the seq of its last commit, and the books that belong to it.
 *
 * Owns the step from a draft to a commit, and the memory of recent commits that explains conflicts. Invariants:
 *
 * 1. `root` is the state after the commit `seq`; both change together, in `commit`, and in `rewind`.
 * 2. `accounts` describe `root`.
 */
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { Accounts } from "./accounts.js";
import { findCause, touchedBy, type Cause, type Touched } from "./answer-cause.js";
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
  readonly touched: Touched;
}

/** How many changes are remembered; the oldest commits go first. */
const RECENT_CHANGES_MAX = 16_384;

/** The current state. */
export class Store {
  #root: Root;
  #seq: Seq;
  readonly #accounts: Accounts;
  /** What was committed since `settle`, newest last, for `rewind`. */
  #unsettled: { readonly seq: Seq; readonly before: Root; readonly changes: readonly Change[] }[] = [];
  /** The last commits, oldest first. */
  #recent: RecentCommit[] = [];
  #recentChanges = 0;

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

  /** The commit after `base` that is the first of these causes that is found; undefined when none that is remembered is. */
  findCause(causes: readonly Cause[], base: Seq): RecentCommit | undefined {
    for (const cause of causes) {
      const found = findCause(this.#newestFirst(base), cause);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  *#newestFirst(base: Seq): Generator<RecentCommit> {
    for (let index = this.#recent.length - 1; index >= 0; index--) {
      const commit = this.#recent[index] as RecentCommit;
      if (commit.seq <= base) return;
      yield commit;
    }
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
    this.#recentChanges = this.#recent.reduce((sum, commit) => sum + commit.touched.subjects.length + 1, 0);
  }

  #remember(commit: Commit): void {
    const { seq, origin, changes } = commit;
    this.#recent.push({ seq, origin, touched: touchedBy(changes) });
    this.#recentChanges += changes.length + 1;
    if (this.#recentChanges <= 2 * RECENT_CHANGES_MAX) return;
    let kept = 0;
    let first = this.#recent.length;
    while (first > 0 && kept <= RECENT_CHANGES_MAX)
      kept += (this.#recent[--first] as RecentCommit).touched.subjects.length + 1;
    this.#recent = this.#recent.slice(first);
    this.#recentChanges = kept;
  }
}
