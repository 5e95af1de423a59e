import { describe, expect, test } from "vitest";
import { hexFromOid } from "../../../../../daemon/history/object/oid.js";
import { openHistory, type History } from "../../../../../daemon/history/query/history.js";
import { MEANWHILE_MAX, showCommit } from "../../../../../daemon/history/query/show.js";
import type { FoundCommit } from "../../../../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { updateShallow } from "../../../../../daemon/history/repository/shallow.js";
import type { Commit } from "../../../../../daemon/store/commit.js";
import type { Seq, TxId } from "../../../../../protocol/identifiers.js";
import { firstCommit, streamCommit } from "../../../../support/commit-stream.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import { diskWithRepository, openRecorder, REPOSITORY } from "../../../../support/recorded-history.js";

const STREAM = { domains: 3 };

function recorded(commits: readonly Commit[]): { readonly history: History; readonly memory: MemoryFileSystem } {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  for (const commit of commits) recorder.record(commit);
  recorder.seal();
  recorder.close();
  return { history: openHistory(memory, REPOSITORY), memory };
}

function stream(count: number): Commit[] {
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? firstCommit(STREAM) : streamCommit(STREAM, index + 1),
  );
}

function withSeq(history: History, seq: number): FoundCommit {
  return history.view().commitWithSeq(MAIN_REF, seq) as FoundCommit;
}

describe("showCommit", () => {
  test("tells who, what was asked, and what changed", () => {
    const { history } = recorded(stream(8));
    const shown = showCommit(history.view(), withSeq(history, 8));
    expect(shown).toMatchObject({
      seq: 8,
      domain: 2,
      connection: "socket-1",
      transaction: undefined,
      subject: "dom2: WRITE /local/domain/2/device/vbd/51712/state",
      requests: ['WRITE /local/domain/2/device/vbd/51712/state "8"'],
      changes: [
        {
          kind: "node",
          path: "/local/domain/2/device/vbd/51712/state",
          before: { value: "5" },
          after: { value: "8" },
        },
      ],
      meanwhile: undefined,
    });
    expect(shown.time).toBe(stream(8)[7]?.time);
    expect(shown.parents).toEqual([hexFromOid(withSeq(history, 7).oid)]);
    history.close();
  });

  test("tells what others committed during a transaction, newest first", () => {
    const commits = stream(7);
    const last = streamCommit(STREAM, 8);
    const origin = { ...last.origin, transaction: 5 as TxId };
    const { history } = recorded([...commits, { ...last, base: 4 as Seq, origin }]);
    const shown = showCommit(history.view(), withSeq(history, 8));
    expect(shown.transaction).toBe(5);
    expect(shown.meanwhile).toMatchObject({ base: 4, count: 3 });
    expect(shown.meanwhile?.commits.map(({ seq }) => seq)).toEqual([7, 6, 5]);
    history.close();
  });

  test("lists no more than a hundred of them, and counts all", () => {
    const length = MEANWHILE_MAX + 50;
    const { history } = recorded([...stream(length), { ...streamCommit(STREAM, length + 1), base: 1 as Seq }]);
    const { meanwhile } = showCommit(history.view(), withSeq(history, length + 1));
    expect(meanwhile?.count).toBe(length - 1);
    expect(meanwhile?.commits.length).toBe(MEANWHILE_MAX);
    history.close();
  });

  test("does not make up what the commit changed that a cut history begins with", () => {
    const { history, memory } = recorded([...stream(9), { ...streamCommit(STREAM, 10), base: 4 as Seq }]);
    const boundary = withSeq(history, 8);
    updateShallow(memory, REPOSITORY, { expected: new Set(), to: new Set([boundary.oid]) });
    const view = history.view();
    const first = showCommit(view, view.commit(boundary.oid));
    expect(first.parents).toEqual([]);
    expect(first.changes).toBeUndefined();
    const { meanwhile } = showCommit(view, withSeq(history, 10));
    expect(meanwhile?.count).toBe(5);
    expect(meanwhile?.commits.map(({ seq }) => seq)).toEqual([9, 8]);
    history.close();
  });
});
