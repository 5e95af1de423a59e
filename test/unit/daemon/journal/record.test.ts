import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Domid, Seq, TxId } from "../../../../protocol/identifiers.js";
import { decodeRecord, encodeRecord, openLine, sealLine, seqOfRecord } from "../../../../daemon/journal/record.js";
import type { Commit } from "../../../../daemon/store/commit.js";
import { commitAt, fullCommit, permsOf, setChange } from "./sample-commits.js";

function line(commit: Commit, synced?: number): string {
  return encodeRecord(commit, synced as Seq | undefined).slice(0, -1);
}

/** Decodes a text with a checksum that is right. */
function decodeJson(json: unknown): ReturnType<typeof decodeRecord> {
  return decodeRecord(sealLine(typeof json === "string" ? json : JSON.stringify(json)).slice(0, -1));
}

describe("encodeRecord", () => {
  it("writes checksum, keys in order without defaults, and a newline", () => {
    const json =
      '{"seq":7,"time":1732345678901241,"domain":0,"connection":"socket-17","requests":[["WRITE","/node","on"]],' +
      '"changes":[["set","/node","on","n0 r5"]]}';
    expect(encodeRecord(commitAt(7, "on"))).toBe(`${crc32(json).toString(16).padStart(8, "0")} ${json}\n`);
  });

  it("writes every key in order where none has its default", () => {
    const json = openLine(line(fullCommit(9), 8)) ?? "";
    expect(Object.keys(JSON.parse(json) as object)).toEqual([
      ..."seq time domain connection transaction base synced requests omitted merged changes".split(" "),
    ]);
    expect(json).toContain(
      '["domain",6,null],["domain",7,{"gfn":1099511627776,"port":3,"seq":4,"time":1732345678901241,"target":0,"features":0,' +
        '"shutdown":true,"quotas":{"nodes":0,"transaction-nodes":5}}]',
    );
    expect(json).toContain(
      '["remove","/b"],["special","@releaseDomain","n0 r5 b7"],["quota","node-size",4096],["quota","memory",null]',
    );
  });

  it("writes nothing but printable ASCII, whatever the bytes", () => {
    const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    const record = encodeRecord(commitAt(1, everyByte));
    expect(record).toMatch(/^[\x20-\x7e]+\n$/);
    expect(record).toContain("\\u007f\\u0080");
    const decoded = decodeRecord(record.slice(0, -1));
    expect(decoded).toMatchObject({ ok: true, commit: { changes: [{ after: { value: everyByte } }] } });
  });

  it("leaves out what a change replaced", () => {
    const before = { value: "replaced", perms: permsOf("n9") };
    const record = encodeRecord(
      commitAt(1, "on", { requests: [], changes: [{ ...setChange("/node", "on"), before } as never] }),
    );
    expect(record).not.toContain("replaced");
  });

  it.each<[string, Partial<Commit>]>([
    ["a seq of 0", { seq: 0 as Seq }],
    ["a time that is no integer", { time: 1.5 as never }],
    ["a time that is no number", { time: NaN as never }],
    ["a base that is not before it", { base: 3 as Seq }],
    ["a domain id beyond 65535", { origin: { domid: 65536 as Domid, connection: "x", transaction: undefined } }],
    ["a transaction id of 0", { origin: { domid: 0 as Domid, connection: "x", transaction: 0 as TxId } }],
    [
      "a string that is no byte string",
      { origin: { domid: 0 as Domid, connection: "\u0100", transaction: undefined } },
    ],
    ["a negative quota", { changes: [{ kind: "quota", name: "nodes", before: undefined, after: -1 }] }],
  ])("refuses %s, which could not be read back", (_what, more) => {
    expect(() => encodeRecord(commitAt(3, "on", more))).toThrow(RangeError);
  });
});

