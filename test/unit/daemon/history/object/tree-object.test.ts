/** The bytes and the order of tree objects. */
import { describe, expect, it } from "vitest";
import { hashObject, type Oid } from "../../../../../daemon/history/object/oid.js";
import {
  entryBytes,
  entryPrefixBytes,
  isDirectoryKey,
  parseTree,
  serializeEntryPrefix,
  serializeTree,
} from "../../../../../daemon/history/object/tree-object.js";

const oid = (text: string): Oid => hashObject("blob", text);

describe("tree objects", () => {
  it("parseTree undoes serializeTree, and the sizes are those of the bytes", () => {
    const keys = [".perms", "a", "device-model", "device/", "devices"];
    const oids = keys.map(oid);
    const content = serializeTree(keys, oids);
    expect(parseTree(Buffer.from(content, "latin1"))).toEqual({ keys, oids });
    expect(content.length).toBe(keys.reduce((sum, key) => sum + entryBytes(key), 0));
    for (const key of keys) expect(serializeEntryPrefix(key).length).toBe(entryPrefixBytes(key));
    expect(content.startsWith("100644 .perms\0")).toBe(true);
    expect(content).toContain("40000 device\0");
    expect(isDirectoryKey("device/")).toBe(true);
    expect(isDirectoryKey("device")).toBe(false);
  });

  it("parseTree refuses links, submodules, modes that we do not write, and cut bytes", () => {
    const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
    expect(parseTree(bytes(""))).toEqual({ keys: [], oids: [] });
    for (const mode of ["120000", "160000", "100755", "040000", "10064"]) {
      expect(parseTree(bytes(`${mode} a\0${oid("a")}`))).toBeUndefined();
    }
    const content = serializeTree(["a"], [oid("a")]);
    for (let length = 1; length < content.length; length++)
      expect(parseTree(bytes(content.slice(0, length)))).toBeUndefined();
    expect(parseTree(bytes(`100644 \0${oid("a")}`))).toBeUndefined();
  });
});
