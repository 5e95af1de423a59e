/**
 * The log of a path is the commits after which something at or below it was not as before.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openHistory } from "../../daemon/history/query/history.js";
import { walkLog, type LogFilter } from "../../daemon/history/query/log.js";
import type { FoundCommit } from "../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { sameNode } from "../../daemon/store/diff.js";
import { emptyRoot, getNode, type Root } from "../../daemon/store/root.js";
import type { Domid, Path, TxId } from "../../protocol/identifiers.js";
import { joinPath } from "../../protocol/path.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { diskWithRepository, openRecorder, REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit, commitBetween, rootOfEdits, type Edit } from "./history-generator.js";
import { recordEdits } from "./recorded-edits.js";

const commits = fc.array(fc.array(arbitraryEdit, { maxLength: 4 }), { minLength: 1, maxLength: 25 });

function isDifferent(before: Root, after: Root, path: Path): boolean {
  const was = getNode(before, path);
  const is = getNode(after, path);
  return was === undefined || is === undefined ? was !== is : !sameNode(was, is);
}

/** All paths at which something was ever edited, and those above them. */
function pathsOf(lists: readonly (readonly object[])[]): Set<Path> {
  const paths = new Set<Path>(["/a/never" as Path, "/" as Path]);
  for (const edit of lists.flat()) {
    const { names = [] } = edit as { readonly names?: readonly string[] };
    for (let count = 1; count <= names.length; count++) paths.add(joinPath(names.slice(0, count)));
  }
  return paths;
}

describe("walkLog", () => {
  it("finds by path, domain and transaction what the roots and the commits say", () => {
    fc.assert(
      fc.property(commits, (lists) => {
        const { memory, roots } = recordEdits(lists);
        const history = openHistory(memory, REPOSITORY);
        const view = history.view();
        const to = view.tip(MAIN_REF) as FoundCommit;
        const found = (filter: LogFilter): unknown[] =>
          [...walkLog(view, { to }, filter)].map(({ commit }) => commit.trailers.seq);
        const seqs = lists.map((_, index) => index + 1).reverse();
        expect(found({})).toEqual(seqs);
        for (const path of pathsOf(lists)) {
          const isWanted = (seq: number): boolean => isDifferent(roots[seq - 1] as Root, roots[seq] as Root, path);
          expect([path, found({ path })]).toEqual([path, seqs.filter(isWanted)]);
        }
        expect(found({ domain: 1 as Domid })).toEqual(seqs.filter((seq) => seq % 3 === 1));
        expect(found({ transaction: 2 as TxId })).toEqual(seqs.filter((seq) => seq === 2));
        expect(found({ grep: /^Connection: socket-1$/m })).toEqual([1]);
        history.close();
      }),
      propertyParameters(60),
    );
  });

  it("counts a change of perms alone, of the node and not of its neighbour", () => {
    const node = (name: string, permission: string): Edit => ({
      kind: "set",
      names: ["a", name],
      value: "1",
      perms: parsePerms([permission]) as Perms,
    });
    const roots = ["n0", "n5"].map((permission) => rootOfEdits([node("device-", "n0"), node("device", permission)]));
    const [before, after] = roots as [Root, Root];
    const memory = diskWithRepository();
    const recorder = openRecorder(memory);
    recorder.record(commitBetween(emptyRoot(), before, 1));
    recorder.record(commitBetween(before, after, 2));
    recorder.seal();
    recorder.close();
    const history = openHistory(memory, REPOSITORY);
    const view = history.view();
    const seqs = (path: string): unknown[] =>
      [...walkLog(view, { to: view.tip(MAIN_REF) as FoundCommit }, { path: path as Path })].map(
        ({ commit }) => commit.trailers.seq,
      );
    expect(seqs("/a/device")).toEqual([2, 1]);
    expect(seqs("/a/device-")).toEqual([1]);
    expect(seqs("/a")).toEqual([2, 1]);
    history.close();
  });

  it("goes from one commit to another, both included, and to the beginning without one", () => {
    const memory = diskWithRepository();
    const recorder = openRecorder(memory);
    for (let seq = 1; seq <= 9; seq++) recorder.record(commitBetween(emptyRoot(), emptyRoot(), seq));
    recorder.seal();
    recorder.close();
    const history = openHistory(memory, REPOSITORY);
    const view = history.view();
    const at = (seq: number): FoundCommit => view.commitWithSeq(MAIN_REF, seq) as FoundCommit;
    const seqs = (to: number, from?: number): unknown[] =>
      [...walkLog(view, { to: at(to), from: from === undefined ? undefined : at(from) })].map(
        ({ commit }) => commit.trailers.seq,
      );
    expect(seqs(7, 5)).toEqual([7, 6, 5]);
    expect(seqs(4, 4)).toEqual([4]);
    expect(seqs(3)).toEqual([3, 2, 1]);
    expect(seqs(3, 8)).toEqual([]);
    history.close();
  });
});