describe("decodeRecord", () => {
  it("gives back the commit and `synced`", () => {
    expect(decodeRecord(line(fullCommit(9), 8))).toEqual({ ok: true, commit: fullCommit(9), synced: 8 });
    expect(decodeRecord(line(commitAt(1)))).toEqual({ ok: true, commit: commitAt(1), synced: 0 });
  });

  it("gives a commit without changes and requests empty lists", () => {
    const commit = commitAt(3, "", { changes: [], requests: [] });
    expect(decodeRecord(line(commit))).toEqual({ ok: true, commit, synced: 0 });
  });

  it("detects any flipped bit and any cut", () => {
    const whole = line(fullCommit(9), 8);
    for (let index = 0; index < whole.length; index++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped =
          whole.slice(0, index) + String.fromCharCode(whole.charCodeAt(index) ^ (1 << bit)) + whole.slice(index + 1);
        expect(decodeRecord(flipped)).toMatchObject({ ok: false, intact: false });
      }
      expect(decodeRecord(whole.slice(0, index))).toMatchObject({ ok: false, intact: false });
    }
  });

  const good = { seq: 3, time: 1, domain: 0, connection: "x" };
  it.each<[string, unknown, string]>([
    ["no JSON", "{", "it is not JSON"],
    ["an array", [], "it is not a JSON object"],
    ["null", "null", "it is not a JSON object"],
    ["an unknown key", { ...good, colour: 1 }, "it has the unknown key `colour`"],
    [
      "the key __proto__",
      '{"seq":3,"time":1,"domain":0,"connection":"x","__proto__":{"base":1}}',
      "it has the unknown key `__proto__`",
    ],
    ["no seq", { time: 1, domain: 0, connection: "x" }, "`seq` is not a sequence number"],
    ["a seq of 0", { ...good, seq: 0 }, "`seq` is not a sequence number"],
    ["a seq in a string", { ...good, seq: "3" }, "`seq` is not a sequence number"],
    ["a time with a fraction", { ...good, time: 1.5 }, "`time` is not in microseconds"],
    ["a domain beyond 65535", { ...good, domain: 65536 }, "`domain` is not a domain id"],
    ["a connection beyond bytes", { ...good, connection: "\u0100" }, "`connection` is not a byte string"],
    ["transaction 0", { ...good, transaction: 0 }, "`transaction` is not a transaction id"],
    ["a base not before it", { ...good, base: 3 }, "`base` is not an earlier sequence number"],
    ["a negative synced", { ...good, synced: -1 }, "`synced` is not a sequence number"],
    ["omitted 0", { ...good, omitted: 0 }, "`omitted` is not a count"],
    ["requests that are no list", { ...good, requests: {} }, "`requests` is bad at index 0"],
    [
      "an operation that does not exist",
      {
        ...good,
        requests: [
          ["WRITE", "/", ""],
          ["DANCE", "/", ""],
        ],
      },
      "`requests` is bad at index 1",
    ],
    ["a detail longer than itself", { ...good, requests: [["WRITE", "/", "ab", 2]] }, "`requests` is bad at index 0"],
    ["a change of no kind", { ...good, changes: [["move", "/a"]] }, "`changes` is bad at index 0"],
    ["a relative path", { ...good, changes: [["set", "a", "", "n0"]] }, "`changes` is bad at index 0"],
    ["a path with a double slash", { ...good, changes: [["remove", "/a//b"]] }, "`changes` is bad at index 0"],
    [
      "a path beyond 3072 bytes",
      { ...good, changes: [["remove", `/${"a".repeat(3072)}`]] },
      "`changes` is bad at index 0",
    ],
    ["perms of no one", { ...good, changes: [["set", "/a", "", ""]] }, "`changes` is bad at index 0"],
    ["perms with an unknown letter", { ...good, changes: [["set", "/a", "", "x0"]] }, "`changes` is bad at index 0"],
    ["a value beyond bytes", { ...good, changes: [["set", "/a", "\u20ac", "n0"]] }, "`changes` is bad at index 0"],
    ["a change with too much", { ...good, changes: [["remove", "/a", 1]] }, "`changes` is bad at index 0"],
    ["an unknown special path", { ...good, changes: [["special", "@dance", "n0"]] }, "`changes` is bad at index 0"],
    ["an unknown quota", { ...good, changes: [["quota", "toString", 1]] }, "`changes` is bad at index 0"],
    ["a quota without a value", { ...good, changes: [["quota", "nodes"]] }, "`changes` is bad at index 0"],
    ["a gfn without a port", { ...good, changes: [["domain", 1, { gfn: 1 }]] }, "`changes` is bad at index 0"],
    ["a seq alone", { ...good, changes: [["domain", 1, { gfn: 1, port: 1, seq: 1 }]] }, "`changes` is bad at index 0"],
    ["no introduction", { ...good, changes: [["domain", 1, { seq: 1, time: 1 }]] }, "`changes` is bad at index 0"],
    [
      "seq 0",
      { ...good, changes: [["domain", 1, { gfn: 1, port: 1, seq: 0, time: 1 }]] },
      "`changes` is bad at index 0",
    ],
    ["a domain with a colour", { ...good, changes: [["domain", 1, { colour: 1 }]] }, "`changes` is bad at index 0"],
    [
      "a domain's unknown quota",
      { ...good, changes: [["domain", 1, { quotas: { __proto__: null, constructor: 1 } }]] },
      "`changes` is bad at index 0",
    ],
  ])("refuses %s as intact and not ours", (_what, json, damaged) => {
    expect(decodeJson(json)).toEqual({ ok: false, damaged, intact: true });
  });

  it("takes what the refused ones were variations of", () => {
    expect(
      decodeJson({
        ...good,
        changes: [
          ["set", "/a", "", "n0"],
          ["domain", 1, {}],
          ["domain", 2, { gfn: 1, port: 1 }],
          ["domain", 3, { gfn: 1, port: 1, seq: 1, time: 0 }],
        ],
        requests: [["WRITE", "/", "ab", 3]],
      }),
    ).toMatchObject({ ok: true });
  });
});

