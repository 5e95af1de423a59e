/**
 * How one node is merged that both sides have changed or made.
 *
 * Owns the default: value and perms each for themselves. What a path stands for may allow more (a counter, a list): a merge
 * function chosen by path is where that belongs.
 */
import { samePerms } from "../../../protocol/perms.js";
import type { NodeState } from "../commit.js";

/** What two sides made of a node. */
export interface NodeVersions {
  /** What they began with; undefined where both made the node. */
  readonly base: NodeState | undefined;
  readonly ours: NodeState;
  readonly theirs: NodeState;
}

/** A part of a node on which two sides do not agree. */
export type NodePart = "value" | "perms";

/** The node as it is to be; for a part that is in conflict it has ours. */
export interface MergedNode {
  readonly node: NodeState;
  readonly conflicts: readonly NodePart[];
}

/** Merges a node; must give the same for both orders of the sides where nothing is in conflict. */
export type MergeNode = (versions: NodeVersions) => MergedNode;

/**
 * Each part is what the side made of it that changed it; equal changes are one. Worked examples, with the value and perms of
 * base, ours and theirs:
 *
 *     "1" n0 | "2" n0 | "1" n0,r5   →  "2" n0,r5
 *     "1" n0 | "2" n0 | "2" n0      →  "2" n0
 *     "1" n0 | "2" n0 | "3" n0      →  the value is in conflict
 *     (none) | "1" n0 | "1" n0      →  "1" n0
 *     (none) | "1" n0 | "1" n5      →  the perms are in conflict
 */
export const mergeNode: MergeNode = ({ base, ours, theirs }) => {
  const conflicts: NodePart[] = [];
  let { value, perms } = ours;
  if (ours.value !== theirs.value) {
    if (base?.value === ours.value) ({ value } = theirs);
    else if (base?.value !== theirs.value) conflicts.push("value");
  }
  if (!samePerms(ours.perms, theirs.perms)) {
    if (base !== undefined && samePerms(base.perms, ours.perms)) ({ perms } = theirs);
    else if (base === undefined || !samePerms(base.perms, theirs.perms)) conflicts.push("perms");
  }
  return { node: { value, perms }, conflicts };
};
