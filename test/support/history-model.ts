/**
 * What a history must be: the oracle of the crash tests.
 *
 * Owns a stream of commits, the root after each, and how far the daemon has promised. It is filled by whoever drives a
 * daemon and never looks at a disk:
 *
 *   appended ≥ acknowledged ≥ sealed     appended: handed to the journal, whether or not it has answered
 *                                        acknowledged: the journal has answered, so a client may have its reply
 *                                        sealed: the recorder has said that the repository has it
 *
 * It knows too what may be gone: where somebody asked for the history to begin, where it was said to begin, and how many
 * commits the daemon was told to keep.
 *
 * After a crash the state must be that after some commit from `acknowledged` to `appended`. The commits after that one are
 * forgotten, and others come in their place: they differ, so that what was left of the forgotten ones is noticed.
 */
import type { Seq } from "../../protocol/identifiers.js";
import { committerSecondsOf, serializeCommit } from "../../daemon/history/object/commit-object.js";
import { hashObject, type Oid } from "../../daemon/history/object/oid.js";
import { encodeRoot } from "../../daemon/history/object/root-encoder.js";
import type { Commit } from "../../daemon/store/commit.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { commitBetween, editRoot, type Edit } from "../property/history-generator.js";

const PERMS: Perms = parsePerms(["n0"]) as Perms;
const GUEST_PERMS: Perms = parsePerms(["n5", "r0"]) as Perms;

/** A state that the history has passed through. */
interface State {
  readonly root: Root;
  /** Of the root's tree object: the mapping is canonical, so one root has one. */
  readonly tree: Oid;
  /** Of the commit object, which depends on the commits alone, whoever records them and how often. */
  readonly oid: Oid | undefined;
  /** The commit object's committer date. */
  readonly seconds: number;
}

/** The oracle. */
export class HistoryModel {
  /** By seq; the first is the empty root before all commits. */
  #states: State[];
  /** Goes up with each restart: part of the commits that follow. */
  #life = 1;
  appended = 0;
  acknowledged = 0;
  sealed = 0;
  /** Part of the addresses in commits. */
  readonly hostName = "host";
  /** How often the machine has been started: a power cut makes it one more. */
  boot = 1;
  /** How many of the newest commits the daemon was told to keep; all of them unless told. */
  keepCommits: number | undefined;
  /** Commits that somebody has tagged, by the tag's full name. */
  readonly tags = new Map<string, number>();
  /** Where somebody has asked for the history to begin, and where it was said to begin. */
  #asked = 1;
  #answered = 1;

  constructor() {
    const root = emptyRoot();
    this.#states = [{ root, tree: treeOf(root), oid: undefined, seconds: 0 }];
  }

  /** A copy that goes its own way. */
  fork(): HistoryModel {
    const fork = new HistoryModel();
    fork.#states = [...this.#states];
    fork.#life = this.#life;
    fork.appended = this.appended;
    fork.acknowledged = this.acknowledged;
    fork.sealed = this.sealed;
    fork.boot = this.boot;
    fork.keepCommits = this.keepCommits;
    for (const [name, seq] of this.tags) fork.tags.set(name, seq);
    fork.#asked = this.#asked;
    fork.#answered = this.#answered;
    return fork;
  }

  /** The history may begin at a commit from now on. */
  askToBeginAt(seq: number): void {
    this.#asked = Math.max(this.#asked, seq);
  }

  /** It begins there, or later. */
  answerBeginningAt(seq: number): void {
    this.#answered = Math.max(this.#answered, seq);
  }

  /** Whether anything may have been dropped: somebody has asked for it, or there is a limit. */
  get mayDrop(): boolean {
    return this.#asked > 1 || this.keepCommits !== undefined;
  }

  /** The commits that everybody was told are dropped: none before this one is left, unless a tag keeps it. */
  get dropped(): number {
    return this.#answered - 1;
  }

  /**
   * The first commit that a history may have which ends at `tip`, as the earliest and the latest.
   *
   * @param slack - how many commits more than the limit says are no matter
   */
  oldest(tip: number, slack = Infinity): { readonly least: number; readonly most: number } {
    const wanted = this.keepCommits === undefined ? 1 : tip - this.keepCommits + 1;
    return { least: Math.max(this.#answered, wanted - slack), most: Math.max(this.#asked, wanted) };
  }

  /** The commits that come next, as many as asked for; they count as appended from now on. */
  extend(count: number): Commit[] {
    const commits: Commit[] = [];
    for (let index = 0; index < count; index++) {
      const seq = ++this.appended;
      const parent = this.#stateAt(seq - 1);
      const root = editRoot(parent.root, editOf(seq, this.#life), seq as Seq);
      const commit = commitBetween(parent.root, root, seq);
      const tree = treeOf(root);
      const oid = hashObject(
        "commit",
        serializeCommit(commit, {
          tree,
          parents: parent.oid === undefined ? [] : [parent.oid],
          parentSeconds: parent.seconds,
          hostName: this.hostName,
        }),
      );
      this.#states[seq] = { root, tree, oid, seconds: committerSecondsOf(commit, parent.seconds) };
      commits.push(commit);
    }
    return commits;
  }

  /** Goes on from the commit that a restart found. */
  resumeAt(seq: number): void {
    this.#states.length = seq + 1;
    this.#life++;
    this.appended = this.acknowledged = seq;
  }

  /** The root after commit `seq`. */
  rootAt(seq: number): Root {
    return this.#stateAt(seq).root;
  }

  /** The oid of the tree object of the root after commit `seq`. */
  treeAt(seq: number): Oid {
    return this.#stateAt(seq).tree;
  }

  /** The oid of the commit object of commit `seq`, which is 1 or more. */
  oidAt(seq: number): Oid {
    const { oid } = this.#stateAt(seq);
    if (oid === undefined) throw new Error("there is no commit 0");
    return oid;
  }

  #stateAt(seq: number): State {
    const state = this.#states[seq];
    if (state === undefined) throw new Error(`no commit ${String(seq)} was ever made`);
    return state;
  }
}

function treeOf(root: Root): Oid {
  return encodeRoot(root, hashObject);
}

/**
 * What commit `seq` does. Among them: values of more than a disk's sector, nodes that go, a domain's record, and a change
 * that changes nothing.
 */
function editOf(seq: number, life: number): Edit {
  const value = `${String(seq)} of life ${String(life)}`;
  const short: Edit = { kind: "set", names: ["local", "domain", String(seq % 3), "v"], value, perms: PERMS };
  if (seq % 11 === 0) return { kind: "remove", names: ["never", "there"] };
  if (seq % 9 === 4) return { kind: "domain", domid: 5, what: 1 + (seq % 5) };
  if (seq % 6 === 5) return { kind: "remove", names: ["a", `n${String((seq - 1) % 4)}`] };
  if (seq % 5 === 3) return { ...short, names: ["a", "long"], value: value.padEnd(900, "."), perms: GUEST_PERMS };
  if (seq % 2 === 0) return { ...short, names: ["a", `n${String(seq % 4)}`] };
  return short;
}
