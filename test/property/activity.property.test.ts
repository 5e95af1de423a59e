/**
 * What went on is told whole, however many pages it takes: the log the other way round, each commit with its own changes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { activityPage } from "../../daemon/history/query/activity.js";
import { openHistory, type FoundCommit } from "../../daemon/history/query/history.js";
import { logPage } from "../../daemon/history/query/log-page.js";
import { showCommit } from "../../daemon/history/query/show.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import type { ActivityCommit } from "../../protocol/http-api/activity.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { textFromBytes } from "../../protocol/bytes.js";
import { REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit } from "./history-generator.js";
import { recordEdits } from "./recorded-edits.js";

const commits = fc.array(fc.array(arbitraryEdit, { maxLength: 4 }), { minLength: 1, maxLength: 25 });
const limit = fc.integer({ min: 1, max: 30 });
/** Milliseconds that each look at the clock takes: a page has a hundred. */
const pace = fc.constantFrom(0, 30, 200);

interface Change {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Which nodes came, went or changed; a commit's own changes are told in another order. */
function sorted(changes: readonly Change[]): string[] {
  return changes
    .map(({ path, before, after }) => `${path} ${String(before !== undefined)} ${String(after !== undefined)}`)
    .sort();
}

describe("activityPage", () => {
  it("has pages that together are the log reversed, with each commit's changes", () => {
    fc.assert(
      fc.property(commits, limit, pace, fc.nat(), (lists, most, step, beginning) => {
        const history = openHistory(recordEdits(lists).memory, REPOSITORY);
        const from = `@{${String(1 + (beginning % lists.length))}}`;
        const all: ActivityCommit[] = [];
        let now = 0;
        const clock = { monotonicMilliseconds: () => (now += step) };
        const question = { view: history.view(), now: 0 as Microseconds, clock };
        for (let cursor: string | undefined; ;) {
          const page = activityPage(question, { from, limit: most, cursor });
          expect(page.commits.length).toBeLessThanOrEqual(most);
          all.push(...page.commits);
          cursor = page.next;
          if (cursor === undefined) break;
        }
        const log = logPage({ ...question, clock: { monotonicMilliseconds: () => 0 } }, { from });
        expect(all.map(({ oid }) => oid)).toEqual(log.commits.map(({ oid }) => oid).reverse());
        for (const { seq = 0, changes } of all) {
          const shown = showCommit(question.view, question.view.commitWithSeq(MAIN_REF, seq) as FoundCommit);
          expect(sorted(changes)).toEqual(
            sorted(
              (shown.changes ?? []).flatMap((change) =>
                change.kind === "node" ? [{ ...change, path: textFromBytes(change.path) }] : [],
              ),
            ),
          );
        }
        history.close();
      }),
      propertyParameters(40),
    );
  });
});
