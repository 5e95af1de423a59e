/**
 * Payload codecs: for each operation what it accepts, what it means and what it refuses.
 */
import { describe, expect, test } from "vitest";
import type { OperationName } from "../../../protocol/operation.js";
import { OPERATIONS } from "../../../protocol/operation.js";
import {
  directoryPartReply,
  directoryReply,
  parseStrings,
  permsReply,
  REQUEST_CODECS,
  serializeStrings,
  stringReply,
  watchEvent,
} from "../../../protocol/payload.js";

const n0 = { access: 0, domid: 0 };
const r5 = { access: 1, domid: 5 };

/** Payloads and what they mean. What each means, serialized, is the payload again. */
const accepted: [OperationName, payload: string, meaning: unknown][] = [
  ["CONTROL", "help\0", { command: "help", parameters: [] }],
  ["CONTROL", "quota\0set\0nodes\0", { command: "quota", parameters: ["set", "nodes"] }],
  ["CONTROL", "print\0\0", { command: "print", parameters: [""] }],
  ["DIRECTORY", "/\0", { path: "/" }],
  ["READ", "/a\0", { path: "/a" }],
  ["READ", "\0", { path: "" }],
  ["GET_PERMS", "a/b\0", { path: "a/b" }],
  ["WATCH", "/a\0token\0", { path: "/a", token: "token" }],
  ["WATCH", "/a\0\0", { path: "/a", token: "" }],
  ["WATCH", "/a\0t\0" + "3\0", { path: "/a", token: "t", depth: 3 }],
  ["UNWATCH", "/a\0token\0", { path: "/a", token: "token" }],
  ["TRANSACTION_START", "\0", {}],
  ["TRANSACTION_END", "T\0", { commit: true }],
  ["TRANSACTION_END", "F\0", { commit: false }],
  ["INTRODUCE", "5\0-1\0" + "7\0", { domid: 5, gfn: -1, port: 7 }],
  ["INTRODUCE", "5\0" + "1048575\0" + "-3\0", { domid: 5, gfn: 1048575, port: -3 }],
  ["RELEASE", "5\0", { domid: 5 }],
  ["GET_DOMAIN_PATH", "65535\0", { domid: 65535 }],
  ["WRITE", "/a\0", { path: "/a", value: "" }],
  ["WRITE", "/a\0value", { path: "/a", value: "value" }],
  ["WRITE", "/a\0\0\u00ff\0", { path: "/a", value: "\0\u00ff\0" }],
  ["MKDIR", "/a\0", { path: "/a" }],
  ["RM", "/a\0", { path: "/a" }],
  ["SET_PERMS", "/a\0n0\0", { path: "/a", perms: [n0] }],
  ["SET_PERMS", "/a\0n0\0r5\0", { path: "/a", perms: [n0, r5] }],
  ["IS_DOMAIN_INTRODUCED", "5\0", { domid: 5 }],
  ["RESUME", "5\0", { domid: 5 }],
  ["SET_TARGET", "5\0" + "6\0", { domid: 5, target: 6 }],
  ["RESET_WATCHES", "\0", {}],
  ["DIRECTORY_PART", "/a\0" + "0\0", { path: "/a", offset: 0 }],
  ["DIRECTORY_PART", "/a\0" + "4000\0", { path: "/a", offset: 4000 }],
  ["GET_FEATURE", "", {}],
  ["GET_FEATURE", "5\0", { domid: 5 }],
  ["SET_FEATURE", "5\0" + "3\0", { domid: 5, features: 3 }],
  ["GET_QUOTA", "", {}],
  ["GET_QUOTA", "nodes\0", { quota: "nodes" }],
  ["GET_QUOTA", "5\0nodes\0", { domid: 5, quota: "nodes" }],
  ["SET_QUOTA", "nodes\0" + "10\0", { quota: "nodes", value: 10 }],
  ["SET_QUOTA", "5\0nodes\0" + "0\0", { domid: 5, quota: "nodes", value: 0 }],
];

