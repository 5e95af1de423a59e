/**
 * Redaction on random histories: the store keeps what it has, the recorded tree keeps its shape, and a start brings the two
 * together again.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { treeOidOf } from "../../daemon/history/object/root-encoder.js";
import { PackBuilder } from "../../daemon/history/object/pack.js";
import { recordedNothing } from "../../daemon/history/recorder/load-mirror.js";
import { Mirror } from "../../daemon/history/recorder/mirror.js";
import { parsePathGlob } from "../../daemon/journal/path-glob.js";
import { decodeRecord, encodeRecord } from "../../daemon/journal/record.js";
import { emptyMarkedChanges, emptyMarkedNodes, redactCommit } from "../../daemon/journal/redaction.js";
import { applyChanges, sameRoot } from "../../daemon/store/diff.js";
import { emptyRoot, type Root } from "../../daemon/store/root.js";
import { nodesOf } from "../support/model/root-generator.js";
import { propertyParameters } from "../support/seed.js";
import { arbitraryEdit, commitBetween, editRoot, type Edit } from "./history-generator.js";

const redactor = { key: Buffer.alloc(32, 1), globs: ["/**/device", "/a/**"].map(parsePathGlob) };

type Step = { readonly kind: "commit"; readonly edits: readonly Edit[] } | { readonly kind: "start" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      edits: fc.array(arbitraryEdit, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("start" as const) }) },
);

/** The values of a root without those that a glob matches. */
function openValues(root: Root): Map<string, string> {
  return new Map(
    [...nodesOf(root)].map(([path, { value }]) => [
      path,
      redactor.globs.some((glob) => glob.matches(path)) ? "" : value,
    ]),
  );
}

it("redactCommit: every later change fits store and recorded tree, which differ in redacted values alone (redaction invariant 2)", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let live = emptyRoot();
      /** What the tree in Git says. */
      let recorded = emptyRoot();
      /** What replaying the journal from its beginning gives. */
      let replayed = emptyRoot();
      const mirror = new Mirror(recordedNothing(recorded), new PackBuilder());
      let seq = 0;
      for (const each of steps) {
        if (each.kind === "start") {
          const loaded = emptyMarkedNodes(recorded, redactor, seq as Seq);
          expect(sameRoot(loaded, replayed), "a replay and a load lead to one state").toBe(true);
          live = loaded;
          continue;
        }
        const before = live;
        seq++;
        for (const edit of each.edits) live = editRoot(live, edit, seq as Seq);
        const line = encodeRecord(redactCommit(commitBetween(before, live, seq), redactor));
        const decoded = decodeRecord(line.slice(0, -1));
        if (!decoded.ok) throw new Error(decoded.damaged);
        const { changes } = decoded.commit;
        recorded = applyChanges(recorded, changes, seq as Seq);
        replayed = applyChanges(replayed, emptyMarkedChanges(changes, redactor), seq as Seq);
        expect(mirror.apply(changes)).toBe(treeOidOf(recorded));
        expect(openValues(recorded)).toEqual(openValues(live));
      }
    }),
    propertyParameters(120),
  );
});
