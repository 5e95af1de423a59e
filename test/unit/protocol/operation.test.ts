/**
 * The operation table, against the numbers of `io/xs_wire.h`.
 */
import { describe, expect, test } from "vitest";
import { ERROR, getOperation, operationNamed, OPERATIONS, WATCH_EVENT } from "../../../protocol/operation.js";

/** `enum xsd_sockmsg_type`. 15 and 16 are sent by the daemon alone; 20 was XS_RESTRICT and is gone. */
const HEADER = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
  GET_FEATURE: 23,
  SET_FEATURE: 24,
  GET_QUOTA: 25,
  SET_QUOTA: 26,
};

function namesWhere(filter: (operation: (typeof OPERATIONS)[number]) => boolean): string {
  return OPERATIONS.filter(filter)
    .map((operation) => operation.name)
    .join(" ");
}

describe("OPERATIONS", () => {
  test("has the header's names and numbers, in their order", () => {
    expect(OPERATIONS.map(({ name, number }) => [name, number])).toEqual(Object.entries(HEADER));
  });

  test("lets dom0 alone use what the specification reserves for it", () => {
    expect(namesWhere((operation) => operation.privilege === "dom0")).toBe(
      "CONTROL INTRODUCE RELEASE IS_DOMAIN_INTRODUCED RESUME SET_TARGET SET_FEATURE GET_QUOTA SET_QUOTA",
    );
  });

  test("runs the requests on the tree inside transactions, and no others", () => {
    expect(namesWhere((operation) => operation.transaction === "joins")).toBe(
      "DIRECTORY READ GET_PERMS WRITE MKDIR RM SET_PERMS DIRECTORY_PART",
    );
    expect(namesWhere((operation) => operation.transaction === "ignored")).toBe("WATCH UNWATCH");
    expect(namesWhere((operation) => operation.transaction === "starts")).toBe("TRANSACTION_START");
    expect(namesWhere((operation) => operation.transaction === "ends")).toBe("TRANSACTION_END");
  });

  test("names every operation that can make a commit", () => {
    expect(namesWhere((operation) => operation.mutates)).toBe(
      "CONTROL TRANSACTION_END INTRODUCE RELEASE WRITE MKDIR RM SET_PERMS RESUME SET_TARGET SET_FEATURE SET_QUOTA",
    );
  });
});

describe("getOperation", () => {
  test("finds each row by its number", () => {
    for (const operation of OPERATIONS) expect(getOperation(operation.number)).toBe(operation);
  });

  test.each([15, 16, 20, 27, 255, 0x7fffffff, 0xffffffff, -1, 0.5])("knows no operation %d", (number) => {
    expect(getOperation(number)).toBeUndefined();
  });
});

describe("operationNamed", () => {
  test("finds each row by its name", () => {
    for (const operation of OPERATIONS) expect(operationNamed(operation.name)).toBe(operation);
  });

  test("throws for a name that is not in the table", () => {
    expect(() => operationNamed("RESTRICT" as "READ")).toThrow("no operation RESTRICT in the table");
  });
});

test("WATCH_EVENT and ERROR are the header's numbers", () => {
  expect([WATCH_EVENT, ERROR]).toEqual([15, 16]);
});