/** Accepted too, though serialized otherwise: what clients in the field send. */
const alsoAccepted: [OperationName, payload: string, meaning: unknown][] = [
  ["TRANSACTION_START", "", {}],
  ["TRANSACTION_START", "anything", {}],
  ["RESET_WATCHES", "", {}],
  ["GET_FEATURE", "\0", {}],
  ["GET_QUOTA", "\0", {}],
  ["INTRODUCE", "5\0" + "1\0" + "2\0reserved\0", { domid: 5, gfn: 1, port: 2 }],
  ["INTRODUCE", "5\0-0\0-0\0", { domid: 5, gfn: 0, port: 0 }],
];

const refused: [OperationName, payload: string][] = [
  ...(["DIRECTORY", "READ", "GET_PERMS", "MKDIR", "RM"] as const).flatMap((name): [OperationName, string][] => [
    [name, ""],
    [name, "/a"],
    [name, "/a\0b\0"],
    [name, "/a\0\0"],
    [name, "\0/a"],
  ]),
  ...(["RELEASE", "GET_DOMAIN_PATH", "IS_DOMAIN_INTRODUCED", "RESUME"] as const).flatMap(
    (name): [OperationName, string][] => [
      [name, ""],
      [name, "\0"],
      [name, "5"],
      [name, "x\0"],
      [name, "-1\0"],
      [name, "05\0"],
      [name, "65536\0"],
      [name, "5\0" + "6\0"],
    ],
  ),
  ["CONTROL", ""],
  ["CONTROL", "help"],
  ["WATCH", ""],
  ["WATCH", "/a\0"],
  ["WATCH", "/a\0token"],
  ["WATCH", "/a\0t\0x\0"],
  ["WATCH", "/a\0t\0-1\0"],
  ["WATCH", "/a\0t\0\0"],
  ["WATCH", "/a\0t\0" + "1\0" + "2\0"],
  ["UNWATCH", ""],
  ["UNWATCH", "/a\0"],
  ["UNWATCH", "/a\0token"],
  ["UNWATCH", "/a\0t\0x\0"],
  ["TRANSACTION_END", ""],
  ["TRANSACTION_END", "T"],
  ["TRANSACTION_END", "T\0\0"],
  ["TRANSACTION_END", "X\0"],
  ["TRANSACTION_END", "t\0"],
  ["TRANSACTION_END", "TF\0"],
  ["INTRODUCE", "5\0" + "1\0"],
  ["INTRODUCE", "5\0" + "1\0" + "2"],
  ["INTRODUCE", "5\0x\0" + "2\0"],
  ["INTRODUCE", "-5\0" + "1\0" + "2\0"],
  ["INTRODUCE", "5\0" + "1\0\0"],
  ["WRITE", ""],
  ["WRITE", "/a"],
  ["SET_PERMS", ""],
  ["SET_PERMS", "/a\0"],
  ["SET_PERMS", "/a\0n0"],
  ["SET_PERMS", "/a\0\0"],
  ["SET_PERMS", "/a\0n0\0x5\0"],
  ["SET_TARGET", "5\0"],
  ["SET_TARGET", "5\0" + "6"],
  ["SET_TARGET", "5\0x\0"],
  ["SET_TARGET", "5\0" + "6\0" + "7\0"],
  ["DIRECTORY_PART", "/a\0"],
  ["DIRECTORY_PART", "/a\0" + "0"],
  ["DIRECTORY_PART", "/a\0-1\0"],
  ["DIRECTORY_PART", "/a\0x\0"],
  ["DIRECTORY_PART", "/a\0" + "0\0" + "0\0"],
  ["GET_FEATURE", "x\0"],
  ["GET_FEATURE", "5"],
  ["GET_FEATURE", "5\0" + "6\0"],
  ["SET_FEATURE", "5\0"],
  ["SET_FEATURE", "5\0x\0"],
  ["SET_FEATURE", "x\0" + "1\0"],
  ["SET_FEATURE", "5\0" + "1"],
  ["GET_QUOTA", "nodes"],
  ["GET_QUOTA", "x\0nodes\0"],
  ["GET_QUOTA", "5\0nodes\0" + "1\0"],
  ["SET_QUOTA", ""],
  ["SET_QUOTA", "nodes\0"],
  ["SET_QUOTA", "nodes\0x\0"],
  ["SET_QUOTA", "nodes\0-1\0"],
  ["SET_QUOTA", "x\0nodes\0" + "1\0"],
  ["SET_QUOTA", "5\0nodes\0" + "1"],
  ["SET_QUOTA", "5\0nodes\0" + "1\0" + "2\0"],
];

