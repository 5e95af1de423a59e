import { describe, expect, test } from "vitest";
import { operationNamed, type OperationName } from "../../../protocol/operation.js";
import {
  recordPublished,
  recordStorm,
  serializeMachine,
  type MachineScripts,
  type Recorded,
} from "../../bench/vm-script.js";

const number = (name: OperationName): number => operationNamed(name).number;

interface Asked {
  readonly txId?: number;
  readonly domid?: number;
  readonly connection?: number;
  readonly answer?: string;
  readonly said?: string;
}

function asked(name: OperationName, payload: string, options: Asked = {}): Recorded {
  const { txId = 0, domid = 0, connection = 0, answer = "ok", said = "" } = options;
  return {
    kind: "request",
    connection,
    domid,
    operation: number(name),
    txId,
    payload,
    answer: { name: answer, payload: said },
  };
}

describe("serializeMachine", () => {
  test("writes requests with their answers, and bytes that are not visible as digits", () => {
    expect(
      serializeMachine([
        asked("WRITE", "/a\x00100% \xff"),
        asked("READ", "/b\0", { connection: 2, answer: "ENOENT" }),
        { kind: "close", connection: 2 },
      ]),
    ).toBe("machine\nask 0 11 ok /a%00100%25%20%ff\nask 2 2 ENOENT /b%00\nclose 2\n");
  });

  test("puts a transaction together where it ended", () => {
    expect(
      serializeMachine([
        asked("TRANSACTION_START", "\0", { said: "7\0" }),
        asked("TRANSACTION_START", "\0", { connection: 1, said: "7\0" }),
        asked("READ", "/one\0", { txId: 7, connection: 1 }),
        asked("WRITE", "/zero\0", { txId: 7 }),
        asked("READ", "/outside\0"),
        asked("TRANSACTION_END", "F\0", { txId: 7, connection: 1 }),
        asked("TRANSACTION_END", "T\0", { txId: 7 }),
      ]),
    ).toBe(
      [
        "machine",
        "ask 0 2 ok /outside%00",
        "start 1",
        "inside 1 2 ok /one%00",
        "end 1 ok F%00",
        "start 0",
        "inside 0 11 ok /zero%00",
        "end 0 ok T%00",
        "",
      ].join("\n"),
    );
  });

  test("leaves out a transaction that was in vain", () => {
    expect(
      serializeMachine([
        asked("TRANSACTION_START", "\0", { said: "7\0" }),
        asked("READ", "/zero\0", { txId: 7 }),
        asked("TRANSACTION_END", "T\0", { txId: 7, answer: "EAGAIN" }),
      ]),
    ).toBe("machine\n");
  });

  test("asks in dom0's name for what a guest asked", () => {
    expect(
      serializeMachine([
        asked("READ", "device/vif\0", { domid: 3 }),
        asked("WATCH", "control/shutdown\0t\0", { domid: 3 }),
        asked("WATCH", "@releaseDomain\0t\0", { domid: 3 }),
        asked("READ", "/vm/x\0", { domid: 3, answer: "EACCES" }),
        asked("READ", "relative\0"),
      ]),
    ).toBe(
      [
        "machine",
        "ask 0 2 ok /local/domain/3/device/vif%00",
        "ask 0 4 ok /local/domain/3/control/shutdown%00t%00",
        "ask 0 4 ok @releaseDomain%00t%00",
        "ask 0 2 any /vm/x%00",
        "ask 0 2 ok relative%00",
        "",
      ].join("\n"),
    );
  });

  test("has a domain go as with an xenstored that a hypervisor tells of it", () => {
    expect(
      serializeMachine([asked("CONTROL", "domain\0shutdown\x003\0"), asked("CONTROL", "domain\0destroy\x003\0")]),
    ).toBe(`machine\nask 0 ${String(number("RELEASE"))} ok 3%00\n`);
  });
});

describe("a recorded script", () => {
  const words = (machine: string, word: string) => machine.split("\n").filter((line) => line.startsWith(`${word} `));
  /** Requests of a machine, but for what differs from one to another. */
  const shape = (machine: string) => machine.split("\n").map((line) => line.split(" ").slice(0, 1).join(" "));

  /** The domains, but for dom0, at whose nodes each of the machines looks. */
  const domainsOf = (machines: MachineScripts) =>
    machines.map((machine) => [
      ...new Set([...machine.matchAll(/\/local\/domain\/([1-9][0-9]*)/g)].map(([, id]) => id)),
    ]);

  test("of the published benchmark has its six transactions for each machine, and one machine before", async () => {
    const machines = await recordPublished(3);
    expect(machines).toHaveLength(4);
    for (const machine of machines) {
      expect(words(machine, "start")).toHaveLength(6);
      expect(words(machine, "end")).toEqual(Array.from({ length: 6 }, () => "end 0 ok T%00"));
      expect(words(machine, "ask")).toEqual([]);
      expect(shape(machine)).toEqual(shape(machines[0] ?? ""));
    }
    expect(domainsOf(machines).flat().sort()).toEqual(["1", "2", "3", "4"]);
  });

  test("of a storm has whole lives, which need nobody's permission and no daemon of ours", async () => {
    const machines = await recordStorm(2);
    expect(machines).toHaveLength(3);
    const [first = "", second = "", third = ""] = machines;
    expect(words(first, "ask").some((line) => line.includes("/local/domain/1/"))).toBe(true);
    for (const [machine, domid] of [
      [second, 2],
      [third, 3],
    ] as const) {
      const introduced = words(machine, `ask`).filter((line) => / 8 ok /.test(line));
      expect(introduced.map((line) => line.split(" ").at(-1)?.split("%00")[0])).toEqual([String(domid)]);
      expect(words(machine, "ask").filter((line) => line.endsWith(` 9 ok ${String(domid)}%00`))).toHaveLength(1);
      expect(words(machine, "start").length).toBeGreaterThan(10);
      expect(machine).not.toContain("EACCES");
      expect(machine).not.toContain(" EAGAIN ");
    }
    expect(domainsOf([first])).toEqual([["1"]]);
  });
});
