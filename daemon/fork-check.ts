/**
 * Whether a fork's ref is still the fork's.
 *
 * Owns that question, which is asked at each start of a fork: whoever moves the ref with Git, or gives its name to another branch,
 * makes nobody lose what was acknowledged on the fork without a word.
 */
import { hexFromOid } from "./history/object/oid.js";
import { openHistory } from "./history/query/history.js";
import { SeqIndex } from "./history/repository/seq-index.js";
import type { FileSystem } from "./platform/file-system.js";

/** The fork that a ref should be. */
export interface CheckedFork {
  readonly fileSystem: FileSystem;
  readonly repositoryDirectory: string;
  /** Full name. */
  readonly ref: string;
  /** The commit that it began with, 40 hexadecimal digits. */
  readonly base: string;
  readonly baseSeq: number;
}

/**
 * Checks that a ref leads back to the commit that the fork began with, by the fork's own first commit where its index of seqs
 * knows that. A ref on the first commit itself is right: what the fork has committed since, its journal must have.
 *
 * @throws an error for people
 */
export function checkFork({ fileSystem, repositoryDirectory, ref, base, baseSeq }: CheckedFork): void {
  const history = openHistory(fileSystem, repositoryDirectory);
  // Before the history is asked, which believes only an index that leads to the tip.
  const index = new SeqIndex({ fileSystem, repositoryDirectory, ref });
  try {
    const view = history.view();
    const isOn = (seq: number, oid: string): boolean => {
      const found = view.commitWithSeq(ref, seq);
      return found !== undefined && hexFromOid(found.oid) === oid;
    };
    if (!isOn(baseSeq, base)) {
      throw new Error(
        `${ref} does not lead back to ${base}, with which the fork began: somebody has moved it; put it back with git update-ref`,
      );
    }
    const tip = view.ref(ref);
    const first = index.oidOfSeq(baseSeq + 1);
    if (first === undefined || (tip !== undefined && hexFromOid(tip) === base)) return;
    if (!isOn(baseSeq + 1, hexFromOid(first))) {
      throw new Error(
        `${ref} does not lead back to ${hexFromOid(first)}, the fork's first own commit: somebody has moved it; put it back with ` +
          "git update-ref (git fsck --lost-found names its last commit)",
      );
    }
  } finally {
    index.close();
    history.close();
  }
}
