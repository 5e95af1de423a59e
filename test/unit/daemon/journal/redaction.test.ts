import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Path, Seq } from "../../../../protocol/identifiers.js";
import { parsePathGlob } from "../../../../daemon/journal/path-glob.js";
import {
  emptyMarkedChanges,
  emptyMarkedNodes,
  isMarker,
  markerOf,
  redactCommit,
  type Redactor,
} from "../../../../daemon/journal/redaction.js";
import { encodeRecord } from "../../../../daemon/journal/record.js";
import { applyChanges } from "../../../../daemon/store/diff.js";
import { emptyRoot, getNode } from "../../../../daemon/store/root.js";
import { commitAt, fullCommit, setChange } from "./sample-commits.js";

const key = Buffer.alloc(32, 7);
const redactor: Redactor = { key, globs: ["/secret/**", "/local/*/vncpasswd"].map(parsePathGlob) };
const path = "/local/5/vncpasswd" as Path;
const other = "/local/6/vncpasswd" as Path;

describe("markerOf, isMarker", () => {
  it("make and know a marker for one path and one key, and show of equal values that they are equal", () => {
    const marker = markerOf(redactor, path, "hunter2");
    // The form is for ever: markers stand in journals and in histories. Made here with nothing of the code under test.
    const hmac = (text: string): string => createHmac("sha256", key).update(text).digest("hex");
    const valueHash = hmac("value\0hunter2");
    const pathHash = hmac(`marker\0${path}\0${valueHash}`);
    expect(marker).toBe(`redacted:hmac-sha256:${valueHash}:${pathHash.slice(0, 32)}`);
    expect(isMarker(redactor, path, marker)).toBe(true);
    expect(isMarker(redactor, other, marker), "another path").toBe(false);
    expect(isMarker({ key: Buffer.alloc(32, 8) }, path, marker), "another key").toBe(false);
    const same = markerOf(redactor, other, "hunter2");
    expect([same.slice(0, 85), same.slice(85)]).toEqual([
      marker.slice(0, 85),
      expect.not.stringMatching(marker.slice(85)),
    ]);
    expect(markerOf(redactor, path, "hunter3").slice(0, 85)).not.toBe(marker.slice(0, 85));
    expect(markerOf({ key: Buffer.alloc(32, 8) }, path, "hunter2").slice(21, 85)).not.toBe(marker.slice(21, 85));
  });

  it("take what only looks like a marker for text (invariant 3)", () => {
    const marker = markerOf(redactor, path, "hunter2");
    for (const text of [
      marker.slice(0, -1),
      `${marker}0`,
      marker.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")),
      `redacted:hmac-sha256:${"0".repeat(64)}:${"0".repeat(32)}`,
      "",
      "redacted",
    ]) {
      expect(isMarker(redactor, path, text), text).toBe(false);
    }
  });

  it("hash every byte of a value, whatever it is", () => {
    const hashes = ["\xff", "\xfe", "\0", "\0\0", "x".repeat(4000), "x".repeat(4001), "é"].map((value) =>
      markerOf(redactor, path, value),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe("redactCommit", () => {
  it("leaves no value at a path that a glob matches, in changes and requests, and all else as it is (invariants 1 and 2)", () => {
    const commit = commitAt(7, "", {
      requests: [
        { operation: "WRITE", subject: path, detail: "hunter2", detailBytes: 7 },
        { operation: "WRITE", subject: "/open", detail: "plain", detailBytes: 5 },
        { operation: "WRITE", subject: "/secret/long", detail: "s".repeat(64), detailBytes: 900 },
        { operation: "WRITE", subject: path, detail: "", detailBytes: 0 },
        { operation: "SET_PERMS", subject: path, detail: "n0 r5", detailBytes: 5 },
        { operation: "RM", subject: "/secret/gone", detail: "", detailBytes: 0 },
      ],
      changes: [
        { ...setChange(path, "hunter2", "n5"), before: { value: "hunter1", perms: emptyRoot().node.perms } } as never,
        setChange("/open", "plain"),
        setChange("/secret/long", "s".repeat(900), "n0 r5"),
        setChange("/secret/empty", ""),
        { kind: "node", path: "/secret/gone" as Path, before: undefined, after: undefined },
      ],
    });
    const redacted = redactCommit(commit, redactor);
    expect(JSON.stringify(redacted)).not.toMatch(/hunter|sss/);
    expect(redacted).toEqual({
      ...commit,
      requests: [
        { operation: "WRITE", subject: path, detail: "redacted", detailBytes: 8 },
        commit.requests[1],
        { operation: "WRITE", subject: "/secret/long", detail: "redacted", detailBytes: 8 },
        ...commit.requests.slice(3),
      ],
      changes: [
        setChange(path, markerOf(redactor, path, "hunter2"), "n5"),
        commit.changes[1],
        setChange("/secret/long", markerOf(redactor, "/secret/long" as Path, "s".repeat(900)), "n0 r5"),
        ...commit.changes.slice(3),
      ],
    });
    expect(encodeRecord(redacted)).not.toContain("hunter");
  });

  it("redacts what a guest wrote to look like a marker", () => {
    const forged = markerOf(redactor, path, "hunter2");
    const [change] = redactCommit(commitAt(7, "", { changes: [setChange(path, forged)] }), redactor).changes;
    expect(change).toEqual(setChange(path, markerOf(redactor, path, forged)));
  });

  it("returns the same commit where nothing matches", () => {
    const commit = fullCommit(9);
    expect(redactCommit(commit, redactor)).toBe(commit);
  });
});

describe("emptyMarkedChanges, emptyMarkedNodes", () => {
  const marker = markerOf(redactor, path, "hunter2");
  const changes = [
    setChange("/local", "stays"),
    setChange("/local/5", markerOf(redactor, path, "of another path")),
    setChange(path, marker, "n5 r0"),
    setChange(`${path}/child`, "stays"),
    setChange("/forged", marker),
    { kind: "node", path: "/forged" as Path, before: undefined, after: undefined } as const,
    setChange("/forged", marker),
  ];

  it("empty what was redacted at its own path, whatever the globs are now, and nothing else (invariant 3)", () => {
    const emptied = changes.map((change) => (change === changes[2] ? setChange(path, "", "n5 r0") : change));
    expect(emptyMarkedChanges(changes, { key })).toEqual(emptied);
    const root = applyChanges(emptyRoot(), changes, 3 as Seq);
    const loaded = emptyMarkedNodes(root, { key }, 3 as Seq);
    expect(loaded).toEqual(applyChanges(emptyRoot(), emptied, 3 as Seq));
    expect(getNode(loaded, path)?.value).toBe("");
    expect(getNode(loaded, "/forged" as Path)?.value).toBe(marker);
  });

  it("return the same where there is nothing to empty", () => {
    const plain = [setChange("/local", "stays"), ...fullCommit(3).changes.slice(2)];
    expect(emptyMarkedChanges(plain, { key })).toBe(plain);
    const root = applyChanges(emptyRoot(), plain, 3 as Seq);
    expect(emptyMarkedNodes(root, { key }, 3 as Seq)).toBe(root);
  });

  it("go a thousand levels deep", () => {
    let deep = "";
    const list = [];
    for (let depth = 0; depth < 1500; depth++) list.push(setChange((deep += "/d"), ""));
    list.push(setChange(deep, markerOf(redactor, deep as Path, "hunter2")));
    const root = applyChanges(emptyRoot(), list, 1 as Seq);
    expect(getNode(emptyMarkedNodes(root, { key }, 1 as Seq), deep as Path)?.value).toBe("");
  });
});
