import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { OPERATIONS } from "../../../../protocol/operation.js";
import { copiesMax, findIdentities, renamingOf } from "../../../../simulator/replay/identities.js";
import { propertyParameters } from "../../../support/seed.js";
import { placed, requestLine } from "../../../support/trace-lines.js";

const UUID = "5ab93bff-7a2f-4e5d-a1b2-0123456789ab";

const identities = findIdentities(
  placed([
    requestLine("a", "WRITE", "/local/domain/5/name|vm5", "OK|"),
    requestLine("a", "WRITE", `/vm/${UUID}/name|vm5`, "OK|"),
    requestLine("a", "WRITE", "/local/domain/0/name|Domain-0", "OK|"),
    requestLine("a", "WRITE", "/local/domain/0/backend/vbd/7/51712/frontend|/local/domain/7/device/vbd/51712", "OK|"),
    requestLine("a", "INTRODUCE", "9|1|1|", "OK|"),
    requestLine("a", "WRITE", "/libxl/5/device/vif/12|v", "OK|"),
  ]),
);

const renaming = renamingOf(identities, 2);
/** Domains 5, 7, 9 are 10, 11, 12 in copy 1 and 13, 14, 15 in copy 2. */
const renamed = (operation: Parameters<typeof requestLine>[1], payload: string): string =>
  renaming.payload(operation, payload.replaceAll("|", "\0")).replaceAll("\0", "|");

describe("findIdentities", () => {
  it("finds domains in paths, values and INTRODUCE, uuids, names, and what is shared", () => {
    expect(identities.domids).toEqual([5, 7, 9]);
    expect(identities.uuids).toEqual([UUID]);
    expect(identities.names).toEqual(["vm5"]);
    expect([...identities.shared].sort()).toEqual([
      "/libxl",
      "/local",
      "/local/domain",
      "/local/domain/0",
      "/local/domain/0/backend",
      "/local/domain/0/backend/vbd",
      "/vm",
    ]);
  });

  it("knows how many copies have ids", () => {
    expect(copiesMax(identities)).toBe(1 + Math.floor((0x7ff0 - 10) / 3));
    expect(copiesMax(findIdentities([]))).toBeUndefined();
  });
});

describe("Renaming", () => {
  const { text, value, token } = {
    text: (bytes: string) => renaming.text(bytes),
    value: (path: string, bytes: string) => renaming.value(path, bytes),
    token: (bytes: string) => renaming.token(bytes),
  };

  it("renames domains in paths and nothing else in them", () => {
    expect(text("/local/domain/5/device/vif/5")).toBe("/local/domain/13/device/vif/5");
    expect(text("backend/vbd/7/5")).toBe("backend/vbd/14/5");
    expect(text("/local/domain/55")).toBe("/local/domain/55");
    expect(text("/local/domain/0/device-model/9/state")).toBe("/local/domain/0/device-model/15/state");
    expect(text("@releaseDomain/5")).toBe("@releaseDomain/13");
  });

  it("renames a number that is a value only where the node holds a domain id", () => {
    expect(value("/local/domain/5/domid", "5")).toBe("13");
    expect(value("/local/domain/0/backend/vbd/5/51712/frontend-id", "5")).toBe("13");
    expect(value("/local/domain/0/backend/vbd/5/51712/state", "5")).toBe("5");
    expect(value("/local/domain/5/name", "vm5")).toBe("vm5-copy-2");
    expect(value("/local/domain/5/data/os_name", "vm5")).toBe("vm5");
  });

  it("renames perms, tokens and arguments", () => {
    expect(renamed("SET_PERMS", "/local/domain/5|n5|r0|b7|")).toBe("/local/domain/13|n13|r0|b14|");
    expect(renamed("INTRODUCE", "5|7|9|")).toBe("13|7|9|");
    expect(renamed("SET_TARGET", "5|7|")).toBe("13|14|");
    expect(renamed("CONTROL", "domain|destroy|5|")).toBe("domain|destroy|13|");
    expect(renamed("CONTROL", "memreport|5|")).toBe("memreport|5|");
    expect(renamed("WATCH", "/local/domain/5/x|dom5|")).toBe("/local/domain/13/x|dom13|");
    expect(renamed("TRANSACTION_END", "T|")).toBe("T|");
    expect(token("3/0")).toBe("3/0");
    expect(renamed("WRITE", `/vm/${UUID}/x|a|${UUID}`)).not.toContain(UUID);
  });

  test("the way back leads to where it came from, whatever the payload", () => {
    const piece = fc.constantFrom(
      "/local/domain/",
      "/vm/",
      UUID,
      "5",
      "7",
      "/",
      "|",
      "\0",
      "n5",
      "dom5",
      "vm5",
      "x",
      "/name",
    );
    const payload = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
    const operation = fc.constantFrom(...OPERATIONS.map(({ name }) => name));
    fc.assert(
      fc.property(operation, payload, (name, bytes) => {
        expect(renaming.inverse().payload(name, renaming.payload(name, bytes))).toBe(bytes);
      }),
      propertyParameters(500),
    );
  });

  it("leaves copy 0 as it is", () => {
    expect(renamingOf(identities, 0).payload("INTRODUCE", "5\x001\x001\0")).toBe("5\x001\x001\0");
  });
});
