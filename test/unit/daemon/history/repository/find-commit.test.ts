import { beforeAll, describe, expect, it } from "vitest";
import type { Seq } from "../../../../../protocol/identifiers.js";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import { findCommit, type CommitSearch } from "../../../../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../../../../daemon/history/repository/layout.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { PackRanges } from "../../../../../daemon/history/repository/pack-ranges.js";
import { SeqIndex, seqIndexPath, serializeSeqHeader } from "../../../../../daemon/history/repository/seq-index.js";
import type { MemoryFileSystem } from "../../../../support/memory-file-system.js";
import {
  diskWithRepository,
  openRecorder,
  recordAndSeal,
  REPOSITORY,
  walkedOids,
} from "../../../../support/recorded-history.js";

const COMMITS = 600;

let memory: MemoryFileSystem;
/** The oids of commits 1, 2, … */
let oids: readonly Oid[];

beforeAll(() => {
  memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, COMMITS);
  recorder.close();
  oids = walkedOids(memory);
});

/** Looks for commits with an index that has these records; also tells how many objects were read. */
function searchWith(records: readonly (Oid | undefined)[]): CommitSearch & { readonly reads: () => number } {
  const path = seqIndexPath({ repositoryDirectory: REPOSITORY, ref: MAIN_REF });
  memory.remove(path);
  const file = memory.open(path, "create");
  const bytes = records.map((oid) => oid ?? "\0".repeat(20)).join("");
  file.write(Buffer.concat([serializeSeqHeader(1 as Seq), Buffer.from(bytes, "latin1")]), 0);
  file.close();
  let count = 0;
  class CountingReader extends ObjectReader {
    override read(oid: Oid): ReturnType<ObjectReader["read"]> {
      count++;
      return super.read(oid);
    }
  }
  return {
    reader: new CountingReader(memory, REPOSITORY),
    index: new SeqIndex({ fileSystem: memory, repositoryDirectory: REPOSITORY, ref: MAIN_REF }),
    tip: oids.at(-1) as Oid,
    givenUp: new Set(),
    packs: new PackRanges(),
    reads: () => count,
  };
}

describe("findCommit", () => {
  it("reads one commit when the index is right", () => {
    const search = searchWith(oids);
    expect(findCommit(search, 17)?.oid).toBe(oids[16]);
    expect(findCommit(search, 17)?.commit.trailers.seq).toBe(17);
    expect(search.reads()).toBe(2);
  });

  it("walks from the nearest record that is right, whatever the others say", () => {
    const blob = hashObject("blob", "vm");
    const elsewhere = hashObject("blob", "in no pack");
    for (const wrong of [undefined, blob, elsewhere, oids[2]]) {
      const search = searchWith(oids.map((oid, before) => (before >= 100 && before < 200 ? wrong : oid)));
      expect(findCommit(search, 150)?.oid).toBe(oids[149]);
      expect(search.reads()).toBeLessThan(80);
    }
  });

  it("walks from the tip when there is no index, or one that ends before", () => {
    for (const records of [[], oids.slice(0, 10)]) {
      const search = searchWith(records);
      expect(findCommit(search, 590)?.oid).toBe(oids[589]);
      expect(search.reads()).toBeLessThan(13);
    }
  });

  it("does not find what is before the beginning, beyond the tip, or given up", () => {
    const search = searchWith(oids);
    for (const seq of [-1, 0, COMMITS + 1, 1.5]) expect(findCommit(search, seq)).toBeUndefined();
    const empty = searchWith([]);
    expect(findCommit({ ...empty, givenUp: new Set([oids[299] as Oid]) }, 299)).toBeUndefined();
    expect(findCommit({ ...empty, givenUp: new Set([oids[299] as Oid]) }, 300)?.oid).toBe(oids[299]);
  });
});
