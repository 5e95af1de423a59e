/** The index of seqs against a full walk, after any sequence of seals, crashes, damage and restarts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Seq } from "../../protocol/identifiers.js";
import { findCommit } from "../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { PackRanges } from "../../daemon/history/repository/pack-ranges.js";
import { SeqIndex, seqIndexPath } from "../../daemon/history/repository/seq-index.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";
import type { Oid } from "../../daemon/history/object/oid.js";
import {
  diskWithRepository,
  openRecorder,
  recordAndSeal,
  REPOSITORY,
  walkedOids,
} from "../support/recorded-history.js";
import { propertyParameters } from "../support/seed.js";

const PATH = seqIndexPath({ repositoryDirectory: REPOSITORY, ref: MAIN_REF });

type Action =
  | { readonly kind: "seal"; readonly commits: number }
  | { readonly kind: "repair"; readonly commits: number }
  /** The daemon dies, the index gets damaged, the daemon starts. */
  | { readonly kind: "crash"; readonly loss: "nothing" | "everything"; readonly damage: Damage };

type Damage =
  | { readonly kind: "none" }
  | { readonly kind: "removed" }
  | { readonly kind: "truncated" | "flipped" | "zeroed"; readonly at: number }
  | { readonly kind: "longer"; readonly bytes: Uint8Array };

const at = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constantFrom("none", "removed") }),
  fc.record({ kind: fc.constantFrom("truncated", "flipped", "zeroed"), at }),
  fc.record({ kind: fc.constant("longer"), bytes: fc.uint8Array({ minLength: 1, maxLength: 70 }) }),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant("seal"), commits: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ kind: fc.constant("repair"), commits: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant("crash"), loss: fc.constantFrom("nothing", "everything"), damage }),
);

/** Whether a start can notice it: the records in the middle are not looked at. */
function isNoticed(change: Damage): boolean {
  return change.kind !== "flipped" && change.kind !== "zeroed";
}

function inflict(fileSystem: FileSystem, change: Damage): void {
  if (!fileSystem.exists(PATH)) return;
  if (change.kind === "none" || change.kind === "removed") {
    if (change.kind === "removed") fileSystem.remove(PATH);
    return;
  }
  const file = fileSystem.open(PATH, "write");
  const size = file.size();
  if (change.kind === "longer") file.write(change.bytes, size);
  else {
    const place = Math.floor(change.at * size);
    if (change.kind === "truncated") file.truncate(place);
    else if (change.kind === "zeroed") file.write(new Uint8Array(Math.min(100, size - place)), place);
    else {
      const byte = new Uint8Array(1);
      file.read(byte, place);
      file.write(Uint8Array.of((byte[0] as number) ^ 4), place);
    }
  }
  file.close();
}

function found(fileSystem: FileSystem, walked: readonly Oid[]): (Oid | undefined)[] {
  const reader = new ObjectReader(fileSystem, REPOSITORY);
  const index = new SeqIndex({ fileSystem, repositoryDirectory: REPOSITORY, ref: MAIN_REF });
  const tip = walked.at(-1) as Oid;
  const search = { reader, index, tip, givenUp: new Set<Oid>(), packs: new PackRanges() };
  const oids = walked.map((_, before) => findCommit(search, before + 1)?.oid);
  expect(findCommit(search, walked.length + 1)).toBeUndefined();
  expect(findCommit(search, 0)).toBeUndefined();
  reader.close();
  index.close();
  return oids;
}

describe("the index of seqs", () => {
  it("equals a full walk after any seals, crashes, damage and restarts (seq-index-writer invariants 1 to 3)", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 12 }), (actions) => {
        const memory = diskWithRepository();
        let recorder = openRecorder(memory);
        let isWhole = true;
        recordAndSeal(recorder, 1);
        for (const step of actions) {
          if (step.kind === "seal") recordAndSeal(recorder, step.commits);
          else if (step.kind === "repair") recorder.repairIndex(step.commits);
          else {
            memory.crash(step.loss);
            inflict(memory, step.damage);
            isWhole &&= isNoticed(step.damage);
            recorder = openRecorder(memory);
          }
          const walked = walkedOids(memory);
          expect(found(memory, walked)).toEqual(walked);
        }
        while (recorder.isIndexIncomplete) recorder.repairIndex(1000);
        const walked = walkedOids(memory);
        const index = new SeqIndex({ fileSystem: memory, repositoryDirectory: REPOSITORY, ref: MAIN_REF });
        if (isWhole) expect(walked.map((_, before) => index.oidOfSeq((before + 1) as Seq))).toEqual(walked);
        expect(memory.list(`${REPOSITORY}/xenstore-tng/seq`)).toEqual(["main"]);
        recorder.close();
      }),
      propertyParameters(60),
    );
  });
});
