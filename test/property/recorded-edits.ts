/**
 * Random edits, recorded: a history on a disk in memory, beside the roots that its commits are of.
 */
import type { Seq } from "../../protocol/identifiers.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import type { MemoryFileSystem } from "../support/memory-file-system.js";
import { diskWithRepository, openRecorder } from "../support/recorded-history.js";
import { commitBetween, editRoot, type Edit } from "./history-generator.js";

/** What was recorded. */
export interface RecordedEdits {
  readonly memory: MemoryFileSystem;
  /** By seq; the first is the state before the first commit. */
  readonly roots: readonly Root[];
}

/** Records a commit for each list of edits. */
export function recordEdits(lists: readonly (readonly Edit[])[]): RecordedEdits {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  const roots = [emptyRoot()];
  for (const [index, edits] of lists.entries()) {
    const seq = (index + 1) as Seq;
    const before = roots[index] as Root;
    let after = before;
    for (const edit of edits) after = editRoot(after, edit, seq);
    recorder.record(commitBetween(before, after, seq));
    roots.push(after);
  }
  recorder.seal();
  recorder.close();
  return { memory, roots };
}
