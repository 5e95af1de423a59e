/**
 * A small history on a real disk for the tests of bisections: what each commit writes is given.
 */
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { openHistory, type History } from "../../daemon/history/query/history.js";
import type { Question } from "../../daemon/history/query/question.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { emptyRoot } from "../../daemon/store/root.js";
import type { Microseconds, Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { commitBetween, editRoot, type Edit } from "../property/history-generator.js";
import { temporaryDirectory } from "./temporary-directory.js";

/** What a commit does: values by path, undefined for a node that goes; a value and its perms, such as `n5 r0`. */
export type Step = Readonly<Record<string, string | undefined | readonly [value: string, perms: string]>>;

/** Records the steps, one commit for each from number 1 on, in a repository that is removed with the test. */
export function recordSteps(steps: readonly Step[]): string {
  const repositoryDirectory = `${temporaryDirectory()}/store.git`;
  createRepository(nodeFileSystem, repositoryDirectory);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory,
    ref: MAIN_REF,
    hostName: "host",
  });
  let root = emptyRoot();
  for (const [index, step] of steps.entries()) {
    const before = root;
    for (const edit of editsOf(step)) root = editRoot(root, edit, (index + 1) as Seq);
    recorder.record(commitBetween(before, root, index + 1, { origin: ORIGIN }));
  }
  recorder.seal();
  recorder.close();
  return repositoryDirectory;
}

const ORIGIN = { domid: 0, connection: "socket-1", transaction: undefined } as never;

function editsOf(step: Step): Edit[] {
  return Object.entries(step).map(([path, state]) => {
    const names = path.slice(1).split("/");
    if (state === undefined) return { kind: "remove", names };
    const [value, perms] = typeof state === "string" ? [state, "n0"] : state;
    return { kind: "set", names, value, perms: parsePerms(perms.split(" ")) as Perms };
  });
}

/** The history of a repository, and a question about it in which no time passes. */
export function questionAbout(repository: string): { readonly history: History; readonly question: Question } {
  const history = openHistory(nodeFileSystem, repository);
  const question: Question = {
    view: history.view(),
    now: (Date.UTC(2030, 0, 1) * 1000) as Microseconds,
    clock: { monotonicMilliseconds: () => 0 },
  };
  return { history, question };
}
