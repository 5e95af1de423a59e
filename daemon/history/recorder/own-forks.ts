/**
 * The forks that this process records beside main, as far as dropping history must know them.
 *
 * Owns where each live fork started and where its ref is, which forks ended lately, and what of them must be looked at when
 * a compaction compares the refs with those that it saw. It touches no disk: who records the forks says what was done, in
 * the same thread.
 *
 *   open(ref, tip) ──► live ──moved(ref, tip)──► live … ──closed(ref)──► ended
 *
 * A fork moves all the time, so a compaction that began again at each move would never come to an end. It need not: what a
 * fork has recorded since a moment needs, of older objects, only those of its tip at that moment (recorder invariant 3), or
 * of the commit that it started from, if it started later. The former were walked over, as those of each ref; so only the
 * latter is to be judged.
 *
 * Worked example: when a compaction begins, `try` is at commit 310 of its own. While it runs, `try` records on to 350, `late`
 * is forked from main at commit 20, and `brief` from commit 40, merged into main and deleted. Nothing is to be judged for
 * `try`, commit 20 for `late`; and 40 for `brief`, because the merge needs it although there is no such ref any more.
 *
 * Invariants
 *  1. A fork that is opened under the name of one that ended is another fork: it was walked over only if it was there itself.
 *  2. A ref that is not where this process moved it is somebody else's work, whatever its name.
 */
import type { Oid } from "../object/oid.js";
import type { Ref } from "../repository/ref-store.js";

/** A live fork. */
export interface OwnFork {
  /** The commit that its ref was on when it was opened. */
  readonly start: Oid;
  /** The commit that this process has moved its ref to. */
  readonly tip: Oid;
}

/** The forks of the moment in which somebody listed the refs to walk over what they need. */
export interface ForksSeen {
  /**
   * What must be judged in the place of the refs that there are now, to know whether something needs what was not walked
   * over: of a fork of ours nothing, or the commit that it started from under its name. So too for forks that have ended since.
   * Undefined when it is not known any more.
   *
   * @param others - those of the refs that are neither tags nor main
   */
  readonly refsToJudge: (others: readonly Ref[]) => readonly Ref[] | undefined;
}

/** Of so many forks that ended it is known what they started from; more come and go during no compaction. */
const ENDED_MAX = 1000;

interface Fork {
  readonly ref: string;
  readonly start: Oid;
  tip: Oid;
}

/** The forks of one repository. */
export class OwnForks {
  readonly #live = new Map<string, Fork>();
  /** The last ones. */
  readonly #ended: Fork[] = [];
  #endedCount = 0;

  /**
   * Says that a fork is recorded from now on.
   *
   * @param ref - its full name
   * @param tip - what the ref is on now
   */
  open(ref: string, tip: Oid): void {
    if (this.#live.has(ref)) throw new RangeError(`the fork ${ref} is open already`);
    this.#live.set(ref, { ref, start: tip, tip });
  }

  /** Says that a fork's ref was moved: after each seal of its recorder. */
  moved(ref: string, tip: Oid): void {
    const fork = this.#live.get(ref);
    if (fork === undefined) throw new RangeError(`the fork ${ref} is not open`);
    fork.tip = tip;
  }

  /** Says that a fork is not recorded any more, whether its ref is deleted or not. None of this name is fine. */
  closed(ref: string): void {
    const fork = this.#live.get(ref);
    if (fork === undefined) return;
    this.#live.delete(ref);
    this.#endedCount++;
    this.#ended.push(fork);
    if (this.#ended.length > ENDED_MAX) this.#ended.shift();
  }

  /** The live fork with this full name. */
  find(ref: string): OwnFork | undefined {
    return this.#live.get(ref);
  }

  /** Remembers which forks are being walked over. @param others - as in `refsToJudge`, of this moment */
  look(others: readonly Ref[]): ForksSeen {
    const walked = new Set(others.map((ref) => this.#forkOf(ref)));
    const endedCount = this.#endedCount;
    return {
      refsToJudge: (now) => {
        const ended = this.#endedSince(endedCount);
        if (ended === undefined) return undefined;
        return [...now.flatMap((ref) => toJudge(ref, this.#forkOf(ref), walked)), ...startsOf(ended, walked)];
      },
    };
  }

  /** The fork that has moved this ref to where it is (invariant 2). */
  #forkOf({ name, oid }: Ref): Fork | undefined {
    const fork = this.#live.get(name);
    return fork?.tip === oid ? fork : undefined;
  }

  #endedSince(count: number): readonly Fork[] | undefined {
    const since = this.#endedCount - count;
    return since > this.#ended.length ? undefined : this.#ended.slice(this.#ended.length - since);
  }
}

/** The same where there may be no forks. */
export function lookAtForks(forks: OwnForks | undefined, others: readonly Ref[]): ForksSeen {
  return (forks ?? new OwnForks()).look(others);
}

function toJudge(ref: Ref, fork: Fork | undefined, walked: ReadonlySet<Fork | undefined>): readonly Ref[] {
  return fork === undefined ? [ref] : startsOf([fork], walked);
}

function startsOf(forks: readonly Fork[], walked: ReadonlySet<Fork | undefined>): readonly Ref[] {
  return forks.filter((fork) => !walked.has(fork)).map(({ ref, start }) => ({ name: ref, oid: start }));
}