describe("REQUEST_CODECS", () => {
  test("has a codec for each operation of the table, tried below", () => {
    const names = OPERATIONS.map((operation) => operation.name);
    expect(Object.keys(REQUEST_CODECS).sort()).toEqual([...names].sort());
    expect([...new Set(accepted.map(([name]) => name))].sort()).toEqual([...names].sort());
  });

  test.each(accepted)("%s: %j is read and written", (name, payload, meaning) => {
    const codec = REQUEST_CODECS[name] as {
      parse: (payload: string) => unknown;
      serialize: (value: unknown) => string;
    };
    expect(codec.parse(payload)).toEqual(meaning);
    expect(codec.serialize(meaning)).toBe(payload);
  });

  test.each(alsoAccepted)("%s: %j is read", (name, payload, meaning) => {
    expect(REQUEST_CODECS[name].parse(payload)).toEqual(meaning);
  });

  test.each(refused)("%s: %j is malformed", (name, payload) => {
    expect(REQUEST_CODECS[name].parse(payload)).toBeUndefined();
  });
});

describe("parseStrings and serializeStrings", () => {
  test.each<[string, string[]]>([
    ["", []],
    ["\0", [""]],
    ["a\0", ["a"]],
    ["a\0\0b\0", ["a", "", "b"]],
  ])("translate %j", (payload, strings) => {
    expect(parseStrings(payload)).toEqual(strings);
    expect(serializeStrings(strings)).toBe(payload);
  });

  test("refuse a last string without its NUL", () => {
    expect(parseStrings("a")).toBeUndefined();
    expect(parseStrings("a\0b")).toBeUndefined();
  });
});

describe("directoryReply", () => {
  test("is empty for no children", () => {
    expect(directoryReply.serialize([])).toBe("");
    expect(directoryReply.parse("")).toEqual([]);
    expect(directoryReply.serialize(["a", "b"])).toBe("a\0b\0");
    expect(directoryReply.parse("a\0b\0")).toEqual(["a", "b"]);
  });
});

describe("directoryPartReply", () => {
  test("ends the whole list with one more NUL", () => {
    expect(directoryPartReply.serialize({ generation: "9", names: ["a"], last: false })).toBe("9\0a\0");
    expect(directoryPartReply.serialize({ generation: "9", names: ["a"], last: true })).toBe("9\0a\0\0");
    expect(directoryPartReply.serialize({ generation: "9", names: [], last: true })).toBe("9\0\0");
    expect(directoryPartReply.parse("9\0a\0")).toEqual({ generation: "9", names: ["a"], last: false });
    expect(directoryPartReply.parse("9\0a\0\0")).toEqual({ generation: "9", names: ["a"], last: true });
    expect(directoryPartReply.parse("9\0\0")).toEqual({ generation: "9", names: [], last: true });
  });

  test("is malformed without a generation or a final NUL", () => {
    expect(directoryPartReply.parse("")).toBeUndefined();
    expect(directoryPartReply.parse("9\0a")).toBeUndefined();
  });
});

describe("permsReply", () => {
  test("is each entry and a NUL", () => {
    const perms = permsReply.parse("n0\0r5\0");
    expect(perms).toEqual([n0, r5]);
    expect(perms && permsReply.serialize(perms)).toBe("n0\0r5\0");
    expect(permsReply.parse("")).toBeUndefined();
    expect(permsReply.parse("n0")).toBeUndefined();
  });
});

describe("stringReply", () => {
  test("is one string and a NUL", () => {
    expect(stringReply.parse("OK\0")).toBe("OK");
    expect(stringReply.serialize("OK")).toBe("OK\0");
    expect(stringReply.parse("\0")).toBe("");
    for (const payload of ["", "OK", "O\0K\0", "OK\0\0"]) expect(stringReply.parse(payload)).toBeUndefined();
  });
});

describe("watchEvent", () => {
  test("is the path and the token", () => {
    expect(watchEvent.parse("/a\0t\0")).toEqual({ path: "/a", token: "t" });
    expect(watchEvent.serialize({ path: "/a", token: "t" })).toBe("/a\0t\0");
    for (const payload of ["", "/a\0", "/a\0t", "/a\0t\0x\0"]) expect(watchEvent.parse(payload)).toBeUndefined();
  });
});