describe("seqOfRecord", () => {
  it("tells the seq of a line with a right checksum, and of no other", () => {
    expect(seqOfRecord(line(commitAt(123)))).toBe(123);
    expect(seqOfRecord(line(commitAt(123)).replace("123", "124"))).toBeUndefined();
    expect(seqOfRecord(sealLine('{"format":"x"}').slice(0, -1))).toBeUndefined();
    expect(seqOfRecord("")).toBeUndefined();
  });
});

describe("decodeRecord's short way for the line that most commits are", () => {
  /** The same text with one blank more, which JSON ignores and the short way does not know. */
  const theLongWay = (json: string): unknown => decodeJson(json.replace('{"seq":', '{"seq": '));

  it.each<[string, Partial<Commit>, number]>([
    ["a plain write", {}, 0],
    ["a synced seq", {}, 6],
    ["an empty value", { changes: [setChange("/node", "")] }, 0],
    ["a value unlike the request's detail", { changes: [setChange("/other/node", "something else, and long")] }, 0],
    ["another domain", { origin: { domid: 65535 as Domid, connection: "domain-65535", transaction: undefined } }, 0],
  ])("gives what JSON gives: %s", (_, details, synced) => {
    const json = openLine(line(commitAt(7, "a value of some length", details), synced)) ?? "";
    expect(decodeJson(json)).toMatchObject({ ok: true });
    expect(decodeJson(json)).toEqual(theLongWay(json));
  });

  it.each([
    ["a path that is none", (json: string) => json.replace('"set","/node"', '"set","/node/"')],
    ["a seq beyond the safe integers", (json: string) => json.replace('"seq":7', '"seq":9007199254740993')],
    ["a domain beyond 65535", (json: string) => json.replace('"domain":0', '"domain":65536')],
    ["perms that are none", (json: string) => json.replace("n0 r5", "n0 r")],
  ])("refuses what JSON's way refuses: %s", (_, spoil) => {
    const json = spoil(openLine(line(commitAt(7, "on"))) ?? "");
    expect(decodeJson(json)).toMatchObject({ ok: false, intact: true });
    expect(decodeJson(json)).toEqual(theLongWay(json));
  });
});
