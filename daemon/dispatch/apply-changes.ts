/**
 * Changes that were worked out elsewhere, such as those of a rollback, made one commit.
 *
 * Owns how they are put on the state of now, which may have moved since they were worked out; the events that they fire; and
 * what becomes of domains that come or go with them. It acts for dom0: no permission and no quota stands in its way.
 *
 * Two ways to put them on what was committed meanwhile:
 *
 * - `restore`: the store, or what is at and below a path, becomes what the changes make of the state that they were worked
 *   out from. What came since goes too.
 * - `merge`: they are merged with what came since (`store/merge/`); where that is in conflict, nothing is done.
 */
import type { ErrorName } from "../../protocol/errno.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT_PATH } from "../../protocol/path.js";
import type { Connection } from "../connection/connection.js";
import type { Change, DaemonAct } from "../store/commit.js";
import { applyManyChanges } from "../store/bulk-edit.js";
import { diffRoots, sameIntroduction } from "../store/diff.js";
import { Draft } from "../store/draft.js";
import type { StoreEvent } from "../store/event.js";
import { graft } from "../store/graft.js";
import { describeConflict, mergeRoots } from "../store/merge/merge-roots.js";
import { getNode, type Root } from "../store/root.js";
import { requestRecord } from "./request-record.js";
import type { CoreState } from "./state.js";

/** Changes, and how they are to be made. */
export interface ChangeOrder {
  /** The state that they were worked out from. */
  readonly from: Root;
  /** They fit `from`. */
  readonly changes: readonly Change[];
  readonly way: "restore" | "merge";
  /** With `restore`: only what is at or below this is restored; all there is unless given. */
  readonly path?: Path | undefined;
  /** With `merge`: whose change is taken where the two are in conflict; where none is preferred, nothing is done. */
  readonly prefer?: "ours" | "theirs" | undefined;
  /** The commit object of the branch that they come from: then it is a merge, which is a commit also where nothing changes. */
  readonly merged?: string | undefined;
  /** What the history tells of it. */
  readonly act: { readonly operation: DaemonAct; readonly subject: string; readonly detail: string };
}

/** What became of an order. */
export type ChangeOutcome =
  | {
      readonly outcome: "committed";
      readonly seq: Seq;
      /** How many net changes the commit has. */
      readonly changes: number;
    }
  /** The state is as it was to become. */
  | { readonly outcome: "unchanged" }
  /** In words, what was committed since and is in conflict with it. */
  | { readonly outcome: "conflict"; readonly conflicts: readonly string[] }
  | { readonly outcome: "refused"; readonly error: ErrorName };

/** Makes the changes as one commit of this connection. */
export function makeChanges(state: CoreState, connection: Connection, order: ChangeOrder): ChangeOutcome {
  if (state.refusal !== undefined) return { outcome: "refused", error: state.refusal };
  const { store } = state;
  const before = store.root;
  const seq = (store.seq + 1) as Seq;
  const target = targetOf(order, before, seq);
  if ("conflicts" in target) return { outcome: "conflict", conflicts: target.conflicts };
  const changes = diffRoots(before, target);
  if (changes.length === 0 && order.merged === undefined) return { outcome: "unchanged" };
  const draft = new Draft(before, seq);
  draft.become(target);
  for (const event of eventsOf(changes, before)) draft.events.push(event);
  const released = changes.flatMap((change) => (isRelease(change) ? [change.domid] : []));
  for (const domid of released) state.closeConnectionsOf(domid);
  const { operation, subject, detail } = order.act;
  const refused = state.commit(draft, {
    connection,
    transaction: undefined,
    base: store.seq,
    requests: [requestRecord(operation, subject, detail)],
    requestsOmitted: 0,
    merged: order.merged,
  });
  if (refused !== undefined) return { outcome: "refused", error: refused };
  for (const domid of released) {
    state.undo.push(state.fairness.forget(domid));
    state.effects.push({ kind: "close-domain-socket", domid });
  }
  for (const change of changes) {
    if (change.kind !== "domain") continue;
    if (isIntroduction(change)) state.effects.push({ kind: "open-domain-socket", domid: change.domid });
    else if (isAnotherIntroduction(change)) {
      // As with a repeated INTRODUCE, whoever is connected is not whom the state knows.
      for (const guest of state.connectionsOf(change.domid)) state.resetConnection(guest);
    }
  }
  return { outcome: "committed", seq, changes: changes.length };
}

function targetOf(order: ChangeOrder, now: Root, seq: Seq): Root | { readonly conflicts: readonly string[] } {
  const { from, changes, way, path = ROOT_PATH, prefer } = order;
  const wanted = applyManyChanges(from, changes, seq);
  if (way === "restore") return path === ROOT_PATH ? wanted : graft(now, wanted, path, seq);
  if (now === from) return wanted;
  const options = prefer === undefined ? {} : { prefer };
  const merged = mergeRoots({ base: from, ours: now, theirs: wanted }, options);
  if (merged.conflicts.length > 0) return { conflicts: merged.conflicts.map((conflict) => describeConflict(conflict)) };
  return applyManyChanges(now, merged.changes, seq);
}

/** What the changes tell the watches: of each node that is another, and of each domain that came, went or was shut down. */
function* eventsOf(changes: readonly Change[], before: Root): Generator<StoreEvent> {
  for (const change of changes) {
    if (change.kind === "node") {
      const { path, after } = change;
      const removed = after === undefined ? getNode(before, path) : undefined;
      yield removed === undefined ? { kind: "touched", path } : { kind: "removed", path, node: removed };
    } else if (change.kind === "domain") {
      const { domid } = change;
      if (isIntroduction(change)) yield { kind: "special", path: INTRODUCE_DOMAIN, domid };
      else if (isRelease(change) || isShutdown(change)) yield { kind: "special", path: RELEASE_DOMAIN, domid };
    }
  }
}

type DomainChange = Change & { readonly kind: "domain" };

function isIntroduction({ before, after }: DomainChange): boolean {
  return before?.introduction === undefined && after?.introduction !== undefined;
}

function isRelease(change: Change): change is DomainChange {
  return (
    change.kind === "domain" && change.before?.introduction !== undefined && change.after?.introduction === undefined
  );
}

function isAnotherIntroduction(change: DomainChange): boolean {
  const [was, is] = [change.before?.introduction, change.after?.introduction];
  return was !== undefined && is !== undefined && !sameIntroduction(was, is);
}

function isShutdown({ before, after }: DomainChange): boolean {
  return before?.shutdown !== true && after?.shutdown === true;
}
