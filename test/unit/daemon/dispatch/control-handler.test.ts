/**
 * CONTROL, GET_QUOTA and SET_QUOTA.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Connection } from "../../../../daemon/connection/connection.js";
import { QUOTA_NAMES } from "../../../../daemon/store/quota.js";
import { CoreHarness, domainId, payloadOfAnswer } from "../../../support/core-harness.js";

const OK = "OK\0";
const EINVAL = { error: "EINVAL" };
let harness: CoreHarness;
let dom0: Connection;
let accessLog: boolean[];

beforeEach(() => {
  accessLog = [];
  harness = new CoreHarness({ ports: { setAccessLog: (enabled) => void accessLog.push(enabled) } });
  dom0 = harness.connect(0);
});

const control = (command: string, ...parameters: string[]) => harness.ask(dom0, "CONTROL", { command, parameters });

describe("CONTROL", () => {
  test("help lists every command, and every command that help lists exists", () => {
    const commands = payloadOfAnswer(control("help"))
      .slice(0, -1)
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "");
    for (const name of [
      "check",
      "log",
      "memreport",
      "print",
      "quota",
      "help",
      "history",
      "flush",
      "compact",
      "domain",
      "conflicts",
    ]) {
      expect(commands).toContain(name);
    }
    expect(control("nonsense")).toEqual(EINVAL);
    expect(harness.askPayload(dom0, 0, "")).toEqual(EINVAL);
    expect(harness.askPayload(dom0, 0, "check")).toEqual(EINVAL);
  });

  test("check finds a difference between the watches of clients and the table, and logs it", () => {
    harness.ask(dom0, "WATCH", { path: "/", token: "t" });
    expect(control("check")).toBe(OK);
    dom0.watches.clear();
    expect(control("check")).toBe("0 watches on connections, 1 in the table\n\0");
    expect(harness.log).toEqual(["error: check: 0 watches on connections, 1 in the table"]);
  });

  test("log, print, history and memreport reach the daemon around the core", () => {
    expect([control("log", "on"), control("log", "off"), accessLog]).toEqual([OK, OK, [true, false]]);
    for (const parameters of [[], ["maybe"], ["on", "off"]]) expect(control("log", ...parameters)).toEqual(EINVAL);
    expect([control("print", "hello"), harness.log]).toEqual([OK, ["info: control: hello"]]);
    expect([control("print"), control("print", "a", "b")]).toEqual([EINVAL, EINVAL]);
    expect(control("history")).toBe("history\n\0");
    const report = payloadOfAnswer(control("memreport"));
    expect(report).toMatch(/^nodes: 1\ndomains: 0\nconnections: 1\nwatches: 0\ntransactions: 0\n/);
    expect(report).toContain("contended transactions that wait for their turn: 0\n");
    expect(report).toMatch(/memory\n\0$/);
  });

  test("replies fit a message however much there is to tell (XSA-72)", () => {
    const wordy = new CoreHarness({ ports: { describeHistory: () => "long ".repeat(2000) } });
    const answer = wordy.ask(wordy.connect(0), "CONTROL", { command: "history", parameters: [] });
    expect(payloadOfAnswer(answer)).toHaveLength(4096);
    expect(payloadOfAnswer(answer)).toMatch(/\.\.\.\n\0$/);
  });

  test("quota shows and sets the defaults, and shows what a domain holds", () => {
    expect(control("quota")).toMatch(/^nodes +1000\nwatches +128\n/);
    expect(control("quota", "set", "nodes", "0")).toBe(OK);
    expect(control("quota")).toMatch(/^nodes +unlimited\n/);
    expect(control("quota", "5")).toMatch(/^domain 5\nnodes held: 0\n/);
    for (const parameters of [
      ["set"],
      ["set", "nodes"],
      ["set", "nodes", "x"],
      ["set", "none", "1"],
      ["x"],
      ["5", "6"],
    ]) {
      expect(control("quota", ...parameters), parameters.join()).toEqual(EINVAL);
    }
  });
});

describe("GET_QUOTA and SET_QUOTA", () => {
  const get = (quota?: string, domid?: number) =>
    harness.ask(dom0, "GET_QUOTA", { quota, domid: domid === undefined ? undefined : domainId(domid) });

  test("tell the names, the defaults and a domain's values", () => {
    expect(get()).toBe(`${QUOTA_NAMES.join(" ")}\0`);
    expect([get("nodes"), get("nodes", 5), get("none"), get("toString")]).toEqual(["1000\0", "1000\0", EINVAL, EINVAL]);
    expect(harness.ask(dom0, "SET_QUOTA", { domid: domainId(5), quota: "nodes", value: 3 })).toBe(OK);
    expect(harness.ask(dom0, "SET_QUOTA", { quota: "nodes", value: 8 })).toBe(OK);
    expect([get("nodes"), get("nodes", 5), get("nodes", 6)]).toEqual(["8\0", "3\0", "8\0"]);
  });

  test("SET_QUOTA is EINVAL for dom0, for what is no quota and for what is no number", () => {
    for (const payload of [
      "",
      "nodes\0",
      "none\x001\0",
      "0\0nodes\x001\0",
      "nodes\0-1\0",
      "nodes\0x\0",
      "nodes\x001",
      "5\0nodes\x001\x002\0",
      "nodes\x004294967296\0",
      "32752\0nodes\x001\0",
    ]) {
      expect(harness.askPayload(dom0, 26, payload), JSON.stringify(payload)).toEqual(EINVAL);
    }
    expect(harness.core.seq).toBe(0);
  });
});
