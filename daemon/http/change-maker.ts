/**
 * Changes that are worked out on the history and made by the core.
 *
 * Owns the way of a change: it is worked out on the history as of a pinned state, and given to the core with that pin. Where
 * the store has moved so that the two are in conflict, it is worked out anew, a few times; a writer that is faster than that
 * is told of.
 */
import { CHANGES_LISTED_MAX, type ChangesAnswer } from "../../protocol/http-api/changes.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { changeJson, summaryJson } from "../history/query/commit-json.js";
import { summarizeCommit } from "../history/query/commit-summary.js";
import type { FoundCommit, HistoryView } from "../history/query/history.js";
import { refusing } from "../history/query/question.js";
import { MAIN_BRANCH, refOfBranch } from "../history/query/refs.js";
import { resolveRevision } from "../history/query/resolve-revision.js";
import { messageOf } from "../platform/error-message.js";
import type { Change } from "../store/commit.js";
import type { ConsolePorts } from "./console-ports.js";
import { linkOf } from "./branch-link.js";
import { madeCommit, refusedChange } from "./made-change.js";
import type { ChangeRequest, CoreLink, Pin } from "./messages.js";
import { refuseOldTip } from "./old-tip.js";

/** How often a change is worked out before its writer is told that the store does not stand still. */
const ATTEMPTS_MAX = 5;

/** Revisions that are on main, or whole object ids, whose commits are sealed already. What begins as one may be a fork's name. */
const MAINS_OWN = /^(?:[@~^]|(?:HEAD|[0-9a-f]{40})(?:[~^@]|$))/;

/** Changes, worked out. */
export interface Plan {
  readonly target: FoundCommit;
  readonly changes: readonly Change[];
  readonly order: Pick<ChangeRequest, "way" | "path" | "act" | "merged" | "prefer">;
  /** Told before the changes are made on the store as of `now`; nothing is done when it rejects. */
  readonly beforeMade?: ((now: Seq) => Promise<void>) | undefined;
  /** Told which commit has made them; undefined where none has. */
  readonly afterwards?: ((made: Seq | undefined) => Promise<void>) | undefined;
}

/** What a plan is worked out with. */
export interface PlanningMoment {
  readonly view: HistoryView;
  /** The branch's newest commit. */
  readonly now: FoundCommit;
  readonly resolve: (revision: string) => FoundCommit;
}

/** What changes are to be made on, and how. */
export interface MakeOptions {
  /** Main unless given. */
  readonly branch?: string | undefined;
  readonly isDryRun: boolean;
  /** Those that the plan resolves. */
  readonly revisions?: readonly string[] | undefined;
}

/** Works changes out, and has them made. */
export class ChangeMaker {
  readonly #ports: ConsolePorts;

  constructor(ports: ConsolePorts) {
    this.#ports = ports;
  }

  /** @param plan - works the changes out; as often as the store moves on in a way that is in conflict with them */
  async make(
    { branch = MAIN_BRANCH, isDryRun, revisions = [] }: MakeOptions,
    plan: (moment: PlanningMoment) => Plan,
  ): Promise<ChangesAnswer> {
    const { daemon, history, clock } = this.#ports;
    const core = linkOf(this.#ports, branch);
    const isMain = branch === MAIN_BRANCH;
    const elsewhere = isMain ? revisions.filter((text) => !MAINS_OWN.test(text)) : revisions;
    const flushed = elsewhere.length > 0 ? await daemon.core.ask("flush", elsewhere) : undefined;
    let conflicts: readonly string[] = [];
    // `ago` means before the first attempt, whatever the commits of later ones.
    const time = clock.nowMicroseconds() as Microseconds;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const pin = await pinOf(core);
      try {
        const planned = refusing(() => {
          const view = history.view();
          const now = sealedCommit(view, branch, pin.seq);
          const resolve = (text: string): FoundCommit => {
            const found = resolveRevision(view, text, time, isMain ? undefined : branch);
            if (found.oid !== now.oid) refuseOldTip(view, found, { does: `${text} may be`, behind: flushed?.behind });
            return found;
          };
          return plan({ view, now, resolve });
        });
        if (isDryRun) return answerOf(planned, "planned");
        const { order, changes } = planned;
        if (changes.length === 0 && order.way === "merge" && order.merged === undefined) {
          return answerOf(planned, "unchanged");
        }
        await planned.beforeMade?.(pin.seq);
        const made = await core.ask("change", { pin: pin.id, changes, ...order });
        await planned.afterwards?.(made.outcome === "committed" ? made.seq : undefined);
        switch (made.outcome) {
          case "committed":
            return {
              ...answerOf(planned, "committed"),
              changeCount: made.changes,
              commit: await madeCommit(this.#ports, { branch, seq: made.seq }),
            };
          case "unchanged":
            return answerOf(planned, "unchanged");
          case "refused":
            throw refusedChange(made.error);
          case "conflict":
            ({ conflicts } = made);
        }
      } finally {
        await core.ask("release", pin.id);
      }
    }
    const often = String(ATTEMPTS_MAX);
    throw new ConflictError(`the store changes faster than this is worked out; it was tried ${often} times`, conflicts);
  }
}

/** Keeps the state of now, and seals it. @throws ConflictError where too many ask at a time, or the history cannot be brought so far */
export async function pinOf(core: CoreLink): Promise<Pin> {
  try {
    return await core.ask("pin", undefined);
  } catch (error) {
    if (error instanceof QueryError) throw error;
    throw new ConflictError(`this cannot be worked out now: ${messageOf(error)}`, [], { cause: error });
  }
}

/** A commit of a branch that a pin told of. */
export function sealedCommit(view: HistoryView, branch: string, seq: Seq): FoundCommit {
  const found = view.commitWithSeq(refOfBranch(branch), seq);
  if (found === undefined)
    throw new Error(`the history has no commit ${String(seq)} of ${branch}, though it was sealed`);
  return found;
}

function answerOf({ target, changes }: Plan, outcome: ChangesAnswer["outcome"]): ChangesAnswer {
  return {
    outcome,
    target: summaryJson(summarizeCommit(target)),
    changes: changes.slice(0, CHANGES_LISTED_MAX).map(changeJson),
    changeCount: changes.length,
  };
}

/** How a commit's message names another commit. */
export function nameOf(found: FoundCommit): string {
  const { oid, seq } = summarizeCommit(found);
  return seq === undefined ? oid : `@{${String(seq)}} ${oid}`;
}
