/** The formats of the dot files, and what each refuses. */
import { describe, expect, it } from "vitest";
import {
  parseDomainFile,
  parsePermsFile,
  parseQuotasFile,
  parseSpecialFile,
  serializeDomainFile,
  serializePermsFile,
  serializeQuotasFile,
  serializeSpecialFile,
} from "../../../../../daemon/history/object/dot-file.js";
import { emptyRoot, NO_RECORD } from "../../../../../daemon/store/root.js";
import type { Domid, Microseconds, Seq } from "../../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../../protocol/perms.js";

const perms = (text: string): Perms => parsePerms(text.split(" ")) as Perms;

describe(".perms", () => {
  it("states the directory first, then the exceptions sorted by name, and reads back", () => {
    const exceptions = new Map([
      ["b", perms("n5 r0")],
      ["__proto__", perms("w7")],
      ["B", perms("b0")],
    ]);
    const text = serializePermsFile(perms("n0 r5"), exceptions);
    expect(text).toBe(". n0 r5\nB b0\n__proto__ w7\nb n5 r0\n");
    expect(parsePermsFile(text)).toEqual({ own: perms("n0 r5"), exceptions });
    expect(serializePermsFile(perms("n3"))).toBe(". n3\n");
  });

  it("refuses what it would not write", () => {
    for (const bad of [
      "",
      ". n0",
      "a n0\n",
      ". n0\n. n1\n",
      ". n0\na n1\na n2\n",
      ". \n",
      ". x0\n",
      ". n0\na/b n1\n",
      ". n0\n\n",
    ]) {
      expect(parsePermsFile(bad)).toBeUndefined();
    }
  });
});

describe(".special", () => {
  it("always lists both special paths, and reads back", () => {
    const { special } = emptyRoot();
    const text = serializeSpecialFile(special);
    expect(text).toBe("@introduceDomain n0\n@releaseDomain r0\n");
    expect(parseSpecialFile(text)).toEqual(special);
    expect(() => serializeSpecialFile(new Map())).toThrow(/@introduceDomain/);
    for (const bad of [
      "",
      "@introduceDomain n0\n",
      `${text}@other n0\n`,
      "@introduceDomain n0\n@introduceDomain n0\n",
    ]) {
      expect(parseSpecialFile(bad)).toBeUndefined();
    }
  });
});

describe(".quotas", () => {
  it("is sorted by name, empty without quotas, and reads back", () => {
    const quotas = new Map([
      ["watches", 0],
      ["memory", 5],
    ] as const);
    expect(serializeQuotasFile(quotas)).toBe("memory 5\nwatches 0\n");
    expect(parseQuotasFile("memory 5\nwatches 0\n")).toEqual(quotas);
    expect(serializeQuotasFile(new Map())).toBe("");
    for (const bad of [
      "",
      "nonsense 5\n",
      "memory 5",
      "memory 05\n",
      "memory 1e3\n",
      "memory 5\nmemory 5\n",
      `memory 9${"9".repeat(20)}\n`,
    ]) {
      expect(parseQuotasFile(bad)).toBeUndefined();
    }
  });
});

describe(".domains/<domid>", () => {
  it("has a line for each fact, and reads back", () => {
    const record = {
      introduction: { gfn: -1, port: 2, commit: { seq: 17 as Seq, time: 1732345678901241 as Microseconds } },
      target: 3 as Domid,
      features: 0,
      shutdown: true,
      quotas: new Map([["nodes", 10]] as const),
    };
    expect(serializeDomainFile(record)).toBe(
      "gfn -1\nport 2\nseq 17\ntime 1732345678901241\ntarget 3\nfeatures 0\nshutdown 1\nquota.nodes 10\n",
    );
    expect(parseDomainFile(serializeDomainFile(record))).toEqual(record);
    const of010 = { ...NO_RECORD, introduction: { gfn: 1, port: 2 } };
    expect(serializeDomainFile(of010)).toBe("gfn 1\nport 2\n");
    expect(parseDomainFile("gfn 1\nport 2\n")).toEqual(of010);
    const bare = { ...NO_RECORD, target: 0 as Domid };
    expect(parseDomainFile(serializeDomainFile(bare))).toEqual(bare);
    expect(serializeDomainFile(NO_RECORD)).toBe("");
  });

  it("refuses half an introduction, an unknown key, and a domain id out of range", () => {
    const halves = ["gfn 1\n", "port 1\n", "gfn 1\nport 1\nseq 1\n", "gfn 1\nport 1\ntime 1\n", "seq 1\ntime 1\n"];
    const numbers = ["gfn 1\nport 1\nseq 0\ntime 1\n", "target 65536\n", "shutdown 0\n"];
    for (const bad of ["", ...halves, ...numbers, "colour 1\n", "quota.colour 1\n"]) {
      expect(parseDomainFile(bad)).toBeUndefined();
    }
  });
});
