/**
 * The commit that is named for a conflict has changed the answer: the request, asked before it and after it, is not answered
 * in the same way.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { requesterFor } from "../../daemon/store/permission.js";
import type { Root } from "../../daemon/store/root.js";
import { answerQuery, sameReply, type TreeQuery } from "../../daemon/store/tree-request.js";
import type { Path } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { CoreHarness, domainId } from "../support/core-harness.js";
import { propertyParameters } from "../support/seed.js";

const path = fc
  .array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join("/")}` as Path);
const change = fc.oneof(
  fc.record({ operation: fc.constant("WRITE" as const), path, value: fc.constantFrom("1", "2") }),
  fc.record({ operation: fc.constantFrom("MKDIR" as const, "RM" as const), path }),
  fc.record({
    operation: fc.constant("SET_PERMS" as const),
    path,
    perms: fc.constantFrom("n0", "r0", "n5").map((text) => parsePerms([text]) as Perms),
  }),
);
const query: fc.Arbitrary<TreeQuery> = fc.oneof(
  fc.record({ operation: fc.constantFrom("READ" as const, "DIRECTORY" as const, "GET_PERMS" as const), path }),
  fc.record({ operation: fc.constant("DIRECTORY_PART" as const), path, offset: fc.constant(0) }),
);

type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

/** The commits that others make are each of some changes. */
const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 12 });

function commit(harness: CoreHarness, changes: readonly Change[]): void {
  const other = harness.connect(0);
  const txId = harness.startTransaction(other);
  for (const { operation, ...request } of changes) harness.ask(other, operation, request, txId);
  harness.ask(other, "TRANSACTION_END", { commit: true }, txId);
  harness.disconnect(other);
}

test("the cause of a conflict has changed the answer, whatever else was changed", () => {
  let conflicts = 0;
  fc.assert(
    fc.property(commits, query, commits, (before, asked, meanwhile) => {
      const harness = new CoreHarness();
      const dom0 = harness.connect(0);
      for (const changes of before) commit(harness, changes);
      const txId = harness.startTransaction(dom0);
      const { operation, ...request } = asked;
      harness.ask(dom0, operation, request, txId);
      harness.ask(dom0, "WRITE", { path: "/z", value: "" }, txId);
      const states = new Map<number, Root>([[harness.core.seq, harness.core.root]]);
      for (const changes of meanwhile) {
        commit(harness, changes);
        states.set(harness.core.seq, harness.core.root);
      }
      harness.ask(dom0, "TRANSACTION_END", { commit: true }, txId);
      const conflict = harness.core.failures.newest({ domid: domainId(0), error: "EAGAIN" }).failures.at(0)?.conflict;
      if (conflict === undefined) return;
      conflicts++;
      const named = conflict.commit;
      const answers = [(named ?? 0) - 1, named ?? 0].map((seq) => {
        const root = states.get(seq);
        return root && answerQuery(root, asked, requesterFor(root, domainId(0)));
      });
      const [was, is] = answers;
      expect(was !== undefined && is !== undefined && !sameReply(was, is), `commit ${String(named)}`).toBe(true);
    }),
    propertyParameters(300),
  );
  expect(conflicts).toBeGreaterThan(20);
});
