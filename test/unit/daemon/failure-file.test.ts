import { describe, expect, test } from "vitest";
import type { FailedRequest } from "../../../daemon/dispatch/failure-log.js";
import { FailureFile } from "../../../daemon/failure-file.js";
import type { Domid, Microseconds, Seq, TxId } from "../../../protocol/identifiers.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../support/memory-file-system.js";

const PATH = "/state/failures.log";

function disk(): MemoryFileSystem {
  const memory = createMemoryFileSystem();
  memory.makeDirectory("/state");
  return memory;
}

function failure(time: number, more: Partial<FailedRequest> = {}): FailedRequest {
  return {
    id: time,
    lastId: time,
    time: time as Microseconds,
    lastTime: (time + 1) as Microseconds,
    count: 1,
    connection: "domain-5",
    domid: 5 as Domid,
    operation: "TRANSACTION_END",
    transaction: 3 as TxId,
    subject: "/caf\xe9\n",
    error: "EAGAIN",
    seq: 9 as Seq,
    conflict: { base: 7 as Seq, operation: "READ", path: "/a", commit: 8 as Seq },
    ...more,
  };
}

function reread(memory: MemoryFileSystem): FailedRequest[] {
  return new FailureFile(memory, PATH).read();
}

/** The file is written anew in pieces of about 6 failures. */
const PIECE = 2000;

const nothingElse = (): never => {
  throw new Error("the file is not to be written anew");
};

describe("FailureFile", () => {
  test("gives back what was added, in its order, with every byte", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    expect(file.read()).toEqual([]);
    const plain = failure(2, { transaction: undefined, conflict: undefined, error: "EACCES" });
    file.append([failure(1)], nothingElse, PIECE);
    file.append([plain], nothingElse, PIECE);
    expect(JSON.stringify(reread(memory))).toBe(JSON.stringify([failure(1), plain]));
  });

  test("goes on where an earlier life ended", () => {
    const memory = disk();
    new FailureFile(memory, PATH).append([failure(1)], nothingElse, PIECE);
    const file = new FailureFile(memory, PATH);
    file.read();
    file.append([failure(2)], nothingElse, PIECE);
    expect(reread(memory).map(({ time }) => time)).toEqual([1, 2]);
  });

  test("knows a failure that was counted again as one, at the place where it was counted last", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    file.append([failure(1), failure(2)], nothingElse, PIECE);
    file.append([failure(1, { lastId: 3, count: 4 })], nothingElse, PIECE);
    expect(reread(memory).map(({ time, count }) => [time, count])).toEqual([
      [2, 1],
      [1, 4],
    ]);
  });

  test("tells two failures from each other that differ in their numbers alone", () => {
    const memory = disk();
    const { id, lastId, ...same } = failure(1);
    const file = new FailureFile(memory, PATH);
    const two = [
      { ...same, id, lastId },
      { ...same, id: 2, lastId: 2 },
    ];
    file.append(two, nothingElse, PIECE);
    expect(reread(memory)).toEqual(two);
  });

  test("reads what an earlier version wrote without numbers, and writes it anew with them", () => {
    const memory = disk();
    const old = [failure(1, { transaction: 3 as TxId }), failure(1, { transaction: 4 as TxId }), failure(5)];
    const again = { ...failure(1), count: 6, lastTime: 9 };
    const lines = [...old, again].map((each) => `${JSON.stringify({ ...each, id: undefined, lastId: undefined })}\n`);
    memory.open(PATH, "create").write(Buffer.from(lines.join("")), 0);
    const file = new FailureFile(memory, PATH);
    const read = file.read();
    expect(read.map(({ id, lastId, transaction, count }) => [id, lastId, transaction, count])).toEqual([
      [1, 1, 4, 1],
      [2, 2, 3, 1],
      [3, 3, 3, 6],
    ]);
    const fresh = failure(20, { id: 4, lastId: 4 });
    file.append([fresh], () => [...read, fresh], PIECE);
    expect(reread(memory)).toEqual([...read, fresh]);
  });

  test("passes over what is no failure, such as a line that was cut", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    file.append([failure(1), failure(2)], nothingElse, PIECE);
    const handle = memory.open(PATH, "write");
    handle.truncate(handle.size() - 9);
    handle.write(Buffer.from('\n{"time":"x"}\n[]\nnull\n{"conflict":{}}\n'), handle.size());
    handle.close();
    expect(reread(memory).map(({ time }) => time)).toEqual([1]);
  });

  test("is written anew, with what is remembered, when it has become long", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    const many = Array.from({ length: 1000 }, (_, index) => failure(index + 1, { subject: "x".repeat(500) }));
    let rewritten = 0;
    for (let round = 0; round < 60; round++) {
      const remembered = (): FailedRequest[] => {
        rewritten++;
        return many.slice(-10);
      };
      file.append(many, remembered, PIECE);
    }
    expect(rewritten).toBeGreaterThan(1);
    expect(memory.readFile(PATH).length).toBeLessThan(8 * 1024 * 1024);
    expect(memory.list("/state").length).toBeLessThanOrEqual(2);
    expect(reread(memory).length).toBeGreaterThanOrEqual(10);
  });

  test("is written anew in pieces, and has all at every moment", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    const remembered = Array.from({ length: 9000 }, (_, index) => failure(index + 1));
    file.append(remembered, nothingElse, PIECE);
    const again = (): FailedRequest[] => [...remembered];
    const lengths: number[] = [];
    for (let round = 0; round < 40; round++) {
      const next = failure(remembered.length + 1);
      remembered.push(next);
      file.append(round === 0 ? remembered : [next], again, 100_000);
      if (round % 9 === 0) expect(reread(memory).map(({ id }) => id)).toEqual(remembered.map(({ id }) => id));
      lengths.push(memory.exists(`${PATH}.new`) ? memory.readFile(`${PATH}.new`).length : 0);
    }
    const pieces = lengths.slice(0, lengths.indexOf(0));
    expect(pieces.length).toBeGreaterThan(20);
    const steps = pieces.slice(2).map((length, index) => length - (pieces[index + 1] ?? 0));
    expect(Math.max(...steps)).toBeLessThan(150_000);
    expect(memory.list("/state")).toEqual(["failures.log"]);
    // What comes behind what was counted again does not take its place.
    const counted = { ...(remembered[0] ?? failure(1)), count: 7, lastId: 99_999 };
    file.append([counted], again, PIECE);
    expect(reread(memory).at(-1)).toEqual(counted);
  });

  test("goes on with what is being written anew when nothing fails any more", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    const many = Array.from({ length: 30 }, (_, index) => failure(index + 1, { subject: "x".repeat(200_000) }));
    file.append(many, () => many, PIECE);
    expect(memory.exists(`${PATH}.new`)).toBe(true);
    for (let round = 0; round < 30; round++) file.append([], nothingElse, PIECE);
    expect(memory.list("/state")).toEqual(["failures.log"]);
    expect(reread(memory)).toEqual(many);
  });

  test("is written anew after the disk has failed in the middle of a line", () => {
    const memory = disk();
    const file = new FailureFile(memory, PATH);
    file.append([failure(1)], nothingElse, PIECE);
    const open = memory.open.bind(memory);
    memory.open = (path, mode) => {
      const opened = open(path, mode);
      opened.write = () => {
        throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      };
      return opened;
    };
    expect(() => {
      file.append([failure(2)], nothingElse, PIECE);
    }).toThrow("ENOSPC");
    memory.open = open;
    file.append([failure(3)], () => [failure(1), failure(2), failure(3)], PIECE);
    expect(reread(memory).map(({ time }) => time)).toEqual([1, 2, 3]);
  });
});
