/**
 * Looking for a text in a tree finds what looking through the whole tree finds, however many pages it takes.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openHistory } from "../../daemon/history/query/history.js";
import { treePage } from "../../daemon/history/query/tree-page.js";
import { bytesFromText } from "../../protocol/bytes.js";
import type { NodeJson } from "../../protocol/http-api/commit.js";
import { valueFromJson } from "../../protocol/http-api/value.js";
import type { TreeQuery } from "../../protocol/http-api/history-queries.js";
import type { Microseconds } from "../../protocol/identifiers.js";
import { REPOSITORY } from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit } from "./history-generator.js";
import { recordEdits } from "./recorded-edits.js";

const edits = fc.array(arbitraryEdit, { minLength: 1, maxLength: 40 });
const text = fc.constantFrom("device", "DEVICE-", "a", "Z", "z", "__PROTO__", "-x", "/", "same", "seq: 7\n", "nowhere");
/** Milliseconds that each look at the clock takes: a page has a hundred. */
const pace = fc.constantFrom(0, 30, 200);

/** ASCII letters alone have a lower case. */
function lower(bytes: string): string {
  return bytes.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

describe("treePage", () => {
  it("finds the nodes with a text in their path or value, in pages of any size", () => {
    fc.assert(
      fc.property(edits, text, fc.integer({ min: 1, max: 20 }), pace, (list, wanted, limit, step) => {
        const history = openHistory(recordEdits([list]).memory, REPOSITORY);
        let now = 0;
        const clock = { monotonicMilliseconds: () => (now += step) };
        const pagesOf = (query: TreeQuery): NodeJson[] => {
          const nodes: NodeJson[] = [];
          for (let cursor: string | undefined; ;) {
            const page = treePage({ view: history.view(), now: 0 as Microseconds, clock }, { ...query, cursor });
            expect(page.nodes?.length).toBeLessThanOrEqual(query.limit ?? 1000);
            nodes.push(...(page.nodes ?? []));
            cursor = page.next;
            if (cursor === undefined) return nodes;
          }
        };
        const has = (bytes: string): boolean => lower(bytes).includes(lower(wanted));
        const found = pagesOf({}).filter((node) => has(bytesFromText(node.path)) || has(valueFromJson(node)));
        expect(pagesOf({ text: wanted, limit })).toEqual(found);
        history.close();
      }),
      propertyParameters(60),
    );
  });
});
