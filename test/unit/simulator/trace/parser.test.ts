import { describe, expect, test } from "vitest";
import { parseTrace, TraceSyntaxError } from "../../../../simulator/trace/parser.js";
import type { Step } from "../../../../simulator/trace/trace.js";

const HEAD = ["trace 1", "actor xl dom0", "actor hotplug dom0 each", "actor guest dom5", "phase boot it boots"];

const parseSteps = (...lines: string[]): readonly Step[] =>
  parseTrace([...HEAD, ...lines].join("\n"), "test.trace").phases.flatMap(({ steps }) => steps);

describe("parseTrace", () => {
  test("gives actors, flags, payloads and errors of requests as they will be sent", () => {
    const [start, write, perms, end, read, introduce, reset] = parseSteps(
      "xl . TRANSACTION_START",
      'xl T WRITE /a "x\\u0000\\u00ff! ENOENT"',
      "xl   T   SET_PERMS /a n0 r5",
      "xl . TRANSACTION_END T",
      "hotplug . READ /a/b ! ENOENT",
      "xl . INTRODUCE 5 233473 1",
      "guest . RESET_WATCHES",
    );
    expect(start).toMatchObject({
      kind: "request",
      operation: "TRANSACTION_START",
      payload: "\0",
      inTransaction: false,
    });
    expect(write).toMatchObject({ payload: "/a\0x\0\xff! ENOENT", inTransaction: true, error: undefined, line: 7 });
    expect(write?.actor).toEqual({ name: "xl", domid: 0, connection: "kept" });
    expect(perms).toMatchObject({ operation: "SET_PERMS", payload: "/a\0n0\0r5\0" });
    expect(end).toMatchObject({ operation: "TRANSACTION_END", payload: "T\0" });
    expect(read).toMatchObject({ payload: "/a/b\0", error: "ENOENT", actor: { connection: "each" } });
    expect(introduce).toMatchObject({ payload: ["5", "233473", "1", ""].join("\0") });
    expect(reset).toMatchObject({ payload: "\0", actor: { domid: 5 } });
  });

  test("gives events, phases in order, and leaves comments and blank lines out", () => {
    const { phases } = parseTrace(
      [...HEAD, "# a comment", "", "  guest < control/shutdown 3/0", "phase end it ends", "xl . READ /"].join("\r\n"),
      "test.trace",
    );
    expect(phases.map(({ name, purpose, steps }) => [name, purpose, steps.length])).toEqual([
      ["boot", "it boots", 1],
      ["end", "it ends", 1],
    ]);
    expect(phases[0]?.steps[0]).toMatchObject({ kind: "event", path: "control/shutdown", token: "3/0", line: 8 });
  });

  test.each([
    ["xl . FLY /a", "FLY is not an operation"],
    ["xl . WATCH_EVENT /a t", "WATCH_EVENT is not an operation"],
    ["xl . READ", "are not the arguments of READ"],
    ["xl . READ /a /b", "are not the arguments of READ"],
    ["xl . SET_PERMS /a x0", "are not the arguments of SET_PERMS"],
    ["xl . TRANSACTION_END maybe", "no transaction open"],
    ["xl . WRITE /a value", 'WRITE PATH "VALUE"'],
    ["xl . WRITE /a 5", 'WRITE PATH "VALUE"'],
    ['xl . WRITE /a "\\u0100"', "are not the arguments of WRITE"],
    ["xl . READ /a ! ENOTHING", "ENOTHING is not an error name"],
    ["xl > /a t", 'comes ".", "T" or "<"'],
    ["xl < /a", "PATH TOKEN"],
    ["hotplug < /a t", "cannot be told events"],
    ["hotplug . TRANSACTION_START", "keeps no connection"],
    ["nobody . READ /a", "no actor is called nobody"],
    ["xl T READ /a", "no transaction open"],
    ["xl . TRANSACTION_END T", "no transaction open"],
    ["xl . TRANSACTION_START\nxl T TRANSACTION_END T", "stands outside"],
    ["xl . TRANSACTION_START\nxl . TRANSACTION_START", "opened a transaction in line 6"],
    ["actor xl dom0", "given twice"],
    ["actor phase dom0", '"actor NAME domDOMID"'],
    ["actor xl2 dom70000", '"actor NAME domDOMID"'],
    ["phase boot again", "given twice"],
    ["phase lonely", '"phase NAME PURPOSE"'],
  ])("refuses %j, with file, line and reason", (lines, reason) => {
    const number = HEAD.length + lines.split("\n").length;
    expect(() => parseSteps(lines)).toThrow(TraceSyntaxError);
    expect(() => parseSteps(lines)).toThrow(reason);
    expect(() => parseSteps(lines)).toThrow(`test.trace:${String(number)}: `);
  });

  test("refuses a file that does not start with the version that it knows", () => {
    expect(() => parseTrace("", "test.trace")).toThrow('starts with "trace 1"');
    expect(() => parseTrace("trace 2\n", "test.trace")).toThrow('starts with "trace 1"');
    expect(() => parseTrace("actor xl dom0\ntrace 1\n", "test.trace")).toThrow("test.trace:1: ");
  });

  test("refuses traffic before the first phase, an empty phase and a transaction without an end", () => {
    expect(() => parseTrace("trace 1\nactor xl dom0\nxl . READ /\n", "t")).toThrow("belongs to a phase");
    expect(() => parseTrace("trace 1\nphase a b\n", "t")).toThrow("phase a is empty");
    expect(() => parseSteps("xl . TRANSACTION_START")).toThrow("opened in line 6 is never ended");
  });
});
