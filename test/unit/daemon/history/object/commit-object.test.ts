/** The text of commit objects: what `git log` shows, byte for byte. Real Git reads it in `test/interop/git-history.test.ts`. */
import { describe, expect, it } from "vitest";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../../../../protocol/identifiers.js";
import {
  committerSecondsOf,
  parseCommit,
  serializeCommit,
} from "../../../../../daemon/history/object/commit-object.js";
import { hashObject, hexFromOid } from "../../../../../daemon/history/object/oid.js";
import type { Change, Commit } from "../../../../../daemon/store/commit.js";
import { emptyRoot } from "../../../../../daemon/store/root.js";

const tree = hashObject("tree", "");
const parent = hashObject("commit", "");
const { perms } = emptyRoot().node;

function node(path: string): Change {
  return { kind: "node", path: path as Path, before: undefined, after: { value: "", perms } };
}

function commit(details: Partial<Commit> = {}): Commit {
  return {
    seq: 7 as Seq,
    time: 1_785_585_600_123_456 as Microseconds,
    origin: { domid: 5 as Domid, connection: "domain-5", transaction: undefined },
    base: 6 as Seq,
    requests: [],
    requestsOmitted: 0,
    changes: [],
    ...details,
  };
}

function text(of: Commit): string {
  return serializeCommit(of, { tree, parents: [parent], parentSeconds: 0, hostName: "host" });
}

/** The subject of a transaction with changes at these paths. */
function subject(...paths: string[]): string | undefined {
  const origin = { domid: 0 as Domid, connection: "socket-1", transaction: 3 as TxId };
  return parseCommit(text(commit({ origin, changes: paths.map(node) })))?.subject;
}

describe("serializeCommit", () => {
  it("writes headers, subject, requests and trailers", () => {
    const requests = [{ operation: "WRITE", subject: "/a/b", detail: "v", detailBytes: 1 }] as const;
    expect(text(commit({ requests, changes: [node("/a/b")] }))).toBe(
      `tree ${hexFromOid(tree)}\nparent ${hexFromOid(parent)}\nauthor dom5 <dom5@host> 1785585600 +0000\n` +
        "committer xenstore-tng <xenstore@host> 1785585600 +0000\n\ndom5: WRITE /a/b\n\n" +
        'WRITE /a/b "v"\n\nSeq: 7\nTime: 2026-08-01T12:00:00.123456Z\nDomain: 5\nConnection: domain-5\n',
    );
  });

  it("names a transaction by its number of changes and their deepest common ancestor", () => {
    expect(subject("/local/domain/5/a", "/local/domain/5/b/c")).toBe("dom0: 2 changes under /local/domain/5");
    expect(subject("/local/domain/5", "/local/domain/5/a")).toBe("dom0: 2 changes under /local/domain/5");
    expect(subject("/local/domain/5", "/local/domain/50")).toBe("dom0: 2 changes under /local/domain");
    expect(subject("/a", "/b")).toBe("dom0: 2 changes under /");
    expect(subject("/", "/a")).toBe("dom0: 2 changes under /");
    expect(subject("/a/b")).toBe("dom0: 1 change under /a/b");
    expect(subject()).toBe("dom0: 0 changes");
  });

  it("names what a transaction asked for when nothing changed", () => {
    const origin = { domid: 0 as Domid, connection: "socket-1", transaction: 3 as TxId };
    const requests = ["/a/b", "/a/c"].map(
      (path) => ({ operation: "WRITE", subject: path, detail: "", detailBytes: 0 }) as const,
    );
    expect(text(commit({ origin, requests }))).toContain("\n\ndom0: 0 changes under /a\n\n");
  });

  it("is ASCII without NUL or line breaks, whatever the bytes", () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
    for (let from = 0; from < 256; from += 64) {
      const requests = [
        { operation: "WRITE", subject: "/a", detail: bytes.slice(from, from + 64).join(""), detailBytes: 64 },
      ] as const;
      const written = text(
        commit({ requests, origin: { domid: 5 as Domid, connection: "odd\nname\xff", transaction: undefined } }),
      );
      expect(written).toMatch(/^[\n -~]*$/);
      expect(parseCommit(written)?.body.split("\n")).toHaveLength(1);
      expect(parseCommit(written)?.trailers.seq).toBe(7);
    }
  });

  it("cuts values at 64 bytes and requests at 200, and says so", () => {
    const requests = Array.from(
      { length: 230 },
      () => ({ operation: "WRITE", subject: "/a", detail: "x".repeat(80), detailBytes: 80 }) as const,
    );
    const lines = parseCommit(text(commit({ requests, requestsOmitted: 5 })))?.body.split("\n");
    expect(lines).toHaveLength(201);
    expect(lines?.[199]).toBe(`WRITE /a "${"x".repeat(64)}"... (80 bytes)`);
    expect(lines?.[200]).toBe("... 35 more");
  });

  it("makes an address of any host name", () => {
    const place = { tree, parents: [], parentSeconds: 0 };
    expect(serializeCommit(commit(), { ...place, hostName: "a b<c>\nd.e" })).toContain("<dom5@a-b-c--d.e>");
    expect(serializeCommit(commit(), { ...place, hostName: "" })).toContain("<dom5@localhost>");
  });
});

describe("committerSecondsOf", () => {
  it("never goes back behind the parent", () => {
    expect(committerSecondsOf(commit(), 0)).toBe(1_785_585_600);
    expect(committerSecondsOf(commit(), 1_900_000_000)).toBe(1_900_000_000);
  });
});

describe("parseCommit", () => {
  it("reads back what serializeCommit wrote", () => {
    const origin = { domid: 5 as Domid, connection: "domain-5", transaction: 9 as TxId };
    const parsed = parseCommit(text(commit({ origin, base: 3 as Seq, changes: [node("/a")] })));
    expect(parsed).toMatchObject({ tree, parents: [parent], subject: "dom5: 1 change under /a", body: "" });
    expect(parsed?.author).toEqual({ name: "dom5", email: "dom5@host", seconds: 1_785_585_600 });
    expect(parsed?.trailers).toEqual({
      seq: 7,
      time: 1_785_585_600_123_456,
      domain: 5,
      connection: "domain-5",
      transaction: 9,
      base: 3,
    });
  });

  it("reads a foreign commit: odd headers, no trailers, no message", () => {
    const head = `tree ${hexFromOid(tree)}\nparent ${hexFromOid(parent)}\nparent ${hexFromOid(tree)}\nauthor A B <a@b> 5 +0200\ncommitter <> 6 -0100\n`;
    const parsed = parseCommit(
      Buffer.from(`${head}gpgsig -----BEGIN\n tree nonsense\n\nMerge it\n\nSeq: x\nbody\n`, "latin1"),
    );
    expect(parsed).toMatchObject({ subject: "Merge it", author: { name: "A B" }, committer: { name: "", seconds: 6 } });
    expect(parsed?.parents).toHaveLength(2);
    expect(parsed?.trailers).toEqual({
      seq: undefined,
      time: undefined,
      domain: undefined,
      connection: undefined,
      transaction: undefined,
      base: undefined,
    });
    expect(parseCommit(head)).toMatchObject({ subject: "", message: "" });
  });

  it("refuses what is no commit", () => {
    expect(parseCommit("")).toBeUndefined();
    expect(parseCommit("tree 123\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx")).toBeUndefined();
    expect(parseCommit(`tree ${hexFromOid(tree)}\n\nx`)).toBeUndefined();
  });
});
