/**
 * The merging of a fork into main.
 *
 * Owns the order of a merge: the fork is sealed first, so that the commit which becomes main's second parent is in the
 * repository before main's commit names it; that a merge is about to be made is written down before it is, so that the next
 * one knows where this one ended whatever happens in between.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ForkJson, MergeAnswer, MergeRequest } from "../../protocol/http-api/forks.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Seq } from "../../protocol/identifiers.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { HistoryView } from "../history/query/history.js";
import { findMergeBase, type MergeBase } from "../history/query/merge-base.js";
import { lastMerge, planMerge, type ForkMerge } from "../history/query/plan-merge.js";
import { refOfBranch } from "../history/query/refs.js";
import { describeConflict, isUndecidable, type Conflict } from "../store/merge/merge-roots.js";
import { messageOf } from "../platform/error-message.js";
import { linkOf, UnknownForkError } from "./branch-link.js";
import { ChangeMaker, nameOf, pinOf, sealedCommit, type Plan } from "./change-maker.js";
import type { ConsolePorts } from "./console-ports.js";
import type { NotedMerge } from "./messages.js";

/** The core makes so many in about a second, in which nobody else is served. */
const CHANGES_MAX = 100_000;

/** Merges one fork. */
export class ForkMerger {
  readonly #ports: ConsolePorts;
  readonly #name: string;
  #settled: readonly string[] = [];
  #contained: MergeAnswer["contained"];

  constructor(ports: ConsolePorts, name: string) {
    this.#ports = ports;
    this.#name = name;
  }

  async merge({ prefer, dryRun: isDryRun = false }: MergeRequest): Promise<MergeAnswer> {
    const { seq } = await this.#sealFork();
    const fork = await this.#findFork();
    const base = await this.#findBase(fork, seq);
    const answer = await new ChangeMaker(this.#ports).make({ isDryRun }, ({ view, now }) => {
      const theirs = sealedCommit(view, this.#name, seq);
      const order = { prefer, merge: fork.merge };
      const plan = this.#plan(view, { base: base.commit, ours: now, theirs }, order);
      // What is in main already may be undone there, and stays so.
      this.#contained = hasSomethingNew(plan) || theirs.commit.tree === now.commit.tree ? undefined : containedBy(base);
      return plan;
    });
    return { ...answer, settled: this.#settled, contained: this.#contained };
  }

  async #findBase({ merge }: ForkJson, seq: Seq): Promise<MergeBase> {
    const view = this.#ports.history.view();
    const side = {
      ref: refOfBranch(this.#name),
      tip: sealedCommit(view, this.#name, seq),
      merge,
    };
    const base = await findMergeBase(view, side, () => nextTurn());
    if (base !== undefined) return base;
    const text = `${this.#name} cannot be merged: what main and it have in common is not in the history any more`;
    throw new ConflictError(text, []);
  }

  /** The fork, with main's last merge of it. */
  async #findFork(): Promise<ForkJson> {
    const { daemon, history } = this.#ports;
    const { behind } = await daemon.core.ask("flush", [this.#name]);
    const fork = (await daemon.forks.ask("forks", undefined)).find(({ name }) => name === this.#name);
    if (fork === undefined) throw new QueryError(new UnknownForkError(this.#name).message);
    // Merges may be among what the history lacks.
    if (behind !== undefined) throw new ConflictError(`${this.#name} cannot be merged now: ${behind}`, []);
    if (fork.pending === undefined) return fork;
    const merge = await lastMerge(history.view(), fork, () => nextTurn());
    await this.#note({ merge });
    return { ...fork, merge };
  }

  async #sealFork(): Promise<{ readonly seq: Seq }> {
    const link = linkOf(this.#ports, this.#name);
    const { id, seq } = await pinOf(link);
    await link.ask("release", id);
    return { seq };
  }

  #plan(
    view: HistoryView,
    sides: ForkMerge,
    { prefer, merge }: Pick<MergeRequest, "prefer"> & Pick<ForkJson, "merge">,
  ): Plan {
    const { base, theirs } = sides;
    const act = { operation: "MERGE", subject: this.#name, detail: nameOf(theirs) } as const;
    if (theirs.oid === base.oid) return { target: theirs, changes: [], order: { way: "merge", act } };
    const { changes, conflicts, settled } = planMerge(view, sides, prefer);
    if (conflicts.length > 0) throw conflictError(this.#name, conflicts);
    if (changes.length > CHANGES_MAX) {
      const text = `${this.#name} cannot be merged: it has ${String(changes.length)} changes, and at most ${String(CHANGES_MAX)} are made at a time`;
      throw new ConflictError(text, []);
    }
    this.#settled = settled.map((conflict) => describeConflict(conflict, { ours: "main", theirs: this.#name }));
    const { oid: tip } = summarizeCommit(theirs);
    return {
      target: theirs,
      changes,
      order: { way: "merge", act, merged: tip, prefer },
      beforeMade: async (after) => {
        await this.#note({ merge, pending: { tip, after } });
      },
      afterwards: async (seq) => {
        try {
          await this.#note({ merge: seq === undefined ? merge : { tip, seq } });
        } catch {
          // What was made is made; what is not taken down the next merge finds out.
        }
      },
    };
  }

  async #note(noted: Omit<NotedMerge, "name">): Promise<void> {
    try {
      await this.#ports.daemon.forks.ask("noteMerge", { name: this.#name, ...noted });
    } catch (error) {
      throw new ConflictError(`${this.#name} cannot be merged now: ${messageOf(error)}`, [], { cause: error });
    }
  }
}

function conflictError(name: string, conflicts: readonly Conflict[]): ConflictError {
  const undecidable = conflicts.filter(isUndecidable).length;
  const choice = `main and ${name} have changed the same; choose with --ours or --theirs`;
  const mending =
    "a domain that was released must not get its rights back, so what names it is to be changed on one side";
  const advice =
    undecidable === 0 ? choice : undecidable === conflicts.length ? mending : `${choice}; besides, ${mending}`;
  return new ConflictError(
    `${name} cannot be merged: ${advice}`,
    conflicts.map((conflict) => describeConflict(conflict, { ours: "main", theirs: name })),
  );
}

/** Whether the fork has commits that main has not. */
function hasSomethingNew({ order }: Plan): boolean {
  return order.merged !== undefined;
}

function containedBy({ commit, mergedIn }: MergeBase): MergeAnswer["contained"] {
  const seq = mergedIn ?? commit.commit.trailers.seq;
  return seq === undefined ? undefined : { seq, isMerge: mergedIn !== undefined };
}
