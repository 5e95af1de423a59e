import { beforeAll, describe, expect, it } from "vitest";
import type { Path } from "../../../../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../../../../protocol/perms.js";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import { PackBuilder } from "../../../../../daemon/history/object/pack.js";
import { serializeTree } from "../../../../../daemon/history/object/tree-object.js";
import { ObjectReader } from "../../../../../daemon/history/repository/object-reader.js";
import { placePack } from "../../../../../daemon/history/repository/pack-file.js";
import { ForeignDirectoryError, readPath } from "../../../../../daemon/history/repository/read-path.js";
import { diskWithRepository, openRecorder, REPOSITORY } from "../../../../support/recorded-history.js";
import { getNode } from "../../../../../daemon/store/root.js";
import { emptyRoot, type Root } from "../../../../../daemon/store/root.js";
import { commitBetween, rootOfEdits } from "../../../../property/history-generator.js";

const GUEST = parsePerms(["n5", "r0"]) as Perms;
const DOM0 = parsePerms(["n0"]) as Perms;

let root: Root;
let tree: Oid;
let reader: ObjectReader;

beforeAll(() => {
  const set = (path: string, value: string, perms = DOM0) =>
    ({ kind: "set", names: path.slice(1).split("/"), value, perms }) as const;
  root = rootOfEdits([
    set("/local/domain/5", "", GUEST),
    set("/local/domain/5/name", "vm", GUEST),
    set("/local/domain/5/secret", "x", DOM0),
    set("/local/domain/5/device", "has a value", GUEST),
    set("/local/domain/5/device/vif", "", GUEST),
    set("/local/domain/5/device-model", "\xff\0", GUEST),
    set("/local/domain/50", "fifty"),
    set("/__proto__", "plain"),
  ]);
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recorder.record(commitBetween(emptyRoot(), root, 1));
  recorder.seal();
  tree = recorder.treeOid;
  recorder.close();
  reader = new ObjectReader(memory, REPOSITORY, { verifyOids: true });
});

describe("readPath", () => {
  it.each([
    "/",
    "/local",
    "/local/domain/5",
    "/local/domain/5/name",
    "/local/domain/5/secret",
    "/local/domain/5/device",
    "/local/domain/5/device/vif",
    "/local/domain/5/device-model",
    "/local/domain/50",
    "/__proto__",
  ])("gives value, perms and kind of %s as the store has them", (path) => {
    const node = getNode(root, path as Path);
    const found = readPath(reader, tree, path);
    expect(found).toMatchObject({ value: node?.value, perms: node?.perms, hasChildren: (node?.names.length ?? 0) > 0 });
    expect(reader.has(found?.oid as Oid)).toBe(true);
  });

  it.each([
    "/nothing",
    "/local/domain/5/name/below",
    "/local/domain/5/dev",
    "/local/domain/5/device/",
    "/local//domain",
    "/.perms",
    "/.special",
    "/local/domain/5/.value",
    "/.domains/5",
  ])("finds nothing at %s", (path) => {
    expect(readPath(reader, tree, path)).toBeUndefined();
  });

  it("refuses a path that is not absolute, and an oid that is no tree", () => {
    expect(() => readPath(reader, tree, "local")).toThrow(RangeError);
    const blob = readPath(reader, tree, "/local/domain/5/name")?.oid as Oid;
    expect(() => readPath(reader, blob, "/")).toThrow(ForeignDirectoryError);
  });

  it("is not misled by an oid or a name that holds the bytes of an entry, nor by a torn tree", () => {
    const memory = diskWithRepository();
    const builder = new PackBuilder();
    const put = (type: "blob" | "tree", content: string): Oid => {
      const oid = hashObject(type, content);
      builder.addObject(type, oid, content);
      return oid;
    };
    const perms = put("blob", ". n0\n");
    const value = put("blob", "right");
    const misleading = `..........100644 b\0.` as Oid;
    const crafted = put("tree", serializeTree([".perms", "a", "b", "z100644 c"], [perms, misleading, value, value]));
    const torn = put("tree", serializeTree([".perms", "b"], [perms, value]).slice(0, -1));
    placePack(memory, REPOSITORY, builder.finish());
    const foreign = new ObjectReader(memory, REPOSITORY);
    expect(readPath(foreign, crafted, "/b")?.value).toBe("right");
    expect(readPath(foreign, crafted, "/c")).toBeUndefined();
    expect(readPath(foreign, torn, "/b")).toBeUndefined();
  });
});
